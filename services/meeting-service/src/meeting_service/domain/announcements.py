"""What is to be told of a state, and to which seats. Nothing is told twice, and no time that Zoom has not accepted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from meeting_service.domain.marker import MarkerKey
from meeting_service.domain.meeting import Announced, Change, Seat, SessionMeeting
from meeting_service.domain.steps import is_current


@dataclass(frozen=True)
class Announcement:
    """One MeetingReady, MeetingFailed or MeetingCanceled, for each of these seats."""

    outcome: Literal["ready", "failed", "canceled"]
    seats: tuple[str, ...]
    change: Change | None = None


def announce(state: SessionMeeting, marker_key: MarkerKey) -> tuple[SessionMeeting, Announcement | None]:
    """Return the state in which everything is told, and what has to be told for that; None if nothing has."""
    outcome = _outcome(state, marker_key)
    if outcome is None:
        return state, None
    if outcome == "ready":
        state = state.settled()
    untold = _untold(state, outcome)
    if not untold:
        return state, None
    change = _change(state) if outcome == "ready" else None
    return _told(state, outcome, untold), Announcement(outcome, tuple(untold), change)


def _outcome(state: SessionMeeting, marker_key: MarkerKey) -> Literal["ready", "failed", "canceled"] | None:
    if is_current(state, marker_key):
        return "ready"
    something_left = state.meeting is not None or state.intent is not None
    if state.is_wanted or something_left:
        return "failed" if state.reason else None
    return "canceled" if _is_news(state) else None


def _is_news(state: SessionMeeting) -> bool:
    """Tell whether somebody waits to hear that there is no meeting any more, or will be none."""
    called_off = state.session.status == "canceled" and state.session.location.kind == "zoom"
    return state.outcome in {"ready", "failed"} or (called_off and state.outcome == "none")


def _untold(state: SessionMeeting, outcome: str) -> Mapping[str, Seat]:
    if outcome == "canceled":
        return state.seats
    return {
        booking_id: seat
        for booking_id, seat in state.seats.items()
        if (seat.booking.status == "confirmed" or not state.is_wanted)
        and seat.told != (seat.booking.revision, state.record_revision)
    }


def _told(
    state: SessionMeeting, outcome: Literal["ready", "failed", "canceled"], untold: Mapping[str, Seat]
) -> SessionMeeting:
    told = {
        booking_id: replace(seat, told=(seat.booking.revision, state.record_revision))
        for booking_id, seat in untold.items()
    }
    announced = state.announced
    if outcome == "ready" and state.meeting:
        announced = Announced(state.meeting.id, state.meeting.generation, state.session.starts_at)
    return replace(
        state,
        seats={**state.seats, **told},
        outcome=outcome,
        announced=announced,
        meeting_revision=state.meeting_revision + 1,
    )


def _change(state: SessionMeeting) -> Change:
    if state.announced is None or state.meeting is None:
        return "created"
    if state.announced.generation != state.meeting.generation:
        return "replaced"
    return "rescheduled" if state.announced.starts_at != state.session.starts_at else "unchanged"
