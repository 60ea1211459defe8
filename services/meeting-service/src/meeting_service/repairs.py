"""Planning what is owed to Zoom, and having it done now: the plan is counted from the same states that are nudged."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from convoke.clock import Clock
from meeting_service.auth import CACHED_FOR
from meeting_service.domain.marker import MarkerKey
from meeting_service.domain.repairs import Repair, RepairPlan, plan_of, repair_of
from meeting_service.mongo.meetings import Meetings
from meeting_service.mongo.nudges import Nudges
from meeting_service.ports import Connected

AT_ONCE = 1_000
"""Sessions that are named in one write."""

FORMER_USER_FORGOTTEN_IN = timedelta(seconds=CACHED_FOR)
"""Until then a replica may go on with a token of the Zoom user who was connected before, and find nothing amiss."""


@dataclass(frozen=True)
class Scope:
    """An organization, or one of its hosts."""

    organization_id: str
    host_id: str | None = None


@dataclass(frozen=True)
class Begun:
    """What was planned, and how many sessions were made due for it; `included` of these are earlier bookings."""

    plan: RepairPlan
    nudged: int
    included: int


class Repairs:
    """`wake` makes the worker look at once; where there is none in this process, those of the service look by turns."""

    def __init__(
        self,
        meetings: Meetings,
        nudges: Nudges,
        connected: Connected,
        marker_key: MarkerKey,
        *,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._meetings = meetings
        self._nudges = nudges
        self._connected = connected
        self._marker_key = marker_key
        self._clock = clock
        self._wake = wake

    async def plan(self, scope: Scope) -> RepairPlan:
        """Return what would be done; nothing is changed. Raises Refused where auth-service does not answer."""
        return plan_of(await self._owed(scope))

    async def run(self, scope: Scope, *, include_earlier: bool) -> Begun:
        """Make due now what is owed, with the earlier bookings if these are included; safe to repeat.

        What is parked for something else than its connection is left to that. Raises Refused like `plan`.
        """
        owed = await self._owed(scope)
        earlier = [repair for repair in owed if repair.is_on_request and include_earlier]
        due = [repair for repair in owed if repair.is_due]
        for some in _in_batches(earlier):
            await self._nudges.include(some)
        for some in _in_batches([repair for repair in due if "leave_meeting" in repair.deeds]):
            await self._nudges.look_later(some, self._clock() + FORMER_USER_FORGOTTEN_IN)
        nudged = 0
        for some in _in_batches([*due, *earlier]):
            nudged += await self._nudges.make_due(some, self._clock())
        self._wake()
        return Begun(plan_of(owed), nudged, len(earlier))

    async def _owed(self, scope: Scope) -> list[Repair]:
        connections = await self._connected.of(scope.organization_id)
        now = self._clock()
        states = self._meetings.unsettled(scope.organization_id, scope.host_id, now)
        repairs = [repair_of(state, connections, self._marker_key, now) async for state in states]
        return [repair for repair in repairs if repair]


def _in_batches(repairs: Sequence[Repair]) -> Iterable[list[str]]:
    ids = [repair.session_id for repair in repairs]
    return (ids[first : first + AT_ONCE] for first in range(0, len(ids), AT_ONCE))
