"""Step after step under one claim, and what becomes of a step that fails."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import random

from structlog.contextvars import bound_contextvars
from structlog.stdlib import BoundLogger, get_logger

from convoke.clock import Clock
from convoke.contracts.meetings import FailureCode
from convoke.due_work import Claim
from convoke.messaging.outbox import Outbox
from meeting_service.domain.announcements import announce
from meeting_service.domain.marker import MarkerKey
from meeting_service.domain.meeting import (
    DOUBT_LASTS,
    SessionMeeting,
)
from meeting_service.domain.reasons import WAITS_FOR_PEOPLE, Cause, code_of, reason
from meeting_service.domain.steps import Delete, Look, Resolve, Rest, Step, Withdraw, next_step
from meeting_service.mongo.meetings import LeaseLost, Meetings
from meeting_service.ports import AccessTokens, AnotherUser, InDoubt, Refused, TokenRefused, Zoom
from meeting_service.reconcile.carry_out import Steps
from meeting_service.reconcile.work import Work
from meeting_service.scan.scans import Scans, ZoomUser

log: BoundLogger = get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=1)
LOOK_AT_PARKED_AFTER = timedelta(hours=1)
"""A parked session waits for a nudge; this is for the nudge that never came."""

ASK_PEOPLE_AFTER = 5
"""Failures in a row, about half a minute, after which refused tokens are a matter for the connection's owner."""

UNTOLD_WAIT = timedelta(seconds=10)
"""What waits for its turn at Zoom no longer than that is nobody's news."""

ENDED: frozenset[FailureCode] = frozenset({"zoom_not_connected", "zoom_reauthorization_required"})
"""What a connection that is left comes to: nothing more can be deleted through it."""

MOST_STEPS = 10
"""Steps under one claim; more would be a loop, and waits for the lease to end."""


@dataclass(frozen=True)
class Reconciler:
    """Works on one claimed session at a time; `reconcile` is what a Worker calls."""

    meetings: Meetings
    scans: Scans
    zoom: Zoom
    tokens: AccessTokens
    marker_key: MarkerKey
    outbox: Outbox
    clock: Clock

    @property
    def steps(self) -> Steps:
        return Steps(self.meetings, self.scans, self.zoom, self.tokens, self.marker_key, self.clock)

    async def reconcile(self, claim: Claim) -> None:
        """Take steps until there is nothing to do before a later time, then give the lease back."""
        with bound_contextvars(session_id=claim.document["_id"]):
            work = Work(self.meetings, self.clock, claim, self.meetings.read(claim.document))
            try:
                await self._work_on(work)
            except LeaseLost:
                log.warning("lease.lost", has_sent=work.has_sent)
                if work.has_sent:
                    await self._own_up(work)

    async def _own_up(self, work: Work) -> None:
        if work.access:
            user = ZoomUser(work.organization_id, work.access.connection_id, work.access.zoom_user_id)
            await self.scans.sweep_after_doubt(user, self.clock())
        await self.meetings.own_up(work.state.session.id, work.made, self.clock())

    async def _work_on(self, work: Work) -> None:
        for _ in range(MOST_STEPS):
            step = self._next_step(work.state)
            if not isinstance(step, Rest):
                await self._take(work, step)
            if await self._store(work):
                return
        log.error("reconcile.no_rest", steps=MOST_STEPS)

    def _next_step(self, state: SessionMeeting) -> Step:
        return next_step(state, self.marker_key, self.clock())

    async def _store(self, work: Work) -> bool:
        """Store the state and what is to be told of it; tells whether the lease was given back for a rest."""
        told, announcement = announce(work.state, self.marker_key)
        following = self._next_step(told)
        now = self.clock()
        if isinstance(following, Rest):
            rested = await self.meetings.save_and_rest(work.claim, told, announcement, now, following.until)
            if rested:
                self.outbox.publish_soon(rested)
                return True
        await work.keep(told.woken(), announcement)
        self.outbox.publish_soon(work.claim.document)
        return False

    async def _take(self, work: Work, step: Step) -> None:
        try:
            await self._with_one_fresh_token(work, step)
        except Refused as refusal:
            self._refused(work, step, refusal)
        except AnotherUser:
            self._out_of_reach(work, step)
        except InDoubt as doubt:
            # An unanswered request may still take effect: nothing may overtake it.
            self._failed(work, step, "zoom_unavailable", str(doubt), self.clock() + DOUBT_LASTS)
        else:
            log.info("meeting.step_taken", step=type(step).__name__.lower())

    async def _with_one_fresh_token(self, work: Work, step: Step) -> None:
        try:
            await self.steps.carry_out(work, step)
        except TokenRefused as refusal:
            if work.token_was_replaced or work.access is None:
                raise Refused(_cause_of_two(work.state.failures), "Zoom refused two tokens in a row") from refusal
            await self.tokens.replace_refused(work.organization_id, work.access)
            work.token_was_replaced = True

    def _out_of_reach(self, work: Work, step: Step) -> None:
        """Go on without what another Zoom user made; what is to be deleted waits for that user to return."""
        log.info("meeting.out_of_reach", step=type(step).__name__.lower())
        match step:
            case Delete(condemned):
                work.state = work.state.delayed(condemned.id, self.clock() + LOOK_AT_PARKED_AFTER)
            case Resolve():
                work.state = work.state.forsaken()
            case Look() if work.state.session.starts_at <= self.clock():  # who is in it stays in it
                work.state = work.state.look_later(work.state.session.ends_at)
            case _:
                work.state = work.state.abandoned()

    def _refused(self, work: Work, step: Step, refusal: Refused) -> None:
        until = refusal.retry_at
        if refusal.cause == "zoom_paced" and until and until - self.clock() <= UNTOLD_WAIT:
            log.info("meeting.step_put_off", step=type(step).__name__.lower(), retry_at=until.isoformat())
            work.state = work.state.put_off(until)
        else:
            self._failed(work, step, refusal.cause, refusal.detail, until)

    def _failed(self, work: Work, step: Step, cause: Cause, detail: str, retry_at: datetime | None) -> None:
        until = retry_at or self.clock() + _pause(code_of(cause), work.state.failures)
        log.warning(
            "meeting.step_failed", step=type(step).__name__.lower(), reason_code=cause, retry_at=until.isoformat()
        )
        if isinstance(step, Delete):  # nobody waits for it: the session's meeting is another one
            work.state = work.state.delayed(step.condemned.id, until)
        elif isinstance(step, Look):
            work.state = work.state.look_later(until)
        elif isinstance(step, Withdraw) and work.state.is_left:  # its connection is being left: nobody waits for it
            is_over = code_of(cause) in ENDED
            work.state = work.state.stays() if is_over else work.state.leave_later(until)
        else:
            work.state = work.state.failed(reason(cause, detail, until), until)


def _cause_of_two(failures: int) -> Cause:
    """Return what two refused tokens in a row mean after that many failures.

    At first only that another replica, or a reconnect, has just overtaken both: auth-service knows the newest one.
    """
    return "zoom_unavailable" if failures < ASK_PEOPLE_AFTER else "zoom_reauthorization_required"


def _pause(code: FailureCode, failures: int) -> timedelta:
    if code in WAITS_FOR_PEOPLE:
        return LOOK_AT_PARKED_AFTER
    doubled: timedelta = min(FIRST_PAUSE * 2 ** min(failures, 10), LONGEST_PAUSE)
    return doubled * (0.5 + random())  # noqa: S311 - spreads the retries, keeps no secret
