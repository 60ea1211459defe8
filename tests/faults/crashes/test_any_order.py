"""Whatever happens in whatever order, nothing is lost and nothing is doubled."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.crashes.any_order import AnyOrder

REPEATABLE = settings(
    max_examples=60,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(240)
def test_nothing_is_lost_or_doubled_in_any_order(record_property: Callable[[str, object], None]):
    run_state_machine_as_test(AnyOrder, settings=REPEATABLE)
    record_property("counted", f"{AnyOrder.examples} worlds, {AnyOrder.steps} steps, {AnyOrder.crashes} crashes")
    assert AnyOrder.steps > REPEATABLE.max_examples * 10
    assert AnyOrder.crashes > REPEATABLE.max_examples // 10
