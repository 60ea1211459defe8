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


SAME_TRIED = 5
"""Deaths of each scenario that are tried although the one before the next effect is the same."""


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
    """Let the services die or stand still in that way at every effect of a scenario, one by one; return how often.

    Who dies after an effect mostly leaves the same world as who dies before the next one, and is not tried again.
    """
    calm = await ended(scenario)
    same = calm.same_as_next if how == "after" else frozenset[int]()
    apart = [fault for fault in single_faults(POINTS[scenario], [how]) if fault.at not in same]
    runs = [await ended(scenario, fault) for fault in apart]
    assert len(runs) + len(same) == POINTS[scenario]
    _assert_sound(runs)
    for at in random.Random(scenario).sample(sorted(same), len(same) and SAME_TRIED):  # noqa: S311 - no secret
        await _assert_same_deaths(scenario, at)
    if how != "frozen":  # only a create that is sent late makes a twin; else the sweep would hide a missing adoption
        twins = [str(one) for one in runs if one.made > calm.made]
        assert not twins, f"made more than {calm.made} meetings:\n" + "\n".join(twins)
    return f"{POINTS[scenario]} points" + (f", {len(same)} as before the next one" if same else "")


async def _assert_same_deaths(scenario: str, at: int) -> None:
    """Show of one effect that dying after it and dying before the next one has the same consequences."""
    after, before = await ended(scenario, Fault(at, "after")), await ended(scenario, Fault(at + 1, "before"))
    assert after.effects[at:] == before.effects[at + 1 :], f"{after} is not {before}"
    assert (after.wrong, after.made) == (before.wrong, before.made), f"{after} is not {before}"


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
