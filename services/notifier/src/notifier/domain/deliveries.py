"""Who is owed which mail: decided from what each side was told before, never from an event's name."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from convoke.contracts.notifications import NotificationKind, Recipient
from notifier.domain.snapshot import Snapshot

State = Literal["waiting", "sending", "sent", "failed", "superseded", "in_doubt", "too_late"]
"""What became of a mail.

waiting: not accepted for certain, will be sent again · sending: stored before DATA, may have left, will be sent
again · sent: accepted · failed: refused for good · superseded: never left, and overtaken by a newer revision ·
in_doubt: may have left, and then overtaken, refused or too late · too_late: the session was over.
"""

CalendarMethod = Literal["REQUEST", "CANCEL"]

OPEN = frozenset[State]({"waiting", "sending"})
MAY_HAVE_LEFT = frozenset[State]({"sending", "sent", "in_doubt"})
REASON_WITHIN = timedelta(seconds=2)
"""How long a new time waits for the reason given for it, where `meeting.ready` came before the booking's own event."""

RECIPIENTS: tuple[Recipient, ...] = ("host", "invitee")


@dataclass(frozen=True)
class Delivery:
    """One mail to one side, exactly one per (booking revision, meeting revision, kind, recipient).

    `starts_at`, `ends_at` and `way_in` (a digest) are what it tells; `mime` is the mail itself, encrypted, from
    the moment before it is first sent until it is accepted.
    """

    id: str
    booking_revision: int
    meeting_revision: int
    kind: NotificationKind
    recipient: Recipient
    calendar_method: CalendarMethod | None
    sequence: int
    starts_at: datetime
    ends_at: datetime
    way_in: str
    state: State
    changed_at: datetime
    reason: str | None = None
    mime: str | None = None

    @property
    def span(self) -> tuple[datetime, datetime]:
        return self.starts_at, self.ends_at

    def tells(self, snapshot: Snapshot) -> bool:
        """Whether the mail still says what there is to say."""
        return (self.kind == "cancellation") == snapshot.is_canceled and (
            snapshot.is_canceled or (self.span, self.way_in) == (snapshot.span, snapshot.way_in_fingerprint)
        )


@dataclass(frozen=True)
class Correspondence:
    """Everything about the mails of one booking. `sequence` is the next SEQUENCE of its calendar entry."""

    booking_id: str
    organization_id: str
    snapshot: Snapshot
    deliveries: tuple[Delivery, ...] = ()
    sequence: int = 0
    attempts: int = 0
    traceparent: str | None = None

    def told(self, recipient: Recipient) -> Delivery | None:
        """Return the last mail that this side has, or may have."""
        return _last(self.deliveries, recipient, MAY_HAVE_LEFT)


def kind_owed(snapshot: Snapshot, told: Delivery | None) -> NotificationKind | None:
    """Return which mail a side is owed that was last told `told`; None where it knows everything."""
    if not snapshot.is_complete:
        return None
    if snapshot.is_canceled:
        return None if told and told.kind == "cancellation" else "cancellation"
    if told is None or told.kind == "cancellation":
        return "confirmation"
    if told.span != snapshot.span:
        return "rescheduled"
    return "link_changed" if told.way_in != snapshot.way_in_fingerprint else None


def owed(correspondence: Correspondence, now: datetime) -> tuple[Delivery, ...]:
    """Return the mails to send now: those under way that still hold, and the new ones."""
    found = (_owed_to(recipient, correspondence, now) for recipient in RECIPIENTS)
    return tuple(delivery for delivery in found if delivery)


def due_at(correspondence: Correspondence, now: datetime) -> datetime | None:
    """Return when the mails that are owed shall leave; None where none are."""
    kinds = {mail.kind for mail in owed(correspondence, now)}
    snapshot = correspondence.snapshot
    awaits_reason = "rescheduled" in kinds and snapshot.heard_at < snapshot.booking.revision
    return now + REASON_WITHIN * awaits_reason if kinds else None


def without_overtaken(correspondence: Correspondence, now: datetime) -> Correspondence:
    """Drop the mails under way that a newer revision has made untrue."""

    def settled(delivery: Delivery) -> Delivery:
        if delivery.state not in OPEN or delivery.tells(correspondence.snapshot):
            return delivery
        state: State = "in_doubt" if delivery.state == "sending" else "superseded"
        return replace(delivery, state=state, changed_at=now, mime=None)

    return replace(correspondence, deliveries=tuple(map(settled, correspondence.deliveries)))


def still_in_doubt(repeated: Delivery) -> Delivery:
    """Return what became of a mail that may have left before it was tried again: only a new yes is certain."""
    doubtful: dict[State, State] = {"waiting": "sending", "failed": "in_doubt"}
    return replace(repeated, state=doubtful.get(repeated.state, repeated.state))


def with_deliveries(correspondence: Correspondence, changed: Sequence[Delivery]) -> Correspondence:
    """Put deliveries into their place, the new ones last; a new calendar mail raises the sequence."""
    by_id = {delivery.id: delivery for delivery in correspondence.deliveries}
    new_sequences = [
        delivery.sequence + 1 for delivery in changed if delivery.id not in by_id and delivery.calendar_method
    ]
    return replace(
        correspondence,
        deliveries=tuple((by_id | {delivery.id: delivery for delivery in changed}).values()),
        sequence=max([correspondence.sequence, *new_sequences]),
    )


def _owed_to(recipient: Recipient, correspondence: Correspondence, now: datetime) -> Delivery | None:
    under_way = _last(correspondence.deliveries, recipient, OPEN)
    if under_way and under_way.tells(correspondence.snapshot):
        return under_way
    told = correspondence.told(recipient)
    kind = kind_owed(correspondence.snapshot, told)
    if kind is None:
        return None
    planned = _planned(correspondence, kind, recipient, told, now)
    return None if any(delivery.id == planned.id for delivery in correspondence.deliveries) else planned


def _calendar_method(kind: NotificationKind, told: Delivery | None) -> CalendarMethod | None:
    if kind != "cancellation":
        return "REQUEST"
    # A CANCEL without an earlier REQUEST is not valid (RFC 5546, 3.2.5) and puzzles calendars.
    return "CANCEL" if told else None


def _planned(
    correspondence: Correspondence,
    kind: NotificationKind,
    recipient: Recipient,
    told: Delivery | None,
    now: datetime,
) -> Delivery:
    snapshot = correspondence.snapshot
    # What is canceled is the time that its reader knows, not one that was wanted since and never told.
    span = told.span if told and kind == "cancellation" else snapshot.span
    booking_revision, meeting_revision = snapshot.booking.revision, snapshot.meeting_revision
    key = (correspondence.booking_id, str(booking_revision), str(meeting_revision), kind, recipient)
    return Delivery(
        id=hashlib.sha256("\n".join(key).encode()).hexdigest()[:40],
        booking_revision=booking_revision,
        meeting_revision=meeting_revision,
        kind=kind,
        recipient=recipient,
        calendar_method=_calendar_method(kind, told),
        sequence=correspondence.sequence,
        starts_at=span[0],
        ends_at=span[1],
        way_in=snapshot.way_in_fingerprint,
        state="waiting",
        changed_at=now,
    )


def _last(deliveries: Sequence[Delivery], recipient: Recipient, states: frozenset[State]) -> Delivery | None:
    return next(
        (found for found in reversed(deliveries) if found.recipient == recipient and found.state in states), None
    )
