"""Sessions and states to decide about, built from the frozen sample."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from convoke.contracts import BookingCreated, Session
from meeting_service.domain.at_zoom import Intent, MeetingAtZoom, Seen, WayIn
from meeting_service.domain.body import body_of
from meeting_service.domain.marker import MarkerKey, Reference
from meeting_service.domain.meeting import Seat, SessionMeeting

SAMPLE = Path(__file__).parents[2] / "contract" / "samples" / "booking.created.v1.json"
CREATED = BookingCreated.model_validate(json.loads(SAMPLE.read_text())["data"])
KEY = MarkerKey(b"k" * 32)
NOW = CREATED.session.starts_at - timedelta(days=1)
WAY_IN = WayIn("https://us05web.zoom.us/j/81234567890?pwd=x", "482913", (), "hanna@host.example")


def session(**changes: Any) -> Session:
    return CREATED.session.model_copy(update=changes)


def wanted(**changes: Any) -> SessionMeeting:
    """A session with one seat and nothing at Zoom."""
    return SessionMeeting(session=session(**changes), seats={CREATED.booking.id: Seat(CREATED.booking)})


def body(of: Session, generation: int = 1) -> dict[str, Any]:
    return body_of(of, KEY.marker(Reference(of.id, generation)))


def seen(of: Session, generation: int = 1, **changes: Any) -> Seen:
    """What Zoom shows of a meeting that is as the session says."""
    minutes = int((of.ends_at - of.starts_at).total_seconds() // 60)
    return replace(Seen(of.title, of.starts_at, minutes, body(of, generation)["agenda"]), **changes)


def with_meeting(state: SessionMeeting, zoom_id: int = 81234567890, generation: int = 1) -> SessionMeeting:
    """The state after Zoom accepted all that the session says."""
    said, shown = body(state.session, generation), seen(state.session, generation)
    meeting = MeetingAtZoom(
        zoom_id, "zcn_1", "host-1", generation, state.session.wanted_generation, said, WAY_IN, shown
    )
    return replace(state, meeting=meeting, generation=generation, record_revision=state.record_revision + 1)


def with_intent(state: SessionMeeting, started_at: datetime = NOW) -> SessionMeeting:
    intent = Intent("zcn_1", "host-1", 1, 1, 1, body(state.session), started_at)
    return replace(state, intent=intent, generation=1, open_generation=1)
