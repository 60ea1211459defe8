"""How many places there are to die at, and what every test of them asserts."""

import random
from collections.abc import Iterable

from tests.faults.crashes.effects import Fault, How
from tests.faults.crashes.enumerator import Run, run, single_faults

POINTS = {
    "book": 33,
    "reschedule_twice": 99,
    "cancel": 62,
    "cancel_during_create": 66,
    "session_of_three_seats": 161,
    "reconnect": 195,
    "reconnect_another_user": 96,
    "daily_limit": 81,
}
"""The effects of each scenario. Each is tried in every way of `effects.HOWS`."""

PAIRS_OF_EACH = 25
"""Pairs of faults of each scenario in a normal run; `make crash-pairs` tries all."""


_ENDED: dict[tuple[str, tuple[Fault, ...]], Run] = {}


async def ended(scenario: str, *faults: Fault) -> Run:
    """Return how a scenario ends, which is the same each time: several tests of a process ask, and it is run once."""
    if (scenario, faults) not in _ENDED:
        _ENDED[scenario, faults] = await run(scenario, *faults)
    return _ENDED[scenario, faults]


async def assert_number_of_points(scenario: str) -> None:
    """Hold the table above to what the services do, where nothing fails."""
    calm = await ended(scenario)
    assert not calm.wrong, str(calm)
    names = "\n".join(f"{number:4} {name}" for number, name in enumerate(calm.effects, 1))
    assert len(calm.effects) == POINTS[scenario], (
        f"The services now have {len(calm.effects)} effects in '{scenario}', not {POINTS[scenario]}. Each one is a "
        "place to die at. If you meant to add or remove an effect, see below that it stands where you want it (an "
        "intent before its call, a write before its publish, an acknowledgement last) and set the new number in "
        f"tests/faults/crashes/points.py.\n{names}"
    )


async def assert_survived(scenario: str, how: How) -> str:
    """Let the services die or stand still in that way at every effect of a scenario, one by one; return how often."""
    runs = [await ended(scenario, fault) for fault in single_faults(POINTS[scenario], [how])]
    assert len(runs) == POINTS[scenario]
    _assert_sound(runs)
    if how != "frozen":  # only a create that is sent late makes a twin; else the sweep would hide a missing adoption
        most = (await ended(scenario)).made
        twins = [str(one) for one in runs if one.made > most]
        assert not twins, f"made more than {most} meetings:\n" + "\n".join(twins)
    return f"{len(runs)} points"


async def assert_pairs_survived(scenario: str, seed: int) -> str:
    """Let a second fault hit the recovery from a first one, at places that the seed chooses; return how often."""
    chosen = random.Random(f"{seed}/{scenario}")  # noqa: S311 - repeatable, no secret
    runs = []
    for _ in range(PAIRS_OF_EACH):
        first = chosen.choice(single_faults(POINTS[scenario]))
        recovery = (await ended(scenario, first)).since_last_fault
        second = chosen.choice(single_faults(recovery)) if recovery else None
        runs.append(await ended(scenario, first, *([second] if second else [])))
    _assert_sound(runs)
    return f"{len(runs)} pairs, seed {seed}"


def _assert_sound(runs: Iterable[Run]) -> None:
    broken = [str(one) for one in runs if one.wrong]
    assert not broken, f"{len(broken)} runs ended wrong:\n" + "\n".join(broken[:20])
    never_came = [str(one) for one in runs if one.never_came]
    assert not never_came, "faults that never came true:\n" + "\n".join(never_came[:20])
