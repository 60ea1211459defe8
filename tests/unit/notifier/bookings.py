"""A booking as the other services tell of it, event by event."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from convoke.contracts import (
    Booking,
    BookingCanceled,
    BookingCreated,
    BookingRescheduled,
    BookingUpdated,
    Host,
    Invitee,
    Location,
    Meeting,
    MeetingReady,
    Session,
)
from convoke.contracts.meetings import DialIn
from convoke.ids import new_id
from convoke.messaging.cloudevents import Event

JOIN_URL = "https://us05web.zoom.us/j/81234567890?pwd=Canary0fTheJoinLink.1"
PASSCODE = "canary77"
ZOOM = Location(kind="zoom")
PHONE = Location(kind="phone", detail="+49 30 1234567")


def in_three_days() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=3)


@dataclass(frozen=True)
class Story:
    """One booking at one revision; the methods give the events that tell of it."""

    booking_id: str = field(default_factory=lambda: new_id("bkg"))
    organization_id: str = field(default_factory=lambda: new_id("org"))
    revision: int = 1
    meeting_revision: int = 1
    canceled: bool = False
    starts_at: datetime = field(default_factory=in_three_days)
    minutes: int = 30
    title: str = "Coaching: first talk"
    description: str = ""
    location: Location = ZOOM
    host_name: str = "Hanna Host"
    host_email: str = field(default_factory=lambda: f"{new_id('hanna')}@host.example")
    invitee_name: str = "Gus Guest"
    invitee_email: str = field(default_factory=lambda: f"{new_id('gus')}@guest.example")
    invitee_timezone: str = "America/New_York"
    join_url: str = JOIN_URL
    passcode: str | None = PASSCODE
    manual_link: str | None = None
    connected_at: datetime | None = None

    def next(self, **changes: Any) -> "Story":
        """Return the booking after its next change."""
        return replace(self, **({"revision": self.revision + 1} | changes))

    @property
    def booking(self) -> Booking:
        return Booking(
            id=self.booking_id,
            revision=self.revision,
            status="canceled" if self.canceled else "confirmed",
            invitee=Invitee(
                name=self.invitee_name, email=self.invitee_email, timezone=self.invitee_timezone, locale="en-US"
            ),
            join_address="https://book.example/j/Jk3vXw9mQz7nRt5pLc2yHb8dFg4sKa6u",
            manage_address="https://book.example/manage/Mw5nQz7vXk3tRj9pLc2yHb8dFg4sKa6u",
        )

    @property
    def session(self) -> Session:
        return Session(
            id=f"ses_{self.booking_id}",
            revision=self.revision,
            status="canceled" if self.canceled else "scheduled",
            organization_id=self.organization_id,
            event_type_id="evt_1",
            title=self.title,
            description=self.description,
            starts_at=self.starts_at,
            ends_at=self.starts_at + timedelta(minutes=self.minutes),
            timezone="Europe/Berlin",
            host=Host(id="hst_1", name=self.host_name, email=self.host_email, timezone="Europe/Berlin", locale="de-DE"),
            location=self.location,
            capacity=1,
            seats_taken=0 if self.canceled else 1,
            manual_link=self.manual_link,
        )

    @property
    def meeting(self) -> Meeting:
        return Meeting(
            id=81234567890,
            join_url=self.join_url,
            passcode=self.passcode,
            dial_in=(DialIn(country="US", number="+1 646 931 3860", type="toll"),),
            host_email=self.host_email,
            generation=1,
            revision=self.meeting_revision,
            connected_at=self.connected_at,
        )

    def created(self) -> Event[Any]:
        return self._event(BookingCreated(booking=self.booking, session=self.session))

    def updated(self) -> Event[Any]:
        return self._event(BookingUpdated(booking=self.booking, session=self.session))

    def rescheduled(self, reason: str | None = None) -> Event[Any]:
        return self._event(BookingRescheduled(booking=self.booking, session=self.session, reason=reason))

    def canceled_event(self, reason: str | None = None) -> Event[Any]:
        return self._event(BookingCanceled(booking=self.booking, session=self.session, reason=reason))

    def ready(self) -> Event[Any]:
        return self._event(
            MeetingReady(booking=self.booking, session=self.session, change="created", meeting=self.meeting)
        )

    def _event(self, data: Any) -> Event[Any]:
        return Event(
            id=new_id("evt"),
            source="/booking-service",
            subject=self.booking_id,
            time=datetime(2026, 11, 20, 12, self.revision, tzinfo=UTC),
            organization_id=self.organization_id,
            data=data,
        )
