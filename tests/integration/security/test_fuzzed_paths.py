"""Whatever is sent to a documented path gets a documented answer, no 5xx, and nothing of another organization.

A few cases here; `make fuzz` sends 20,000 to each service.
"""

import sys
from collections.abc import Callable

import pytest

from local_stack import environment
from local_stack.addresses import SERVICES
from tests.integration.security.fuzzing import Fuzzing
from tests.integration.security.tenants import Tenants

CASES = int(environment.given("FUZZ_CASES") or 100)
SEED = int(environment.given("FUZZ_SEED") or 1)


# Of the services, in their thread, which draw from it while a case is made.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@pytest.mark.timeout(60 + CASES // 4)
@pytest.mark.parametrize("service", SERVICES)
def test_api8_no_case_gets_an_undocumented_answer_or_another_organizations_data(
    tenants: Tenants,
    service: str,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
):
    def tell(progress: str) -> None:
        if CASES > 1_000:
            with capsys.disabled():
                sys.stderr.write(f"{progress}\n")  # what a worker of pytest-xdist writes to stdout is lost

    before = tenants.stored_of_victim()

    tally = Fuzzing(tenants, service, tell).run(CASES, SEED)

    record_property("counted", f"{service}: {tally}")
    assert not tally.failures, "\n\n".join(tally.failures.values())
    assert tally.cases >= CASES * 0.9
    assert tenants.stored_of_victim() == before
