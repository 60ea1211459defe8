"""Runs a scenario with the faults that are asked for, and tells what did not hold afterwards."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.faults.crashes.chance import repeatable_chance
from tests.faults.crashes.client import Client
from tests.faults.crashes.effects import HOWS, Fault, How
from tests.faults.crashes.invariants import broken
from tests.faults.crashes.scenarios import SCENARIOS
from tests.faults.crashes.world import CollectionOf, World, as_it_is


@dataclass(frozen=True)
class Run:
    """A scenario that was run. `effects` are the names of all effects, in their order."""

    scenario: str
    faults: tuple[Fault, ...]
    effects: Sequence[str]
    never_came: int
    since_last_fault: int
    wrong: Sequence[str]
    made: int
    """Meetings that were ever made at Zoom, the deleted ones too."""

    def __str__(self) -> str:
        where, position = [], 0
        for fault in self.faults:
            position += fault.at
            where.append(f"{fault} ({self.effects[position - 1] if position <= len(self.effects) else 'never came'})")
        return f"{self.scenario}, {' then '.join(where) or 'no fault'}: {'; '.join(self.wrong) or 'all holds'}"


async def run(scenario: str, *faults: Fault, collection_of: CollectionOf = as_it_is) -> Run:
    """Run a scenario; what it raises is among what is wrong."""
    with repeatable_chance(), _real_time_stands_still():
        world = await World.begun(*faults, collection_of=collection_of)
        client, raised = Client(world), []
        try:
            await SCENARIOS[scenario](client)
        except Exception as error:  # noqa: BLE001 - told with the fault that led to it
            raised = [f"{type(error).__name__}: {error}"]
    effects = world.effects
    wrong = [*raised, *broken(world, client.booked)]
    return Run(
        scenario, faults, effects.names, len(effects.faults), effects.since_fault, wrong, len(world.zoom.meetings())
    )


@contextmanager
def _real_time_stands_still() -> Iterator[None]:
    """Let no real time-out end what a busy machine is slow to do."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    loop.time = lambda: started  # type: ignore[method-assign]
    try:
        yield
    finally:
        del loop.time


def single_faults(points: int, hows: Sequence[How] = HOWS) -> list[Fault]:
    """Return every fault that can happen alone."""
    return [Fault(at, how) for how in hows for at in range(1, points + 1)]
