"""No interleaving on four replicas uses a dead token, loses a good one, or leaves a secret behind."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.races.any_interleaving import AnyInterleaving

REPEATABLE = settings(
    max_examples=150,
    stateful_step_count=50,
    derandomize=True,
    phases=[Phase.generate],  # `make races` looks for the shortest way to harm, which takes minutes
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(240)
def test_f57_f60_f61_b17_no_interleaving_uses_a_dead_token_loses_a_good_one_or_leaves_a_secret(
    record_property: Callable[[str, object], None],
):
    """Refreshing, connecting, disconnecting, removal at Zoom and use: `make races` tries more of them."""
    run_state_machine_as_test(AnyInterleaving, settings=REPEATABLE)
    record_property("counted", f"{AnyInterleaving.examples} worlds, {AnyInterleaving.steps} steps")
    assert AnyInterleaving.steps > REPEATABLE.max_examples * 10
