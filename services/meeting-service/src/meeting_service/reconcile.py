"""The reconciler: takes the next step from what is at Zoom towards what is wanted, until there is none.

Everything that a crash could make us forget is stored before it is done, under a lease that is checked again
before each result is stored.
"""

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import random

from structlog.contextvars import bound_contextvars
from structlog.stdlib import BoundLogger, get_logger

from convoke.clock import Clock
from convoke.contracts.meetings import FailureCode
from convoke.due_work import Claim
from convoke.messaging.outbox import Outbox
from meeting_service.domain.announcements import Announcement, announce
from meeting_service.domain.body import Body, has_start_of
from meeting_service.domain.marker import MarkerKey, Reference
from meeting_service.domain.meeting import (
    DOUBT_LASTS,
    WAITS_FOR_PEOPLE,
    Condemned,
    Intent,
    MeetingAtZoom,
    SessionMeeting,
)
from meeting_service.domain.reasons import reason
from meeting_service.domain.steps import Create, Delete, Resolve, Rest, Step, Update, Withdraw, next_step
from meeting_service.mongo import LeaseLost, Meetings
from meeting_service.ports import Access, AccessTokens, FoundMeeting, InDoubt, MeetingGone, Refused, TokenRefused, Zoom

log: BoundLogger = get_logger(__name__)

LEASE = timedelta(seconds=20)
"""Longer than one call to Zoom; every stored state renews it, and none is called with too little of it left."""

CALL_BUDGET = timedelta(seconds=12)
"""What has to be left of the lease before a call to Zoom (zoom.client.WITHIN, and some for a busy machine)."""

INTENT_STORED_WITHIN = timedelta(seconds=2)
"""An intent that took longer to store is not carried out: its time in doubt would end too early."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=1)
LOOK_AT_PARKED_AFTER = timedelta(hours=1)
"""A parked session waits for a nudge; this is for the nudge that never came."""

MOST_STEPS = 10
"""Steps under one claim; more would be a loop, and waits for the lease to end."""


@dataclass
class _Work:
    """A session in hand: the claim on it, its newest state, and the access that was used last."""

    claim: Claim
    state: SessionMeeting
    access: Access | None = None
    token_was_replaced: bool = False
    has_sent: bool = False
    """Something that changes Zoom was sent, and what came of it is not stored yet."""
    made: Condemned | None = None
    """The meeting that was made so, if it is known."""

    @property
    def organization_id(self) -> str:
        return self.state.session.organization_id


@dataclass(frozen=True)
class Reconciler:
    """Works on one claimed session at a time; `reconcile` is what a Worker calls."""

    meetings: Meetings
    zoom: Zoom
    tokens: AccessTokens
    marker_key: MarkerKey
    outbox: Outbox
    clock: Clock

    async def reconcile(self, claim: Claim) -> None:
        """Take steps until there is nothing to do before a later time, then give the lease back."""
        with bound_contextvars(session_id=claim.document["_id"]):
            work = _Work(claim, self.meetings.read(claim.document))
            try:
                await self._work_on(work)
            except LeaseLost:
                log.warning("lease.lost", has_sent=work.has_sent)
                if work.has_sent:
                    await self.meetings.own_up(work.state.session.id, work.made, self.clock())

    async def _work_on(self, work: _Work) -> None:
        for _ in range(MOST_STEPS):
            step = self._next_step(work.state)
            if not isinstance(step, Rest):
                await self._take(work, step)
            if await self._store(work):
                return
        log.error("reconcile.no_rest", steps=MOST_STEPS)

    def _next_step(self, state: SessionMeeting) -> Step:
        return next_step(state, self.marker_key, self.clock())

    async def _store(self, work: _Work) -> bool:
        """Store the state and what is to be told of it; tells whether the lease was given back for a rest."""
        told, announcement = announce(work.state, self.marker_key)
        following = self._next_step(told)
        now = self.clock()
        if isinstance(following, Rest):
            rested = await self.meetings.save_and_rest(work.claim, told, announcement, now, following.until)
            if rested:
                self.outbox.publish_soon(rested)
                return True
        await self._keep(work, told.woken(), announcement)
        self.outbox.publish_soon(work.claim.document)
        return False

    async def _keep(self, work: _Work, state: SessionMeeting, announcement: Announcement | None = None) -> None:
        """Store a state under the lease, and go on with what is desired now."""
        now = self.clock()
        work.claim = await self.meetings.save(work.claim, state, announcement, now, now + LEASE)
        work.state = self.meetings.read(work.claim.document)
        work.has_sent, work.made = False, None

    async def _hold(self, work: _Work) -> None:
        """Make sure that the lease outlasts the next call. Raises LeaseLost."""
        if work.claim.until - self.clock() < CALL_BUDGET:
            await self._keep(work, work.state)

    async def _take(self, work: _Work, step: Step) -> None:
        try:
            await self._with_one_fresh_token(work, step)
        except Refused as refusal:
            self._failed(work, step, refusal.code, refusal.detail, refusal.retry_at)
        except InDoubt as doubt:
            # An unanswered request may still take effect: nothing may overtake it.
            self._failed(work, step, "zoom_unavailable", str(doubt), self.clock() + DOUBT_LASTS)
        else:
            log.info("meeting.step_taken", step=type(step).__name__.lower())

    async def _with_one_fresh_token(self, work: _Work, step: Step) -> None:
        try:
            await self._carry_out(work, step)
        except TokenRefused as refusal:
            if work.token_was_replaced or work.access is None:
                raise Refused("zoom_reauthorization_required", "Zoom refused two tokens in a row") from refusal
            await self.tokens.replace_refused(work.organization_id, work.access)
            work.token_was_replaced = True

    async def _carry_out(self, work: _Work, step: Step) -> None:
        match step:
            case Create():
                await self._create(work, step)
            case Resolve(intent):
                await self._resolve(work, intent)
            case Update(meeting, body):
                await self._update(work, meeting, body)
            case Withdraw(meeting):
                await self._delete(work, meeting)
                work.state = work.state.gone()
            case Delete(condemned):
                await self._delete(work, condemned)
                work.state = work.state.without_condemned(condemned.id)

    async def _create(self, work: _Work, step: Create) -> None:
        """Store the intent, then create: whatever happens in between, the mark in the agenda tells of it."""
        work.access = access = await self.tokens.to_make(work.organization_id, work.state.session.host.id)
        began = self.clock()
        intended = work.state.intend(access.connection_id, access.zoom_user_id, step.generation, step.body, began)
        await self._keep(work, intended)
        if self.clock() - began > INTENT_STORED_WITHIN:
            work.state = work.state.not_created()
            return
        work.has_sent = True
        try:
            details = await self.zoom.create(access, step.body)
        except (Refused, TokenRefused):
            work.state = work.state.not_created()
            raise
        work.state = work.state.created(details.id, details.way_in)
        work.made = Condemned(details.id, access.connection_id, access.zoom_user_id)

    async def _resolve(self, work: _Work, intent: Intent) -> None:
        """Look for what a create in doubt made: adopt it, or know that there is nothing."""
        access = await self._access(work, intent)
        found = await self._find(work, access, Reference(work.state.session.id, intent.generation))
        if not found:
            work.state = work.state.not_created()
            return
        oldest, *twins = sorted(found, key=_age)
        await self._hold(work)
        try:
            details = await self.zoom.get(access, oldest.id)
        except MeetingGone:  # deleted since it was listed: looking again tells what is left
            return
        adopted = work.state.created(details.id, details.way_in)
        work.state = adopted.with_twins(tuple(twin.id for twin in twins))
        log.info("meeting.adopted", zoom_meeting_id=oldest.id, twins=len(twins))

    async def _find(self, work: _Work, access: Access, reference: Reference) -> list[FoundMeeting]:
        found = []
        await self._hold(work)
        async for meeting in self.zoom.scheduled(access):
            await self._hold(work)
            if self.marker_key.find(meeting.agenda) == reference:
                found.append(meeting)
        return found

    async def _update(self, work: _Work, meeting: MeetingAtZoom, body: Body) -> None:
        """Push what the booking owns, then pull what Zoom owns: an update answers with nothing."""
        access = await self._access(work, meeting)
        await self._hold(work)
        work.has_sent = True
        try:
            await self.zoom.update(access, meeting.id, body)
            details = await self.zoom.get(access, meeting.id)
        except MeetingGone:
            work.state = work.state.gone()
            return
        if not has_start_of(body, details.starts_at):
            raise Refused("zoom_rejected", "Zoom kept another time: it ignores one that has passed")
        work.state = work.state.updated(body, details.way_in)

    async def _delete(self, work: _Work, meeting: MeetingAtZoom | Condemned) -> None:
        access = await self._access(work, meeting)
        await self._hold(work)
        with contextlib.suppress(MeetingGone):
            await self.zoom.delete(access, meeting.id)

    async def _access(self, work: _Work, made: MeetingAtZoom | Condemned | Intent) -> Access:
        """Return access to what was made; only the Zoom user who made it can see or change it."""
        work.access = access = await self.tokens.to_change(work.organization_id, made.connection_id)
        if access.zoom_user_id != made.zoom_user_id:
            raise Refused("zoom_reauthorization_required", "Another Zoom user is connected now than made the meeting")
        return access

    def _failed(self, work: _Work, step: Step, code: FailureCode, detail: str, retry_at: datetime | None) -> None:
        until = retry_at or self.clock() + _pause(code, work.state.failures)
        log.warning(
            "meeting.step_failed", step=type(step).__name__.lower(), reason_code=code, retry_at=until.isoformat()
        )
        if isinstance(step, Delete):  # nobody waits for it: the session's meeting is another one
            work.state = work.state.delayed(until)
        else:
            work.state = work.state.failed(reason(code, detail, until), until)


def _pause(code: FailureCode, failures: int) -> timedelta:
    if code in WAITS_FOR_PEOPLE:
        return LOOK_AT_PARKED_AFTER
    doubled: timedelta = min(FIRST_PAUSE * 2 ** min(failures, 10), LONGEST_PAUSE)
    return doubled * (0.5 + random())  # noqa: S311 - spreads the retries, keeps no secret


def _age(meeting: FoundMeeting) -> tuple[bool, datetime, int]:
    return meeting.created_at is None, meeting.created_at or datetime.max.replace(tzinfo=UTC), meeting.id
