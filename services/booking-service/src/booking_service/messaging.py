"""What the service listens to, and how an entry of a session's outbox becomes events."""

from collections.abc import Sequence
from typing import Any

from booking_service.addresses import Addresses
from booking_service.domain.session import Seat, Session
from booking_service.handlers.meetings import MeetingHandlers
from booking_service.handlers.notifications import NotificationHandlers
from booking_service.handlers.zoom import ZoomHandlers
from booking_service.mongo.session_documents import SessionDocuments
from convoke import contracts
from convoke.contracts import (
    BookingCanceled,
    BookingCreated,
    BookingRescheduled,
    MeetingCanceled,
    MeetingFailed,
    MeetingReady,
    NotificationFailed,
    NotificationSent,
    PrivacyErased,
    PrivacyErasureRequested,
    ZoomConnected,
    ZoomDisconnected,
    ZoomSettingsChanged,
)
from convoke.contracts.topology import (
    BOOKING_SERVICE_MEETINGS,
    BOOKING_SERVICE_NOTIFICATIONS,
    BOOKING_SERVICE_PRIVACY,
    BOOKING_SERVICE_ZOOM,
)
from convoke.messaging.cloudevents import Event
from convoke.messaging.consumer import Handler, Subscription
from convoke.messaging.outbox import Expand
from convoke.mongo import Document

SOURCE = "/booking-service"

_CHANGES = (BookingCreated, BookingRescheduled, BookingCanceled)
_CLASSES = {event.event_type: event for event in _CHANGES}
PUBLISHED = (*_CHANGES, PrivacyErased)


def subscriptions(
    meetings: MeetingHandlers, notifications: NotificationHandlers, zoom: ZoomHandlers
) -> list[Subscription]:
    return [
        Subscription(
            BOOKING_SERVICE_MEETINGS,
            {
                MeetingReady: meetings.show_link_on_meeting_ready,
                MeetingFailed: meetings.show_reason_on_meeting_failed,
                MeetingCanceled: meetings.drop_link_on_meeting_canceled,
            },
        ),
        Subscription(
            BOOKING_SERVICE_NOTIFICATIONS,
            {
                NotificationSent: notifications.note_mail_on_notification_sent,
                NotificationFailed: notifications.note_mail_on_notification_failed,
            },
        ),
        Subscription(
            BOOKING_SERVICE_ZOOM,
            {
                ZoomConnected: zoom.remember_connection,
                ZoomDisconnected: zoom.remember_connection,
                ZoomSettingsChanged: zoom.remember_connection,
            },
        ),
    ]


def privacy(erase_share: Handler) -> Subscription:
    return Subscription(BOOKING_SERVICE_PRIVACY, {PrivacyErasureRequested: erase_share})


def expander(documents: SessionDocuments, addresses: Addresses) -> Expand:
    """Return what makes the events of an outbox entry: one per seat, with the session as it is now."""

    def expand(document: Document, entry: Document) -> Sequence[Event[Any]]:
        session = documents.session(document)
        return [_event(session, seat, entry, addresses) for seat in session.seats]

    return expand


def _event(session: Session, seat: Seat, entry: Document, addresses: Addresses) -> Event[Any]:
    told = {name: entry[name] for name in ("previous_starts_at", "reason") if entry.get(name) is not None}
    data = _CLASSES[entry["type"]](booking=_booking(seat, addresses), session=_session(session), **told)
    return Event(
        id=entry["id"] if len(session.seats) == 1 else f"{entry['id']}.{seat.id}",
        source=SOURCE,
        subject=seat.id,
        time=entry["time"],
        organization_id=session.organization_id,
        data=data,
        traceparent=entry["traceparent"],
    )


def _booking(seat: Seat, addresses: Addresses) -> contracts.Booking:
    return contracts.Booking(
        id=seat.id,
        revision=seat.revision,
        status=seat.status,
        invitee=contracts.Invitee(**vars(seat.invitee)),
        join_address=addresses.join(seat),
        manage_address=addresses.manage(seat),
    )


def _session(session: Session) -> contracts.Session:
    event_type = session.event_type
    return contracts.Session(
        id=session.id,
        revision=session.revision,
        status=session.status,
        organization_id=session.organization_id,
        event_type_id=event_type.id,
        title=event_type.title,
        description=event_type.description,
        starts_at=session.starts_at,
        ends_at=session.ends_at,
        timezone=session.host.timezone,
        host=contracts.Host(**vars(session.host)),
        location=contracts.Location(**vars(event_type.location)),
        capacity=session.capacity,
        seats_taken=session.seats_taken,
        zoom=contracts.ZoomOptions(**vars(event_type.zoom)),
    )
