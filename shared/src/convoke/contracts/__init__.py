"""The wire: every event class, and the queues that carry them.

One name finds everything: the class `BookingCreated` has the wire type `booking.created.v1`, the frozen sample
`tests/contract/samples/booking.created.v1.json`, its queues in `topology`, and a handler in every `messaging` that
lists it.
"""

from convoke.contracts.bookings import (
    Booking,
    BookingCanceled,
    BookingCreated,
    BookingRescheduled,
    BookingUpdated,
    Host,
    Invitee,
    Location,
    Session,
    ZoomOptions,
)
from convoke.contracts.meetings import (
    CanceledMeeting,
    ChangedInZoom,
    DialIn,
    FailureReason,
    Meeting,
    MeetingCanceled,
    MeetingFailed,
    MeetingReady,
)
from convoke.contracts.notifications import NotificationFailed, NotificationSent
from convoke.contracts.privacy import PrivacyErased, PrivacyErasureRequested
from convoke.contracts.zoom import (
    Connection,
    Finding,
    ZoomConnected,
    ZoomDisconnected,
    ZoomMeetingChanged,
    ZoomSettingsChanged,
)

EVENTS = (
    BookingCreated,
    BookingRescheduled,
    BookingUpdated,
    BookingCanceled,
    MeetingReady,
    MeetingFailed,
    MeetingCanceled,
    NotificationSent,
    NotificationFailed,
    ZoomConnected,
    ZoomDisconnected,
    ZoomSettingsChanged,
    ZoomMeetingChanged,
    PrivacyErasureRequested,
    PrivacyErased,
)

__all__ = [
    "EVENTS",
    "Booking",
    "BookingCanceled",
    "BookingCreated",
    "BookingRescheduled",
    "BookingUpdated",
    "CanceledMeeting",
    "ChangedInZoom",
    "Connection",
    "DialIn",
    "FailureReason",
    "Finding",
    "Host",
    "Invitee",
    "Location",
    "Meeting",
    "MeetingCanceled",
    "MeetingFailed",
    "MeetingReady",
    "NotificationFailed",
    "NotificationSent",
    "PrivacyErased",
    "PrivacyErasureRequested",
    "Session",
    "ZoomConnected",
    "ZoomDisconnected",
    "ZoomMeetingChanged",
    "ZoomOptions",
    "ZoomSettingsChanged",
]
