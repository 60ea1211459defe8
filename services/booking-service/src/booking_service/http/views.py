"""What hosts, event types and bookings look like in an answer."""

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from booking_service.addresses import Addresses
from booking_service.domain.catalog import LocationKind, WhenChanged
from booking_service.domain.session import ChangedInZoom, Meeting, MeetingStatus, Seat, Session
from booking_service.domain.timeline import What
from booking_service.domain.zoom import Shown, ZoomWarning
from convoke.contracts.wire import Instant

FROM_DOMAIN = ConfigDict(frozen=True, from_attributes=True)

Item = TypeVar("Item", bound=BaseModel)


class ListView(BaseModel, Generic[Item]):
    """`next_cursor` leads to the next page and is absent on the last one."""

    model_config = FROM_DOMAIN
    items: list[Item]
    next_cursor: str | None = None


class HostView(BaseModel):
    model_config = FROM_DOMAIN
    id: str
    name: str
    email: str
    timezone: str
    locale: str


class LocationView(BaseModel):
    model_config = FROM_DOMAIN
    kind: LocationKind
    detail: str | None = None


class ZoomOptionsView(BaseModel):
    model_config = FROM_DOMAIN
    waiting_room: bool | None = None
    join_before_host: bool | None = None
    alternative_hosts: tuple[str, ...] = ()
    when_changed: WhenChanged


class ConcernedView(BaseModel):
    """`ids` are the first hundred."""

    model_config = FROM_DOMAIN
    count: int
    ids: tuple[str, ...]


class WarningView(BaseModel):
    """`hosts` is there where it concerns some hosts and not all."""

    code: str
    title: str
    detail: str
    next_step: str
    hosts: ConcernedView | None = None

    @classmethod
    def of(cls, warning: ZoomWarning) -> "WarningView":
        problem = warning.problem
        return cls(
            code=problem.code,
            title=problem.title,
            detail=problem.detail,
            next_step=problem.next_step,
            hosts=warning.hosts and ConcernedView.model_validate(warning.hosts),
        )


class EventTypeView(BaseModel):
    """`warnings`: what keeps bookings from their Zoom meetings, or cuts these short, as far as it is known now."""

    model_config = FROM_DOMAIN
    id: str
    title: str
    description: str
    duration_minutes: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    location: LocationView
    zoom: ZoomOptionsView
    warnings: tuple[WarningView, ...] = ()

    @classmethod
    def of(cls, shown: Shown) -> "EventTypeView":
        view = cls.model_validate(shown.event_type)
        return view.model_copy(update={"warnings": tuple(WarningView.of(warning) for warning in shown.warnings)})


class InviteeView(BaseModel):
    model_config = FROM_DOMAIN
    name: str
    email: str
    timezone: str
    locale: str


class DialInView(BaseModel):
    model_config = FROM_DOMAIN
    country: str
    number: str
    type: str


class ReasonView(BaseModel):
    model_config = FROM_DOMAIN
    code: str
    title: str
    detail: str
    action: str


class ChangedInZoomView(BaseModel):
    """What the meeting says in Zoom; the booking's own data hold."""

    model_config = FROM_DOMAIN
    topic: str
    starts_at: Instant | None = None
    duration_minutes: int | None = None
    action: str = ChangedInZoom.action


class MeetingView(BaseModel):
    """`join_url` is there while a link holds, also while the meeting is being moved to a new time."""

    status: MeetingStatus
    id: int | None = None
    join_url: str | None = None
    passcode: str | None = None
    dial_in: list[DialInView] | None = None
    reason: ReasonView | None = None
    retry_at: Instant | None = None
    changed_in_zoom: ChangedInZoomView | None = None

    @classmethod
    def of(cls, session: Session) -> "MeetingView":
        status, way_in = session.meeting_status, session.way_in
        failed = session.meeting if status == "failed" else Meeting()
        changed = session.changed_in_zoom
        return cls(
            status=status,
            id=way_in and way_in.meeting_id,
            join_url=way_in and way_in.join_url,
            passcode=way_in and way_in.passcode,
            dial_in=[DialInView.model_validate(number) for number in way_in.dial_in] if way_in else None,
            reason=ReasonView(**failed.reason) if failed.reason else None,
            retry_at=failed.retry_at,
            changed_in_zoom=changed and ChangedInZoomView.model_validate(changed),
        )


class BookingView(BaseModel):
    id: str
    session_id: str
    event_type_id: str
    status: Literal["confirmed", "canceled"]
    revision: int
    starts_at: Instant
    ends_at: Instant
    host: HostView
    invitee: InviteeView
    location: LocationView
    join_address: str
    manage_address: str
    meeting: MeetingView

    @classmethod
    def of(cls, session: Session, seat: Seat, addresses: Addresses) -> "BookingView":
        return cls(
            id=seat.id,
            session_id=session.id,
            event_type_id=session.event_type.id,
            status=seat.status,
            revision=seat.revision,
            starts_at=session.starts_at,
            ends_at=session.ends_at,
            host=HostView.model_validate(session.host),
            invitee=InviteeView.model_validate(seat.invitee),
            location=LocationView.model_validate(session.event_type.location),
            join_address=addresses.join(seat),
            manage_address=addresses.manage(seat),
            meeting=MeetingView.of(session),
        )


class TimelineEntryView(BaseModel):
    model_config = FROM_DOMAIN
    at: Instant
    what: What
    detail: str


class TimelineView(BaseModel):
    """Oldest first."""

    items: list[TimelineEntryView]
