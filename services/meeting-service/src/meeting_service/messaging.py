"""Which event of which queue is taken by which handler, and what is published."""

from collections.abc import Sequence

from convoke.contracts import (
    BookingCanceled,
    BookingCreated,
    BookingRescheduled,
    BookingUpdated,
    MeetingCanceled,
    MeetingFailed,
    MeetingReady,
    PrivacyErased,
    PrivacyErasureRequested,
    ZoomConnected,
    ZoomDisconnected,
    ZoomMeetingChanged,
    ZoomSettingsChanged,
)
from convoke.contracts.topology import MEETING_SERVICE_BOOKINGS, MEETING_SERVICE_PRIVACY, MEETING_SERVICE_ZOOM
from convoke.messaging.consumer import Handler, Subscription
from meeting_service.handlers import Handlers

PUBLISHED = (MeetingReady, MeetingFailed, MeetingCanceled, PrivacyErased)


def subscriptions(handlers: Handlers) -> Sequence[Subscription]:
    return [
        Subscription(
            MEETING_SERVICE_BOOKINGS,
            {
                BookingCreated: handlers.desire_meeting,
                BookingRescheduled: handlers.desire_meeting,
                BookingUpdated: handlers.desire_meeting,
                BookingCanceled: handlers.desire_meeting,
            },
        ),
        Subscription(
            MEETING_SERVICE_ZOOM,
            {
                ZoomConnected: handlers.resume_on_zoom_connected,
                ZoomDisconnected: handlers.drop_tokens,
                ZoomSettingsChanged: handlers.resume_on_zoom_settings_changed,
                ZoomMeetingChanged: handlers.look_on_zoom_meeting_changed,
            },
        ),
    ]


def privacy(erase_share: Handler) -> Subscription:
    return Subscription(MEETING_SERVICE_PRIVACY, {PrivacyErasureRequested: erase_share})
