"""Every queue of the four services, in one table. Each service declares all of it before it publishes."""

from dataclasses import dataclass

from convoke.contracts.bookings import BookingCanceled, BookingCreated, BookingRescheduled, BookingUpdated
from convoke.contracts.meetings import MeetingCanceled, MeetingFailed, MeetingReady
from convoke.contracts.notifications import NotificationFailed, NotificationSent
from convoke.contracts.privacy import PrivacyErased, PrivacyErasureRequested
from convoke.contracts.wire import EventData
from convoke.contracts.zoom import ZoomConnected, ZoomDisconnected, ZoomMeetingChanged, ZoomSettingsChanged

EXCHANGE = "convoke"
DEAD_LETTER_EXCHANGE = "convoke.dead"


@dataclass(frozen=True)
class Stream:
    """A quorum queue `<service>.<stream>` and the events that it is bound to."""

    queue: str
    events: tuple[type[EventData], ...]

    @property
    def dead_letter_queue(self) -> str:
        return f"{self.queue}.dead"


MEETING_SERVICE_BOOKINGS = Stream(
    "meeting-service.bookings", (BookingCreated, BookingRescheduled, BookingUpdated, BookingCanceled)
)
MEETING_SERVICE_ZOOM = Stream(
    "meeting-service.zoom", (ZoomConnected, ZoomDisconnected, ZoomSettingsChanged, ZoomMeetingChanged)
)
BOOKING_SERVICE_MEETINGS = Stream("booking-service.meetings", (MeetingReady, MeetingFailed, MeetingCanceled))
BOOKING_SERVICE_NOTIFICATIONS = Stream("booking-service.notifications", (NotificationSent, NotificationFailed))
BOOKING_SERVICE_ZOOM = Stream("booking-service.zoom", (ZoomConnected, ZoomDisconnected, ZoomSettingsChanged))
NOTIFIER_BOOKINGS = Stream("notifier.bookings", (BookingCreated, BookingRescheduled, BookingUpdated, BookingCanceled))
NOTIFIER_MEETINGS = Stream("notifier.meetings", (MeetingReady,))
NOTIFIER_ZOOM = Stream("notifier.zoom", (ZoomConnected, ZoomDisconnected, ZoomSettingsChanged))
AUTH_SERVICE_PRIVACY = Stream("auth-service.privacy", (PrivacyErased,))
BOOKING_SERVICE_PRIVACY = Stream("booking-service.privacy", (PrivacyErasureRequested,))
MEETING_SERVICE_PRIVACY = Stream("meeting-service.privacy", (PrivacyErasureRequested,))
NOTIFIER_PRIVACY = Stream("notifier.privacy", (PrivacyErasureRequested,))

TOPOLOGY = (
    MEETING_SERVICE_BOOKINGS,
    MEETING_SERVICE_ZOOM,
    BOOKING_SERVICE_MEETINGS,
    BOOKING_SERVICE_NOTIFICATIONS,
    BOOKING_SERVICE_ZOOM,
    NOTIFIER_BOOKINGS,
    NOTIFIER_MEETINGS,
    NOTIFIER_ZOOM,
    AUTH_SERVICE_PRIVACY,
    BOOKING_SERVICE_PRIVACY,
    MEETING_SERVICE_PRIVACY,
    NOTIFIER_PRIVACY,
)


def streams_of(service: str) -> tuple[Stream, ...]:
    """Return the streams that a service consumes: those whose queues are named after it."""
    return tuple(stream for stream in TOPOLOGY if stream.queue.startswith(f"{service}."))
