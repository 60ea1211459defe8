"""The audit: all sessions ahead against Zoom's lists, as one number with its reasons."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from structlog.stdlib import BoundLogger, get_logger

from meeting_service.domain.differences import Difference
from meeting_service.mongo.meetings import Meetings
from meeting_service.ports import InDoubt, Refused, TokenRefused
from meeting_service.scan.scanner import Scanner
from meeting_service.scan.scans import Result, Scans, ZoomUser

log: BoundLogger = get_logger(__name__)


@dataclass(frozen=True)
class Finding:
    """What was found for a Zoom user, or, without one, of sessions that have no meeting; each text is a difference."""

    of: str
    listed: int
    compared: int
    differences: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """Compares; with `repair` it also has mended what it finds, which the running service then does."""

    scanner: Scanner
    scans: Scans
    meetings: Meetings

    async def run(self, organization_id: str | None, *, repair: bool = False) -> AsyncIterator[Finding]:
        """Yield a finding for each Zoom user, and one for the sessions that wait; then log their number."""
        number = 0
        for user, _ in await self.scans.results(organization_id):
            result = await self.scanner.compare(user)
            if repair:
                await self._repair(user, result)
            finding = _finding(user, result)
            number += len(finding.differences)
            yield finding
        waiting = await self.meetings.waiting(organization_id, self.scanner.clock())
        texts = tuple(f"session {session_id} has no meeting as wanted: {why}" for session_id, why in waiting)
        yield Finding("sessions that wait", 0, len(waiting), texts)
        log.info("audit.done", differences=number + len(texts))

    async def _repair(self, user: ZoomUser, result: Result) -> None:
        for difference in result.differences:
            match difference.kind:
                case "orphan":
                    await self._delete_orphan(user, difference)
                case "unclaimed":
                    await self.scanner.condemn(user, difference)
                case _:
                    await self.scanner.mend(user, difference)

    async def _delete_orphan(self, user: ZoomUser, orphan: Difference) -> None:
        try:
            await self.scanner.delete(user, orphan.zoom_meeting_id)
        except (Refused, InDoubt, TokenRefused):  # it is found again by the next audit
            return


def _finding(user: ZoomUser, result: Result) -> Finding:
    texts = [difference.words for difference in result.differences]
    if result.failure:
        texts.append(f"could not be compared: {result.failure}")
    of = f"Zoom user {user.zoom_user_id}, connection {user.connection_id}"
    return Finding(of, result.listed, result.compared, tuple(texts))
