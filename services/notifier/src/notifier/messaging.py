"""Which event goes to which handler, and what is published."""

from convoke.contracts import (
    BookingCanceled,
    BookingCreated,
    BookingRescheduled,
    BookingUpdated,
    MeetingReady,
    NotificationFailed,
    NotificationSent,
    PrivacyErased,
    PrivacyErasureRequested,
    ZoomConnected,
    ZoomDisconnected,
    ZoomSettingsChanged,
)
from convoke.contracts.topology import NOTIFIER_BOOKINGS, NOTIFIER_MEETINGS, NOTIFIER_PRIVACY, NOTIFIER_ZOOM
from convoke.messaging.consumer import Handler, Subscription
from notifier.handlers import Handlers, ZoomHandlers

PUBLISHED = (NotificationSent, NotificationFailed, PrivacyErased)


def subscriptions(handlers: Handlers, zoom: ZoomHandlers) -> list[Subscription]:
    return [
        Subscription(
            NOTIFIER_BOOKINGS,
            {
                BookingCreated: handlers.keep_booking,
                BookingUpdated: handlers.keep_booking,
                BookingRescheduled: handlers.keep_booking_with_reason,
                BookingCanceled: handlers.keep_booking_with_reason,
            },
        ),
        Subscription(NOTIFIER_MEETINGS, {MeetingReady: handlers.keep_meeting}),
        Subscription(
            NOTIFIER_ZOOM,
            {
                ZoomConnected: zoom.keep_connection,
                ZoomDisconnected: zoom.keep_connection,
                ZoomSettingsChanged: zoom.keep_connection,
            },
        ),
    ]


def privacy(erase_share: Handler) -> Subscription:
    return Subscription(NOTIFIER_PRIVACY, {PrivacyErasureRequested: erase_share})
