"""Three people in one session: the services may die or stand still at any effect, and at any two."""

from collections.abc import Callable

import pytest

from tests.faults.crashes.effects import HOWS, How
from tests.faults.crashes.points import assert_number_of_points, assert_pairs_survived, assert_survived

SCENARIOS = ("session_of_three_seats",)
SEED = 3

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_every_effect_is_a_known_place_to_die_at(scenario: str):
    await assert_number_of_points(scenario)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_nothing_is_lost_or_doubled_whatever_effect_the_fault_hits(
    scenario: str, how: How, record_property: Callable[[str, object], None]
):
    record_property("counted", await assert_survived(scenario, how))


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_nothing_is_lost_or_doubled_when_a_fault_hits_the_recovery(
    scenario: str, record_property: Callable[[str, object], None]
):
    record_property("counted", await assert_pairs_survived(scenario, SEED))
