"""Which faults come when: chosen by the seed, in lanes that run beside each other while bookings are made."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from local_stack.addresses import SERVICES
from tests.faults.drill.crash_points import CrashPoints
from tests.faults.drill.disturbances import Disturbances
from tests.faults.drill.ledger import Ledger
from tests.faults.drill.processes import Processes
from tests.faults.drill.smtp_sink import Misdeed

Act = Callable[[], Awaitable[object]]

PAUSE_SECONDS = (0.1, 1.2)


@dataclass
class Schedule:
    """The lanes: processes and crash points, links, and what lies in wait at Zoom and at the mail server."""

    processes: Processes
    disturbances: Disturbances
    points: CrashPoints
    ledger: Ledger
    chance: random.Random
    kinds: dict[str, list[tuple[str, Act]]] = field(init=False)

    def __post_init__(self) -> None:
        self.kinds = {"processes": self._of_processes(), "links": self._of_links(), "outside": self._of_outside()}

    @property
    def required(self) -> set[str]:
        """The kinds of faults of which a whole drill must meet one each."""
        return {name for lane in self.kinds.values() for name, _ in lane} | {FROZEN}

    async def run(self, faults: int, points: Sequence[str]) -> None:
        """Return when about so many faults and all these crash points were tried."""
        deaths = list(self.points.all())
        crashing = [(name, self._crash(name)) for name in deaths if name in points]
        shares = {"processes": faults // 3, "links": faults // 4, "outside": faults // 2}
        lanes = [self._lane(self._chosen(lane, count)) for lane, count in shares.items() if lane != "processes"]
        mixed = self._chosen("processes", shares["processes"]) + crashing
        self.chance.shuffle(mixed)
        freezing = self._lane([(FROZEN, self._freeze(service)) for service in SERVICES] if faults >= WHOLE else [])
        await asyncio.gather(*lanes, self._lane(mixed), freezing)

    async def fill_up(self, faults: int, points: Sequence[str]) -> None:
        """Try again what was never met, then anything until there are enough; bounded."""
        await self._lane([(name, self._crash(name)) for name in points if not self.ledger.points[name]])
        if faults >= WHOLE:
            everything = [(name, act) for lane in self.kinds.values() for name, act in lane]
            await self._lane([(name, act) for name, act in everything if not self.ledger.faults[name]])
        for _ in range(faults):
            if sum(self.ledger.faults.values()) >= faults:
                return
            await self._lane(self._chosen("links", 1))

    async def _lane(self, acts: Sequence[tuple[str, Act]]) -> None:
        for name, act in acts:
            try:
                await act()
            except Exception as failure:  # noqa: BLE001 - the drill goes on, and says what it could not do
                self.ledger.miss(name, repr(failure))
            await asyncio.sleep(self.chance.uniform(*PAUSE_SECONDS))

    def _chosen(self, lane: str, count: int) -> list[tuple[str, Act]]:
        """Return each kind of a lane once, and more by chance, in an order of chance."""
        kinds = self.kinds[lane]
        each_once = self.chance.sample(kinds, min(count, len(kinds)))
        return each_once + self.chance.choices(kinds, k=max(0, count - len(kinds)))

    def _crash(self, name: str) -> Act:
        return lambda: self.points.bring_about(name)

    def _freeze(self, service: str) -> Act:
        return lambda: self.processes.freeze(service)

    def _of_processes(self) -> list[tuple[str, Act]]:
        def kill(service: str) -> Act:
            return lambda: self.processes.kill_one(service)

        kills = [(f"SIGKILL of {service}", kill(service)) for service in SERVICES]
        return [
            *kills,
            ("SIGTERM of a service", lambda: self.processes.restart(self.chance.choice(list(SERVICES)))),
            ("SIGKILL of a broker node", self.processes.kill_broker_node),
            ("SIGKILL of the primary", self.processes.kill_primary),
            ("step-down of the primary", self.processes.step_down),
        ]

    def _of_links(self) -> list[tuple[str, Act]]:
        of = self.disturbances
        return [
            ("connections reset", of.cut),
            ("black hole", of.black_hole),
            ("half-open connections", of.half_open),
            ("delayed link", of.slow_link),
            ("throttled link", of.narrow_link),
        ]

    def _of_outside(self) -> list[tuple[str, Act]]:
        of = self.disturbances
        return [
            ("answer lost by Zoom", of.zoom_loses_answers),
            ("late commit at Zoom", of.zoom_commits_late),
            ("429 per second", of.zoom_limits),
            ("5xx by Zoom", of.zoom_fails),
            ("5xx by Zoom after the deed", of.zoom_fails_after_the_deed),
            ("Zoom closes connections", of.zoom_is_down),
            ("slow Zoom", of.zoom_is_slow),
            ("answer of a token rotation lost", of.zoom_loses_rotated_tokens),
            ("webhook sent again", of.webhook_comes_twice),
            ("webhooks late and in reverse", of.webhooks_come_late),
            ("host edits the meeting", of.host_edits_the_meeting),
            ("host deletes the meeting", of.host_deletes_the_meeting),
            *((f"mail: {misdeed}", of.mail(misdeed)) for misdeed in Misdeed),
        ]


FROZEN = "SIGSTOP longer than a lease"
WHOLE = 100
"""As many faults make a whole drill, in which every kind and every crash point has to be met."""
