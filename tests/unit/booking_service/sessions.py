"""Sessions to apply the rules to."""

from datetime import UTC, datetime

from booking_service.domain.catalog import EventType, Host, Location, ZoomOptions
from booking_service.domain.session import Invitee, Meeting, Seat, Session

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
START = datetime(2026, 11, 21, 9, tzinfo=UTC)
HOST = Host("hst_1", "Ada", "ada@example.com", "Europe/Berlin", "en")
INVITEE = Invitee("Grace", "grace@example.org", "America/New_York", "en")


def session(
    *,
    starts_at: datetime = START,
    duration: int = 30,
    before: int = 0,
    after: int = 0,
    location: Location | None = None,
    meeting: Meeting | None = None,
) -> Session:
    kind = location or Location("zoom")
    return Session(
        id="ses_1",
        organization_id="org_1",
        revision=1,
        status="scheduled",
        event_type=EventType("ety_1", "Intro", "", duration, before, after, kind, ZoomOptions()),
        host=HOST,
        starts_at=starts_at,
        seats=(Seat("bkg_1", 1, "confirmed", INVITEE, "join-token", "manage-token"),),
        meeting=meeting or Meeting(),
    )
