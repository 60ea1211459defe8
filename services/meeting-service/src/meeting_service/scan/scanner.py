"""Makes a scan that is due: lists, compares, and has mended what is ours to mend."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import uniform

from structlog.stdlib import BoundLogger, get_logger

from convoke.clock import Clock
from convoke.due_work import Claim
from meeting_service.auth import CACHED_FOR
from meeting_service.domain.at_zoom import Condemned
from meeting_service.domain.differences import Difference, Listed, differences, sessions_of
from meeting_service.domain.marker import MarkerKey
from meeting_service.domain.reasons import WAITS_FOR_PEOPLE
from meeting_service.mongo.meetings import Meetings
from meeting_service.mongo.nudges import Nudges
from meeting_service.ports import Access, AccessTokens, InDoubt, MeetingGone, Refused, TokenRefused, Zoom
from meeting_service.scan.scans import (
    AGAIN_AFTER_FAILURE,
    EVERY,
    EVERY_WHILE_NEAR,
    Result,
    Scans,
    ZoomUser,
    user_of,
)

log: BoundLogger = get_logger(__name__)

LEASE = timedelta(minutes=5)
WITHIN = 240.0
"""Seconds for a whole scan; a page token of Zoom's lives 15 minutes."""

NEAR = timedelta(days=1)


class _AnotherUser(Refused):
    """Another Zoom user is connected now, and cannot list what the first one has."""

    def __init__(self, zoom_user_id: str) -> None:
        super().__init__("zoom_reauthorization_required", "another Zoom user is connected now")
        self.zoom_user_id = zoom_user_id


@dataclass(frozen=True)
class Scanner:
    """`scan` is what a Worker calls."""

    scans: Scans
    meetings: Meetings
    nudges: Nudges
    zoom: Zoom
    tokens: AccessTokens
    marker_key: MarkerKey
    clock: Clock

    async def scan(self, claim: Claim) -> None:
        """Compare a Zoom user's list, have the differences mended, and store what was found."""
        user = user_of(claim.document)
        result = await self.compare(user)
        for difference in result.differences:
            await self.mend(user, difference)
        if result.another_user:
            await self._have_replaced(user, result.another_user)
        await self.scans.finish(claim, result, await self._next_at(user, result))
        tell = log.warning if result.differences or result.failure else log.info
        tell(
            "scan.done",
            connection=user.connection_id,
            listed=result.listed,
            sessions=result.compared,
            differences=len(result.differences),
            failure=result.failure,
        )

    async def compare(self, user: ZoomUser) -> Result:
        """Return what differs now; changes nothing."""
        now = self.clock()
        try:
            async with asyncio.timeout(WITHIN):
                return await self._compare(user, now)
        except _AnotherUser as refusal:
            return Result(now, failure=refusal.detail, waits_for_people=True, another_user=refusal.zoom_user_id)
        except Refused as refusal:
            return Result(now, failure=refusal.detail, waits_for_people=refusal.code in WAITS_FOR_PEOPLE)
        except (InDoubt, TokenRefused, TimeoutError) as error:
            return Result(now, failure=str(error) or type(error).__name__)

    async def mend(self, user: ZoomUser, difference: Difference) -> None:
        """Have a session's reconciler do what mends a difference, where anything does without an operator's word."""
        match difference.kind:
            case "twin":
                await self.condemn(user, difference)
            case "missing" | "changed":
                await self.nudges.look_again_at(difference.session_id, self.clock())
            case "unclaimed" | "orphan" | "flagged" | "to_delete" | "in_doubt":
                pass

    async def condemn(self, user: ZoomUser, difference: Difference) -> None:
        """Have a session's reconciler delete what is not the session's own; first it makes one that is wanted."""
        condemned = Condemned(difference.zoom_meeting_id, user.connection_id, user.zoom_user_id)
        await self.meetings.condemn(difference.session_id, condemned, self.clock())

    async def delete(self, user: ZoomUser, zoom_meeting_id: int) -> None:
        """Delete a meeting that no session knows: only on an operator's word. Raises what the Zoom port raises."""
        with contextlib.suppress(MeetingGone):
            await self.zoom.delete(await self._access(user), zoom_meeting_id)

    async def _have_replaced(self, former: ZoomUser, zoom_user_id: str) -> None:
        """Make up for a zoom.connected.v1 that never came: what the former user made is to be made anew."""
        now = self.clock()
        at = now + timedelta(seconds=CACHED_FOR)
        await self.nudges.look_for_other_users(former.connection_id, zoom_user_id, now, at)

    async def _compare(self, user: ZoomUser, now: datetime) -> Result:
        before = await self.meetings.made_through(user.connection_id, user.zoom_user_id, now)
        listed = await self._list(user)
        after = await self.meetings.states({*before, *sessions_of(listed, self.marker_key)})
        found = differences(listed, before, after, self.marker_key, now)
        return Result(now, len(listed), len(before), tuple(found))

    async def _list(self, user: ZoomUser) -> Sequence[Listed]:
        access = await self._access(user)
        try:
            return [Listed(meeting.id, meeting.seen) async for meeting in self.zoom.scheduled(access)]
        except TokenRefused:
            fresh = await self.tokens.replace_refused(user.organization_id, access)
            return [Listed(meeting.id, meeting.seen) async for meeting in self.zoom.scheduled(fresh)]

    async def _access(self, user: ZoomUser) -> Access:
        access = await self.tokens.to_change(user.organization_id, user.connection_id)
        if access.zoom_user_id != user.zoom_user_id:
            raise _AnotherUser(access.zoom_user_id)
        return access

    async def _next_at(self, user: ZoomUser, result: Result) -> datetime:
        now = self.clock()
        if result.failure:
            return now + (EVERY if result.waits_for_people else AGAIN_AFTER_FAILURE)
        near = await self.meetings.has_ahead(user.connection_id, user.zoom_user_id, now, now + NEAR)
        every: timedelta = EVERY_WHILE_NEAR if near else EVERY
        return now + every * uniform(0.9, 1.1)  # noqa: S311 - spreads the scans, keeps no secret
