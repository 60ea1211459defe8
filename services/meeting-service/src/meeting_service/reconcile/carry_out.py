"""Each step, carried out at Zoom: what it finds or does there becomes the state of the work in hand."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from structlog.stdlib import BoundLogger, get_logger

from convoke.clock import Clock
from meeting_service.domain.at_zoom import Condemned, Decision, Intent, MeetingAtZoom, Seen
from meeting_service.domain.body import Body, has_start_of, start_of, starts_as
from meeting_service.domain.marker import MarkerKey, Reference
from meeting_service.domain.meeting import CLOCKS_DIFFER_BY
from meeting_service.domain.steps import Create, Delete, Look, Resolve, Rest, Step, Update, Withdraw
from meeting_service.mongo.meetings import Meetings
from meeting_service.ports import (
    Access,
    AccessTokens,
    AnotherUser,
    FoundMeeting,
    MeetingDetails,
    MeetingGone,
    Refused,
    TokenRefused,
    Zoom,
)
from meeting_service.reconcile.work import Work
from meeting_service.scan.scans import Scans, ZoomUser

log: BoundLogger = get_logger(__name__)

INTENT_STORED_WITHIN = timedelta(seconds=2)
"""An intent that took longer to store is not carried out: its time in doubt would end too early."""


@dataclass(frozen=True)
class Steps:
    """Every step may raise Refused, TokenRefused, InDoubt, AnotherUser and LeaseLost."""

    meetings: Meetings
    scans: Scans
    zoom: Zoom
    tokens: AccessTokens
    marker_key: MarkerKey
    clock: Clock

    async def carry_out(self, work: Work, step: Step) -> None:
        match step:
            case Create():
                await self._create(work, step)
            case Resolve(intent):
                await self._resolve(work, intent)
            case Update(meeting, body):
                await self._update(work, meeting, body)
            case Look(meeting):
                await self._look(work, meeting)
            case Withdraw(meeting):
                await self._withdraw(work, meeting)
            case Delete(condemned):
                await self._delete(work, await self._access(work, condemned), condemned.id)
                work.state = work.state.without_condemned(condemned.id)
            case Rest():
                pass

    async def _create(self, work: Work, step: Create) -> None:
        """Store the intent, then create: whatever happens in between, the mark in the agenda tells of it."""
        work.access = access = await self.tokens.to_make(work.organization_id, work.state.session.host.id)
        since = access.connected_since
        if not work.state.is_owed_by_itself(since):
            raise Refused("booked_before_zoom", f"Zoom was first connected on {since:%d %b %Y, %H:%M} UTC")
        whose = access.connection_id, access.zoom_user_id
        await self.scans.expect(_user(work, *whose), self.clock())
        began = self.clock()
        connected_at = access.connected_at
        intended = work.state.intend(*whose, step.generation, step.body, began, connected_at=connected_at)
        await work.keep(intended)
        if self.clock() - began > INTENT_STORED_WITHIN:
            work.state = work.state.not_created()
            return
        work.has_sent = True
        try:
            details = await self.zoom.create(access, step.body)
        except (Refused, TokenRefused):
            work.state = work.state.not_created()
            raise
        work.state = work.state.created(details.id, details.way_in, details.seen)
        work.made = Condemned(details.id, *whose, connected_at)

    async def _resolve(self, work: Work, intent: Intent) -> None:
        """Look for what a create in doubt made: adopt it, or know that there is nothing."""
        # Stored before it is resolved: what is not there yet may still come.
        user = _user(work, intent.connection_id, intent.zoom_user_id)
        await self.scans.sweep_after_doubt(user, self.clock())
        access = await self._access_to_resolve(work, intent)
        found = await self._find(work, access, intent)
        if not found:
            work.state = work.state.not_created()
            return
        oldest, *twins = sorted(found, key=_age)
        await work.hold()
        try:
            details = await self.zoom.get(access, oldest.id)
        except MeetingGone:  # deleted since it was listed: looking again tells what is left
            return
        adopted = work.state.adopted(details.id, details.way_in, details.seen, self.clock())
        work.state = adopted.with_twins(tuple(twin.id for twin in twins))
        log.info("meeting.adopted", zoom_meeting_id=oldest.id, twins=len(twins))

    async def _find(self, work: Work, access: Access, intent: Intent) -> Sequence[FoundMeeting]:
        """Return what carries the intent's mark, else the one meeting that can only be it."""
        marked, alike = [], []
        reference = Reference(work.state.session.id, intent.generation)
        await work.hold()
        async for meeting in self.zoom.scheduled(access):
            await work.hold()
            mark = self.marker_key.find(meeting.seen.agenda)
            if mark == reference:
                marked.append(meeting)
            elif mark is None and _may_come_of(intent, meeting, self.clock()):
                alike.append(meeting)
        return marked or await self._only_one(alike, intent, work.state.decision)

    async def _only_one(
        self, alike: Sequence[FoundMeeting], intent: Intent, decision: Decision | None
    ) -> Sequence[FoundMeeting]:
        """Return it, or nothing; raises Refused where there are several: to guess would give away a stranger's link."""
        taken = await self.meetings.taken([meeting.id for meeting in alike]) if alike else set()
        free = [meeting for meeting in alike if meeting.id not in taken]
        if decision and decision.attempt == intent.attempt:
            decided = [meeting for meeting in free if meeting.id == decision.zoom_meeting_id]
            if decided or decision.zoom_meeting_id is None:
                return decided
        if len(free) > 1:
            ids = ", ".join(str(meeting.id) for meeting in free)
            mark = intent.body["agenda"].partition("\n")[0]
            raise Refused("zoom_not_unique", f"These may be it: {ids}. The mark is {mark}")
        return free

    async def _update(self, work: Work, meeting: MeetingAtZoom, body: Body) -> None:
        """Push what the booking owns, then pull what Zoom owns: an update answers with nothing."""
        access = await self._access(work, meeting)
        try:
            details = await self._push(work, access, meeting.id, body)
            if _was_moved(body, details.seen, self.clock()):  # inside Zoom, before we looked: the booking's time wins
                details = await self._push(work, access, meeting.id, body)
        except MeetingGone:
            work.state = work.state.gone()
            return
        if not _has_start_of(meeting, body, details.seen, self.clock()):
            raise Refused("zoom_rejected", "Zoom kept another time: it ignores one that has passed")
        work.state = work.state.updated(body, details.way_in, details.seen, self.clock())

    async def _push(self, work: Work, access: Access, zoom_id: int, body: Body) -> MeetingDetails:
        """Send a body, and return what Zoom has then."""
        await work.hold()
        work.has_sent = True
        await self.zoom.update(access, zoom_id, body)
        return await self.zoom.get(access, zoom_id)

    async def _look(self, work: Work, meeting: MeetingAtZoom) -> None:
        """See what somebody may have changed inside Zoom."""
        access = await self._access(work, meeting)
        await work.hold()
        try:
            details = await self.zoom.get(access, meeting.id)
        except MeetingGone:
            work.state = work.state.gone()
            return
        work.state = work.state.looked(details.way_in, details.seen, self.clock())

    async def _withdraw(self, work: Work, meeting: MeetingAtZoom) -> None:
        """Delete the session's own, and remember before that it may be gone: somebody may want a meeting again.

        One that is wanted goes only while its connection is being left, and before it has begun.
        """
        if work.state.is_wanted and not work.state.is_ahead(self.clock()):  # who is in it stays in it
            work.state = work.state.stays()
            return
        access = await self._access(work, meeting, is_asked_anew=work.state.is_wanted)
        if work.state.is_wanted and not access.is_left:
            work.state = work.state.stays()
            return
        if meeting.body:
            await work.keep(work.state.about_to_withdraw())
            if work.state.may_stay:
                return
        await self._delete(work, access, meeting.id)
        work.state = work.state.gone()

    async def _delete(self, work: Work, access: Access, zoom_id: int) -> None:
        await work.hold()
        work.has_sent = True
        with contextlib.suppress(MeetingGone):
            await self.zoom.delete(access, zoom_id)

    async def _access_to_resolve(self, work: Work, intent: Intent) -> Access:
        """Return access to what was intended; nobody has any once another connection stands in for an ended one."""
        try:
            return await self._access(work, intent)
        except Refused as refusal:
            if refusal.cause != "zoom_not_connected":
                raise
            maker = await self.tokens.to_make(work.organization_id, work.state.session.host.id)
            if maker.connection_id == intent.connection_id:  # connected again just now
                raise
            raise AnotherUser(intent.zoom_user_id) from refusal

    async def _access(
        self, work: Work, made: MeetingAtZoom | Condemned | Intent, *, is_asked_anew: bool = False
    ) -> Access:
        """Return access to what was made; only the Zoom user who made it can see or change it."""
        ask = self.tokens.to_withdraw if is_asked_anew else self.tokens.to_change
        work.access = access = await ask(work.organization_id, made.connection_id)
        if access.zoom_user_id != made.zoom_user_id:
            raise AnotherUser(made.zoom_user_id)
        return access


def _user(work: Work, connection_id: str, zoom_user_id: str) -> ZoomUser:
    return ZoomUser(work.organization_id, connection_id, zoom_user_id)


def _may_come_of(intent: Intent, meeting: FoundMeeting, now: datetime) -> bool:
    began = intent.started_at - CLOCKS_DIFFER_BY
    return meeting.seen.says(intent.body, now) and meeting.created_at is not None and meeting.created_at >= began


def _was_moved(body: Body, seen: Seen, now: datetime) -> bool:
    """Tell whether Zoom has another start than it was just told: one that is ahead it does not ignore."""
    return not has_start_of(body, seen.starts_at) and start_of(body) > now


def _has_start_of(meeting: MeetingAtZoom, body: Body, seen: Seen, now: datetime) -> bool:
    """Tell whether Zoom has accepted the start of a body; one that is not new may have passed since."""
    is_new = bool(meeting.body) and meeting.body["start_time"] != body["start_time"]
    return has_start_of(body, seen.starts_at) if is_new else starts_as(body, seen.starts_at, now)


def _age(meeting: FoundMeeting) -> tuple[bool, datetime, int]:
    return meeting.created_at is None, meeting.created_at or datetime.max.replace(tzinfo=UTC), meeting.id
