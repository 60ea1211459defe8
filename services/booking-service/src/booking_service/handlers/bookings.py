"""Book, move and cancel: each is one write that carries its event, its line in the timeline and its answer."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime

from structlog.stdlib import BoundLogger, get_logger

from booking_service.domain.answers import Answer, Request
from booking_service.domain.catalog import EventType, Host
from booking_service.domain.refusals import (
    AlreadySo,
    BookingNotFound,
    OutboxIsFull,
    Refused,
    TooManyInvitations,
    TooMuchAtOnce,
    UnknownEventType,
    UnknownHost,
)
from booking_service.domain.session import Invitee, Seat, Session, check_start
from booking_service.domain.timeline import TimelineEntry, What
from booking_service.mongo.catalog import Catalog
from booking_service.mongo.sessions import Record, Sessions, Stored
from convoke.clock import Clock
from convoke.contracts import BookingCanceled, BookingCreated, BookingRescheduled
from convoke.ids import new_id, new_token
from convoke.messaging.outbox import Outbox, entry
from convoke.mongo import Document
from convoke.rate_limits import RateLimit

log: BoundLogger = get_logger(__name__)

ATTEMPTS = 10
"""Times that a change is tried on a session which others keep changing."""

AnswerFor = Callable[[Session, Seat], Answer]
"""Words an answer about a booking; it is stored with the change, to be given again."""


@dataclass(frozen=True)
class Order:
    """What somebody wants to book."""

    event_type_id: str
    host_id: str
    starts_at: datetime
    invitee: Invitee


@dataclass(frozen=True)
class Change:
    """A session as it should become, the event that tells of it, and the line for its timeline."""

    session: Session
    event: Document
    entry: TimelineEntry


LOGGED: dict[What, str] = {"rescheduled": "booking.rescheduled", "canceled": "booking.canceled"}

Transition = Callable[[Session, datetime], Change]


class Bookings:
    """The bookings of all organizations. Every refusal is one of booking_service.domain.refusals."""

    def __init__(
        self,
        sessions: Sessions,
        hosts: Catalog[Host],
        event_types: Catalog[EventType],
        outbox: Outbox,
        clock: Clock,
        *,
        invitations: RateLimit,
    ) -> None:
        self._sessions = sessions
        self._hosts = hosts
        self._event_types = event_types
        self._outbox = outbox
        self._invitations = invitations
        self._clock = clock

    async def book(self, order: Order, request: Request, answer_for: AnswerFor) -> Answer:
        """Book, or return the first answer where the same request came before. Raises Refused."""
        try:
            return await self._book(order, request, answer_for)
        except Refused:
            # Asked only now: a request that succeeds at once has no need of the look.
            first = await self._sessions.answers.first(request)
            if first is None:
                raise
            return first

    async def reschedule(
        self, booking_id: str, starts_at: datetime, reason: str | None, request: Request, answer_for: AnswerFor
    ) -> Answer:
        """Move a booking; a booking that is at that time already is answered as it is. Raises Refused."""

        def move(session: Session, now: datetime) -> Change:
            previous = session.starts_at
            event = entry(BookingRescheduled, now, previous_starts_at=previous, reason=reason)
            detail = _with_reason(f"from {_utc(previous)} to {_utc(starts_at)}", reason)
            return Change(session.rescheduled(starts_at, now), event, TimelineEntry(now, "rescheduled", detail))

        return await self._change(booking_id, move, request, answer_for)

    async def cancel(self, booking_id: str, reason: str | None, request: Request, answer_for: AnswerFor) -> Answer:
        """Cancel a booking; one that is cancelled already is answered as it is. Raises Refused."""

        def cancel(session: Session, now: datetime) -> Change:
            event = entry(BookingCanceled, now, reason=reason)
            detail = _with_reason(f"it was to start at {_utc(session.starts_at)}", reason)
            return Change(session.canceled(now), event, TimelineEntry(now, "canceled", detail))

        return await self._change(booking_id, cancel, request, answer_for)

    async def _book(self, order: Order, request: Request, answer_for: AnswerFor) -> Answer:
        now = self._clock()
        check_start(order.starts_at, now)
        session = await self._new_session(order, request.organization_id)
        seat = session.seats[0]
        answer = answer_for(session, seat)
        booked = TimelineEntry(now, "booked", f"for {_utc(session.starts_at)}")
        record = Record(entry(BookingCreated, now), booked, request, answer)
        with self._counted(session, seat):
            document = await self._sessions.add(session, record)
        log.info("booking.created", **_ids(session, seat))
        self._outbox.publish_soon(document)
        return answer

    async def _new_session(self, order: Order, organization_id: str) -> Session:
        host = await self._hosts.get(organization_id, order.host_id)
        if host is None:
            raise UnknownHost(f"there is no host '{order.host_id}'")
        event_type = await self._event_types.get(organization_id, order.event_type_id)
        if event_type is None:
            raise UnknownEventType(f"there is no event type '{order.event_type_id}'")
        seat = Seat(new_id("bkg"), 1, "confirmed", order.invitee, new_token(), new_token())
        return Session(
            id=new_id("ses"),
            organization_id=organization_id,
            revision=1,
            status="scheduled",
            event_type=event_type,
            host=host,
            starts_at=order.starts_at,
            seats=(seat,),
        )

    async def _change(self, booking_id: str, transition: Transition, request: Request, answer_for: AnswerFor) -> Answer:
        for _ in range(ATTEMPTS):
            stored = await self._sessions.find(request.organization_id, booking_id)
            if stored is None:
                raise BookingNotFound(f"there is no booking '{booking_id}'")
            answer = self._sessions.answers.first_in(stored.document, request) or await self._try(
                stored, booking_id, transition, request, answer_for
            )
            if answer is not None:
                return answer
        raise TooMuchAtOnce("others keep changing this booking")

    async def _try(
        self, stored: Stored, booking_id: str, transition: Transition, request: Request, answer_for: AnswerFor
    ) -> Answer | None:
        """Return the answer, or None where others were faster."""
        now, session = self._clock(), stored.session
        try:
            change = transition(session, now)
        except AlreadySo:
            answer = answer_for(session, session.seat(booking_id))
            return answer if await self._sessions.remember(session, request, answer, now) else None
        if stored.outbox_is_full:
            raise OutboxIsFull("its events have not reached the broker for a while")
        seat = change.session.seat(booking_id)
        answer = answer_for(change.session, seat)
        record = Record(change.event, change.entry, request, answer)
        with self._counted(session, seat) if change.entry.what == "rescheduled" else nullcontext():
            document = await self._sessions.change(session, change.session, record)
        if document is None:
            return None
        log.info(LOGGED[change.entry.what], **_ids(change.session, seat))
        self._outbox.publish_soon(document)
        return answer

    @contextmanager
    def _counted(self, session: Session, seat: Seat) -> Iterator[None]:
        """Count a mail that a change sends to its invitee. Raises TooManyInvitations."""
        whom = f"{session.organization_id} {seat.invitee.email.lower()}"
        if wait := self._invitations.take(whom):
            raise TooManyInvitations("this address has got very many invitations within the hour", math.ceil(wait))
        try:
            yield
        except BaseException:
            self._invitations.give_back(whom)
            raise


def _ids(session: Session, seat: Seat) -> dict[str, str | int]:
    return {
        "organization_id": session.organization_id,
        "booking": seat.id,
        "session": session.id,
        "host": session.host.id,
        "revision": seat.revision,
    }


def _with_reason(detail: str, reason: str | None) -> str:
    return f"{detail}: {reason}" if reason else detail


def _utc(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
