"""The one probe of an outage, and what follows when Zoom answers it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from structlog.stdlib import BoundLogger, get_logger

from convoke.clock import Clock
from convoke.due_work import Claim
from meeting_service.domain.meeting import DOUBT_LASTS
from meeting_service.mongo.nudges import Nudges
from meeting_service.ports import Access, InDoubt, MeetingGone, Refused, TokenRefused, Zoom
from meeting_service.zoom.errors import NotReached
from meeting_service.zoom.outages import Outages, pause

log: BoundLogger = get_logger(__name__)

LEASE = timedelta(seconds=20)
"""Longer than a call to Zoom (zoom.client.WITHIN)."""

NO_MEETING = 1
"""Zoom's meeting ids have nine digits and more."""

RETURN_A_SECOND = 20
"""Sessions that are tried again in a second once Zoom is back."""

RETURN_AT_ONCE = 5


@dataclass(frozen=True)
class Prober:
    """`probe` is what a Worker calls. `zoom` is not behind the breaker; `last_access` is the breaker's.

    `wake` has whoever works on sessions look at once.
    """

    zoom: Zoom
    outages: Outages
    last_access: Mapping[str, Access]
    nudges: Nudges
    wake: Callable[[], None]
    clock: Clock

    async def probe(self, claim: Claim) -> None:
        """Ask Zoom for a meeting that cannot exist: whatever it says shows that it is up, and changes nothing."""
        access = self.last_access.get(claim.document["_id"])
        probes = claim.document["probes"]
        if access is None:  # this replica was started since; the next calls show how Zoom is
            await self.outages.end(claim)
        elif await self._answers(access):
            await self._ended(claim)
        else:
            await self.outages.put_off(claim, self.clock() + pause(probes + 1), probes + 1)

    async def _answers(self, access: Access) -> bool:
        try:
            await self.zoom.get(access, NO_MEETING)
        except (NotReached, InDoubt):
            return False
        except (Refused, TokenRefused, MeetingGone):
            return True
        return True

    async def _ended(self, claim: Claim) -> None:
        """Let calls pass again, and have what waits tried soon, though not all at once."""
        if not await self.outages.end(claim):
            return
        now = self.clock()
        resumed = await self._resume(now)
        log.warning("zoom.outage_ended", seconds=(now - claim.document["began_at"]).total_seconds(), resumed=resumed)

    async def _resume(self, now: datetime) -> int:
        # What is in doubt itself waits no longer than its doubt lasts, and comes by itself.
        beyond = now + DOUBT_LASTS
        waiting = await self.nudges.failed_until("zoom_unavailable", beyond)
        for first in range(0, len(waiting), RETURN_AT_ONCE):
            at = now + timedelta(seconds=first / RETURN_A_SECOND)
            await self.nudges.resume(waiting[first : first + RETURN_AT_ONCE], beyond, at)
        self.wake()
        return len(waiting)
