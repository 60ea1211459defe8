"""The session: the time of a host that is taken, who takes part, and what is known of its meeting."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from booking_service.domain.catalog import EventType, Host
from booking_service.domain.refusals import (
    AlreadySo,
    BookingHasEnded,
    BookingIsCanceled,
    InThePast,
    OffTheGrid,
    TooFarAhead,
)

STEP = timedelta(minutes=5)
"""The grid that every start, duration and buffer lies on; a host's time is claimed in such steps."""

LONGEST_AHEAD = timedelta(days=3653)

MeetingStatus = Literal["none", "pending", "ready", "failed", "canceled"]


def check_start(starts_at: datetime, now: datetime) -> None:
    """Raise OffTheGrid, InThePast or TooFarAhead where nothing can start at that time."""
    if starts_at.timestamp() % STEP.total_seconds():
        raise OffTheGrid(f"{starts_at.isoformat()} is not on a multiple of five minutes")
    if starts_at <= now:
        raise InThePast(f"{starts_at.isoformat()} is not in the future")
    if starts_at > now + LONGEST_AHEAD:
        raise TooFarAhead(f"{starts_at.isoformat()} is more than ten years ahead")


@dataclass(frozen=True)
class Invitee:
    name: str
    email: str
    timezone: str
    locale: str


@dataclass(frozen=True)
class Seat:
    """One booking. `revision` grows with the seat's own changes and with every change of its session."""

    id: str
    revision: int
    status: Literal["confirmed", "canceled"]
    invitee: Invitee
    join_token: str = field(repr=False)
    manage_token: str = field(repr=False)


@dataclass(frozen=True)
class DialIn:
    country: str
    number: str
    type: str


@dataclass(frozen=True)
class WayIn:
    """How to get into a Zoom meeting, and when Zoom was connected for it; None is not known."""

    meeting_id: int
    join_url: str = field(repr=False)
    passcode: str | None = field(repr=False)
    dial_in: tuple[DialIn, ...]
    connected_at: datetime | None = None


@dataclass(frozen=True)
class ChangedInZoom:
    """What somebody changed inside Zoom, and the event type wants left so; the booking's own data hold."""

    action: ClassVar[str] = "Move the booking to what Zoom says, or change it back in Zoom: the booking's data hold."
    topic: str
    starts_at: datetime | None
    duration_minutes: int | None


@dataclass(frozen=True)
class Meeting:
    """What meeting-service said last, and when: of `session_revision`, in its own `revision`; 0 if nothing yet."""

    outcome: Literal["ready", "failed", "canceled"] | None = None
    revision: int = 0
    session_revision: int = 0
    way_in: WayIn | None = None
    reason: Mapping[str, str] | None = None
    retry_at: datetime | None = None
    changed_in_zoom: ChangedInZoom | None = None
    told_at: datetime | None = None


@dataclass(frozen=True)
class Session:
    """A host's time, with host and event type as they were when it was booked."""

    id: str
    organization_id: str
    revision: int
    status: Literal["scheduled", "canceled"]
    event_type: EventType
    host: Host
    starts_at: datetime
    seats: tuple[Seat, ...]
    capacity: int = 1
    meeting: Meeting = Meeting()

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + self.event_type.duration

    @property
    def seats_taken(self) -> int:
        return sum(seat.status == "confirmed" for seat in self.seats)

    @property
    def meeting_status(self) -> MeetingStatus:
        """Pending until meeting-service has spoken of the session as it is now: no time is told that Zoom lacks."""
        if self.event_type.location.kind != "zoom":
            return "none"
        if self.meeting.outcome is None or self.meeting.session_revision < self.revision:
            return "pending"
        return self.meeting.outcome

    @property
    def way_in(self) -> WayIn | None:
        """The link that may be shown, also while a newer time is still on its way to Zoom."""
        return self.meeting.way_in if self.status == "scheduled" else None

    @property
    def changed_in_zoom(self) -> ChangedInZoom | None:
        """What differs in Zoom; a newer booking overwrites it there."""
        return self.meeting.changed_in_zoom if self.meeting_status in {"ready", "failed"} else None

    def claims(self) -> list[str]:
        """Return one entry for each five minutes of the host's time that this session takes, buffers included."""
        begin = self.starts_at - timedelta(minutes=self.event_type.buffer_before_minutes)
        end = self.ends_at + timedelta(minutes=self.event_type.buffer_after_minutes)
        return [f"{self.host.id}/{step}" for step in range(_step(begin), _step(end))]

    def seat(self, booking_id: str) -> Seat:
        return next(seat for seat in self.seats if seat.id == booking_id)

    def rescheduled(self, starts_at: datetime, now: datetime) -> "Session":
        """Return the session at its new time. Raises a refusal, or AlreadySo where it already is at that time."""
        if self.status == "canceled":
            raise BookingIsCanceled("a cancelled booking cannot be moved")
        self._must_not_have_ended(now)
        if starts_at == self.starts_at:
            raise AlreadySo
        check_start(starts_at, now)
        return replace(self, revision=self.revision + 1, starts_at=starts_at, seats=self._touched_seats())

    def canceled(self, now: datetime) -> "Session":
        """Return the session cancelled with its seats. Raises BookingHasEnded, or AlreadySo where it is cancelled."""
        if self.status == "canceled":
            raise AlreadySo
        self._must_not_have_ended(now)
        seats = tuple(replace(seat, status="canceled") for seat in self._touched_seats())
        return replace(self, revision=self.revision + 1, status="canceled", seats=seats)

    def _touched_seats(self) -> tuple[Seat, ...]:
        return tuple(replace(seat, revision=seat.revision + 1) for seat in self.seats)

    def _must_not_have_ended(self, now: datetime) -> None:
        if self.ends_at <= now:
            raise BookingHasEnded(f"it ended at {self.ends_at.isoformat()}")


def _step(instant: datetime) -> int:
    return int(instant.timestamp()) // int(STEP.total_seconds())
