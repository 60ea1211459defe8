"""One drill: a load of bookings on the whole system while its parts fail, then rest, then the verdict."""

import asyncio
import functools
import random
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local_stack.installation import OnProcesses
from tests.faults.drill.bookings import Order, Orders, Organization, live, organization
from tests.faults.drill.client import Client, client
from tests.faults.drill.crash_points import CrashPoints
from tests.faults.drill.disturbances import Disturbances
from tests.faults.drill.ledger import Ledger
from tests.faults.drill.processes import Processes
from tests.faults.drill.report import Report
from tests.faults.drill.rest import Rest
from tests.faults.drill.schedule import WHOLE, Schedule
from tests.faults.drill.stage import Stage, aside, staged
from tests.support.eventually import eventually

_BOOKINGS_AN_ORGANIZATION = 45
_MOST_OF_AN_ORGANIZATION = 60
"""With their moves and cancels, and what faults have done twice, these stay below the host's changes of a day."""
_ORGANIZATIONS_FOR_THE_LAST = 4
"""Until the last fault is met, on a slow machine for minutes, more is booked than was asked for."""
_AT_ONCE = 24
_SAYS_EVERY = 3.0
_LONGEST_LOAD = 900.0
_PAUSE_OF_THE_LAST = 0.5


@dataclass(frozen=True)
class Size:
    """How much there is to be of a drill; `rest_within` is in seconds."""

    seed: int
    bookings: int
    faults: int
    points: Sequence[str] | None = None
    rest_within: float = 420.0


async def drill(size: Size, folder: Path) -> Report:
    """Return what came of it. Raises ProcessError where the system does not even start."""
    ledger, chance = Ledger(folder / "drill.log"), random.Random(size.seed)  # noqa: S311 - chance, not secrecy
    ledger.show(f"seed {size.seed}, commit {commit()}, everything is kept in {folder}")
    async with staged(folder) as stage, client(stage.clients_urls) as customers:
        ledger.show("the system runs: " + await aside(stage.described))
        processes = Processes(stage, ledger, random.Random(chance.random()))  # noqa: S311
        try:
            return await _Run(size, stage, ledger, customers, processes, chance).whole()
        finally:
            processes.end()


@dataclass
class _Run:
    size: Size
    stage: Stage
    ledger: Ledger
    client: Client
    processes: Processes
    chance: random.Random
    is_filled_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def whole(self) -> Report:
        began = time.monotonic()
        organizations = await self._organizations()
        orders = Orders(organizations, self.client)
        points = CrashPoints(self.stage, self.processes, orders, self.ledger)
        schedule = self._schedule(points)
        names = list(points.all()) if self.size.points is None else list(self.size.points)
        load = asyncio.create_task(self._load(orders))
        saying = asyncio.create_task(self._say(orders))
        try:
            await schedule.run(self.size.faults, names)
            await schedule.fill_up(self.size.faults, names)
            self.is_filled_up.set()
            self.ledger.show("all faults are over: everything is to come to rest")
            await self.stage.heal()
            await self.processes.all_back()
            unanswered = await self._answered([load, *points.begun])
        finally:
            saying.cancel()
            load.cancel()
        rest = Rest(self.stage, self.ledger, self.client, organizations, orders.made)
        verdict, evidence = await rest.reached(within=self.size.rest_within)
        return Report(
            seed=self.size.seed,
            commit=commit(),
            folder=self.stage.folder,
            orders=orders.made,
            client=self.client,
            ledger=self.ledger,
            verdict=verdict,
            evidence=evidence,
            unanswered=unanswered,
            audit=await rest.audit(),
            seconds=time.monotonic() - began,
            wanted=self.size.faults,
            required_kinds=schedule.required if self.size.faults >= WHOLE else set(),
            required_points=set(names),
        )

    def _schedule(self, points: CrashPoints) -> Schedule:
        disturbances = Disturbances(self.stage, self.ledger, random.Random(self.chance.random()))  # noqa: S311
        return Schedule(self.processes, disturbances, points, self.ledger, random.Random(self.chance.random()))  # noqa: S311

    async def _organizations(self) -> list[Organization]:
        await aside(lambda: self.stage.zoom.switch(refresh_grace=True))
        count = self.size.bookings // _BOOKINGS_AN_ORGANIZATION + 1 + _ORGANIZATIONS_FOR_THE_LAST
        at_once = asyncio.Semaphore(4)

        async def one(number: int) -> Organization:
            async with at_once:
                made = await aside(organization, OnProcesses(self.stage.system), self.stage.zoom, f"org{number}")
                self.ledger.show(f"{made.name} has connected Zoom")
                return made

        return await asyncio.gather(*(one(number) for number in range(count)))

    async def _load(self, orders: Orders) -> list[BaseException]:
        """Make all bookings, no faster than faults go by, so that each is met by some; then some more for the last."""
        at_once, chance = asyncio.Semaphore(_AT_ONCE), random.Random(self.chance.random())  # noqa: S311
        failures: list[BaseException] = []

        async def one(order: Order) -> None:
            async with at_once:
                try:
                    await live(order, chance)
                except Exception as failure:  # noqa: BLE001 - counted and shown
                    self.ledger.note(f"{order.name}: {failure!r}")
                    failures.append(failure)

        async with asyncio.TaskGroup() as group:
            for number in range(self.size.bookings):
                await eventually(functools.partial(self._may_begin, number), within=_LONGEST_LOAD)
                group.create_task(one(orders.new()))
                await asyncio.sleep(0)
            while not self.is_filled_up.is_set():
                if len(orders.made) < len(orders.organizations) * _MOST_OF_AN_ORGANIZATION:
                    group.create_task(one(orders.new()))
                await asyncio.sleep(_PAUSE_OF_THE_LAST)
        return failures

    def _may_begin(self, number: int) -> bool:
        met = sum(self.ledger.faults.values()) / max(self.size.faults, 1)
        return number / self.size.bookings <= met + 0.03

    async def _answered(self, tasks: Sequence[asyncio.Task[object]]) -> list[str]:
        """Return what was never answered, or refused, of all that was asked."""
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        found = [each for answer in answers for each in (answer if isinstance(answer, list) else [answer])]
        return [repr(each) for each in found if isinstance(each, BaseException)]

    async def _say(self, orders: Orders) -> None:
        while True:
            await asyncio.sleep(_SAYS_EVERY)
            acknowledged = sum(bool(order.booking) for order in orders.made)
            self.ledger.show(
                f"{acknowledged} of {self.size.bookings} bookings, {sum(self.ledger.faults.values())} faults of "
                f"{len(self.ledger.faults)} kinds, {len(self.ledger.points)} crash points, "
                f"{len(self.stage.sink.taken)} mails"
            )


def commit() -> str:
    """Return the commit of the code, with a plus where it has changes."""
    found = subprocess.run(["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=False)  # noqa: S607
    return found.stdout.strip() or "unknown"
