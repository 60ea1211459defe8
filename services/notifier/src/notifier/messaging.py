"""Which event goes to which handler, and what is published."""

from convoke.contracts import (
    BookingCanceled,
    BookingCreated,
    BookingRescheduled,
    BookingUpdated,
    MeetingReady,
    NotificationFailed,
    NotificationSent,
)
from convoke.contracts.topology import NOTIFIER_BOOKINGS, NOTIFIER_MEETINGS
from convoke.messaging.consumer import Subscription
from notifier.handlers import Handlers

PUBLISHED = (NotificationSent, NotificationFailed)


def subscriptions(handlers: Handlers) -> list[Subscription]:
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
    ]
