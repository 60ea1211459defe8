"""meeting.*.v1: what meeting-service says of the Zoom meeting of a session, one event per seat."""

from typing import ClassVar, Literal

from pydantic import BaseModel

from convoke.contracts.bookings import Booking, Session
from convoke.contracts.wire import WIRE, Instant

FailureCode = Literal[
    "zoom_not_connected",
    "zoom_paused",
    "zoom_reauthorization_required",
    "zoom_scope_missing",
    "zoom_host_not_allowed",
    "zoom_daily_limit",
    "zoom_rate_limited",
    "zoom_unavailable",
    "zoom_not_unique",
    "zoom_rejected",
]


class DialIn(BaseModel):
    model_config = WIRE
    country: str
    number: str
    type: str


class ChangedInZoom(BaseModel):
    """What somebody changed inside Zoom, where the event type wants it flagged; the booking's own data still hold."""

    model_config = WIRE
    topic: str
    starts_at: Instant | None = None
    duration_minutes: int | None = None


class Meeting(BaseModel):
    """The way in. `revision` grows with every change of the meeting record, also within one booking revision.

    `connected_at` is when the connection that made it was connected, as auth-service says; None is not known any more.
    """

    model_config = WIRE
    provider: Literal["zoom"] = "zoom"
    id: int
    join_url: str
    passcode: str | None = None
    dial_in: tuple[DialIn, ...] = ()
    host_email: str
    generation: int
    revision: int
    changed_in_zoom: ChangedInZoom | None = None
    connected_at: Instant | None = None


class FailureReason(BaseModel):
    """Why there is no meeting (yet), for a host to read, and what to do next."""

    model_config = WIRE
    code: FailureCode
    title: str
    detail: str
    action: str
    retry_at: Instant | None = None


class CanceledMeeting(BaseModel):
    model_config = WIRE
    id: int | None = None
    generation: int
    revision: int


class MeetingReady(BaseModel):
    model_config = WIRE
    event_type: ClassVar[str] = "meeting.ready.v1"
    booking: Booking
    session: Session
    change: Literal["created", "rescheduled", "unchanged", "replaced"]
    meeting: Meeting


class MeetingFailed(BaseModel):
    """`meeting` is there where an older link still holds; `meeting_revision` orders this among the meeting's events."""

    model_config = WIRE
    event_type: ClassVar[str] = "meeting.failed.v1"
    booking: Booking
    session: Session
    reason: FailureReason
    meeting_revision: int
    meeting: Meeting | None = None


class MeetingCanceled(BaseModel):
    model_config = WIRE
    event_type: ClassVar[str] = "meeting.canceled.v1"
    booking: Booking
    session: Session
    meeting: CanceledMeeting
