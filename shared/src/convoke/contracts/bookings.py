"""booking.*.v1: what booking-service says of a session and of one seat in it."""

from typing import ClassVar, Literal

from pydantic import BaseModel

from convoke.contracts.wire import WIRE, Id, Instant, Zone


class Invitee(BaseModel):
    model_config = WIRE
    name: str
    email: str
    timezone: Zone
    locale: str


class Host(BaseModel):
    model_config = WIRE
    id: Id
    name: str
    email: str
    timezone: Zone
    locale: str


class Location(BaseModel):
    """Where a session takes place; `detail` is the number, the address or the link of the kinds that are not Zoom."""

    model_config = WIRE
    kind: Literal["zoom", "phone", "in_person", "link"]
    detail: str | None = None


class ZoomOptions(BaseModel):
    """Settings that the host chose for the meeting; what is absent stays as the host's Zoom account has it.

    `when_changed` says what becomes of a time or a topic that somebody changed inside Zoom.
    """

    model_config = WIRE
    waiting_room: bool | None = None
    join_before_host: bool | None = None
    alternative_hosts: tuple[str, ...] = ()
    when_changed: Literal["restore", "flag"] = "restore"


class Session(BaseModel):
    """The unit that owns a Zoom meeting. `revision` grows with every change to it or to any seat."""

    model_config = WIRE
    id: Id
    revision: int
    status: Literal["scheduled", "canceled"]
    organization_id: Id
    event_type_id: Id
    title: str
    description: str
    starts_at: Instant
    ends_at: Instant
    timezone: Zone
    host: Host
    location: Location
    capacity: int
    seats_taken: int
    wanted_generation: int = 1
    manual_link: str | None = None
    zoom: ZoomOptions = ZoomOptions()
    reminders_minutes: tuple[int, ...] = ()


class Booking(BaseModel):
    """One seat. `revision` grows with the seat's own changes and with every change of its session."""

    model_config = WIRE
    id: Id
    revision: int
    status: Literal["confirmed", "canceled"]
    invitee: Invitee
    join_address: str
    manage_address: str


class BookingCreated(BaseModel):
    model_config = WIRE
    event_type: ClassVar[str] = "booking.created.v1"
    booking: Booking
    session: Session


class BookingRescheduled(BaseModel):
    model_config = WIRE
    event_type: ClassVar[str] = "booking.rescheduled.v1"
    booking: Booking
    session: Session
    previous_starts_at: Instant | None = None
    reason: str | None = None


class BookingUpdated(BaseModel):
    model_config = WIRE
    event_type: ClassVar[str] = "booking.updated.v1"
    booking: Booking
    session: Session


class BookingCanceled(BaseModel):
    model_config = WIRE
    event_type: ClassVar[str] = "booking.canceled.v1"
    booking: Booking
    session: Session
    reason: str | None = None
