"""Everything that booking-service refuses, by what the caller can do about it. A refusal stores nothing.

Refused
├── NotFound        BookingNotFound, HostNotFound, EventTypeNotFound
├── NotBookable     UnknownHost, UnknownEventType, OffTheGrid, InThePast, TooFarAhead
├── InConflict      HostIsBooked, BookingIsCanceled, BookingHasEnded, ZoomNotConnected
├── KeyReused, InvalidCursor
├── TooManyInvitations
└── TryAgainLater   OutboxIsFull, TooMuchAtOnce, NotPreparedYet
"""


class Refused(Exception):
    """The request was not carried out and nothing was stored.

    `retry_after` is in how many seconds the same request may succeed, None where waiting does not help.
    """

    retry_after: int | None = None


class NotFound(Refused):
    """The address names nothing of this organization."""


class BookingNotFound(NotFound):
    """No booking of this organization has this id."""


class HostNotFound(NotFound):
    """No host of this organization has this id."""


class EventTypeNotFound(NotFound):
    """No event type of this organization has this id."""


class NotBookable(Refused):
    """What was asked for cannot be booked by anybody."""


class UnknownHost(NotBookable):
    """The booking names a host that this organization does not have."""


class UnknownEventType(NotBookable):
    """The booking names an event type that this organization does not have."""


class OffTheGrid(NotBookable):
    """The start is not on a multiple of five minutes."""


class InThePast(NotBookable):
    """The start is not in the future."""


class TooFarAhead(NotBookable):
    """The start is so far ahead that it must be a mistake."""


class InConflict(Refused):
    """The present state does not allow it."""


class HostIsBooked(InConflict):
    """The host has another session at that time, buffers included."""


class BookingIsCanceled(InConflict):
    """A cancelled booking stays cancelled."""


class BookingHasEnded(InConflict):
    """What has taken place is not changed any more."""


class ZoomNotConnected(InConflict):
    """No host would get a link for this event type, and the request wants it only with a working connection."""


class KeyReused(Refused):
    """The idempotency key was used for another request."""


class InvalidCursor(Refused):
    """The cursor is none that a list gave."""


class TooManyInvitations(Refused):
    """So many bookings of this organization invite the same address that it would be a flood of mails."""

    def __init__(self, text: str, retry_after: int) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class TryAgainLater(Refused):
    """The same request may succeed in a few seconds."""

    retry_after = 3


class OutboxIsFull(TryAgainLater):
    """The broker has been away for so long that this session takes no more changes."""


class TooMuchAtOnce(TryAgainLater):
    """Others kept changing the same session at the same moment."""


class NotPreparedYet(TryAgainLater):
    """The service has just started and its database is not prepared."""


class AlreadySo(Exception):
    """A recognised outcome: the booking already is what was asked for, so nothing changes."""
