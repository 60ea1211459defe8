"""The newest that is known of a booking, whatever the order in which its events came."""

import hashlib
from datetime import datetime
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from convoke.contracts import Booking, Meeting, MeetingReady, Session
from convoke.contracts.notifications import Recipient
from convoke.contracts.wire import Instant


class UnsafeLink(Exception):
    """A meeting whose join link is no https address; it is never put into a mail."""


class Snapshot(BaseModel):
    """A booking, its session and the meeting that Zoom has ready for it.

    `settled_at` is the booking revision since which time and place are what they are: a meeting that was ready for
    an older one belongs to another time or place; `reason` says why they became so. `ready_at` is the booking revision
    that `meeting` came with, `heard_at` the newest that an event of the booking's own brought (only those tell a
    reason), and `time` the time of the newest event.
    """

    model_config = ConfigDict(frozen=True)
    booking: Booking
    session: Session
    time: Instant
    settled_at: int
    heard_at: int = 0
    reason: str | None = None
    meeting: Meeting | None = None
    ready_at: int = 0

    @property
    def revision(self) -> tuple[int, int, int, int]:
        return self.booking.revision, self.ready_at, self.meeting_revision, self.heard_at

    @property
    def meeting_revision(self) -> int:
        return self.meeting.revision if self.meeting else 0

    @property
    def is_canceled(self) -> bool:
        return "canceled" in {self.booking.status, self.session.status}

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Start and end in whole seconds, as a calendar entry has them."""
        return self.session.starts_at.replace(microsecond=0), self.session.ends_at.replace(microsecond=0)

    @property
    def link(self) -> str | None:
        """The address to join by; None for a phone call or a place."""
        if self.session.manual_link:
            return self.session.manual_link
        if self.session.location.kind == "zoom":
            return self.meeting.join_url if self.meeting else None
        return self.session.location.detail if self.session.location.kind == "link" else None

    @property
    def depends_on_zoom(self) -> bool:
        """Whether a connection makes its meeting, or is to."""
        return not self.is_canceled and self.session.location.kind == "zoom" and not self.session.manual_link

    @property
    def is_complete(self) -> bool:
        """Whether it can be told: a Zoom meeting's time only once Zoom has accepted it and the link is known."""
        return self.is_canceled or self.session.location.kind != "zoom" or self.link is not None

    @property
    def passcode(self) -> str | None:
        return self.meeting.passcode if self.meeting and self.link == self.meeting.join_url else None

    @property
    def way_in_fingerprint(self) -> str:
        """A digest of how to take part. The join address, with its random token, keeps it from being guessed."""
        location = self.session.location
        parts = (self.booking.join_address, location.kind, location.detail, self.link, self.passcode)
        return hashlib.sha256("\n".join(part or "" for part in parts).encode()).hexdigest()

    def address_of(self, recipient: Recipient) -> str:
        return self.session.host.email if recipient == "host" else self.booking.invitee.email

    def is_over(self, now: datetime) -> bool:
        return self.session.ends_at <= now


def with_booking(
    known: Snapshot | None, booking: Booking, session: Session, time: datetime, reason: str | None = None
) -> Snapshot:
    """Return what is known after a booking event: `known` itself where the event is not newer."""
    current = _with_newer(known, booking, session, time)
    if booking.revision < current.booking.revision or booking.revision <= current.heard_at:
        return current
    return current.model_copy(update={"heard_at": booking.revision, "reason": reason or current.reason})


def with_meeting(known: Snapshot | None, ready: MeetingReady, time: datetime) -> Snapshot:
    """Return what is known after Zoom has a meeting ready: `known` itself where the event is not newer.

    Raises UnsafeLink.
    """
    if not is_https(ready.meeting.join_url):
        raise UnsafeLink(f"the join link of meeting revision {ready.meeting.revision} is no https address")
    current = _with_newer(known, ready.booking, ready.session, time)
    age = (ready.booking.revision, ready.meeting.revision)
    if ready.booking.revision < current.settled_at or age <= (current.ready_at, current.meeting_revision):
        return current
    newest = max(time, current.time)
    return current.model_copy(update={"meeting": ready.meeting, "ready_at": ready.booking.revision, "time": newest})


def is_https(link: str) -> bool:
    """Tell whether a link may be rendered as one: https, a host, and nothing that could end an attribute or a line."""
    if any(character.isspace() or not character.isprintable() or character in "\"'<>" for character in link):
        return False
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)


def _with_newer(known: Snapshot | None, booking: Booking, session: Session, time: datetime) -> Snapshot:
    if known is None:
        return Snapshot(booking=booking, session=session, time=time, settled_at=booking.revision)
    if booking.revision <= known.booking.revision:
        return known
    update: dict[str, object] = {"booking": booking, "session": session, "time": time}
    if not _same_time_and_place(known, booking, session):
        update |= {"settled_at": booking.revision, "reason": None, "meeting": None, "ready_at": 0}
    return known.model_copy(update=update)


def _same_time_and_place(known: Snapshot, booking: Booking, session: Session) -> bool:
    before, after = known.session, session
    return (before.starts_at, before.ends_at, before.location, before.status, known.booking.status) == (
        after.starts_at,
        after.ends_at,
        after.location,
        after.status,
        booking.status,
    )
