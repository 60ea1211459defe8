"""The one next step from what is at Zoom towards what is wanted. Pure: the reconciler carries it out."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from meeting_service.domain.at_zoom import Condemned, Intent, MeetingAtZoom
from meeting_service.domain.body import Body, body_of
from meeting_service.domain.marker import MarkerKey, Reference
from meeting_service.domain.meeting import DOUBT_LASTS, SessionMeeting

QUIET = timedelta(seconds=5)
"""After an update, further ones wait that long: of many rapid reschedules Zoom counts two against its daily limit."""

SOON = timedelta(minutes=15)
"""What starts sooner does not wait for that."""


@dataclass(frozen=True)
class Create:
    generation: int
    body: Body


@dataclass(frozen=True)
class Resolve:
    """A create is in doubt, and old enough to be looked for."""

    intent: Intent


@dataclass(frozen=True)
class Update:
    meeting: MeetingAtZoom
    body: Body


@dataclass(frozen=True)
class Look:
    """Somebody may have changed the meeting inside Zoom."""

    meeting: MeetingAtZoom


@dataclass(frozen=True)
class Delete:
    """A meeting that nobody is told of: a twin, or one that was replaced."""

    condemned: Condemned


@dataclass(frozen=True)
class Withdraw:
    """The meeting of a session that no longer wants one, or of a connection that is left."""

    meeting: MeetingAtZoom


@dataclass(frozen=True)
class Rest:
    """Nothing to do until `until`, or until a nudge where it is None."""

    until: datetime | None


Step = Create | Resolve | Update | Look | Delete | Withdraw | Rest


def next_step(state: SessionMeeting, marker_key: MarkerKey, now: datetime) -> Step:
    """Return what is to be done now.

    A create in doubt comes before everything: what it made must be known before it can be changed or deleted.
    """
    if state.waits(now):
        return Rest(state.retry_at)
    if state.intent:
        in_doubt_until = state.intent.started_at + DOUBT_LASTS
        return Resolve(state.intent) if now >= in_doubt_until else Rest(in_doubt_until)
    if state.may_stay:
        return _towards_a_meeting(state, marker_key, now)
    if state.meeting:
        return Withdraw(state.meeting)
    return _clean_up(state, now)


def is_current(state: SessionMeeting, marker_key: MarkerKey) -> bool:
    """Tell whether a meeting is wanted and Zoom has accepted all that the session says."""
    meeting = state.meeting
    return (
        state.may_stay
        and meeting is not None
        and not state.is_unsure
        and meeting.wanted_generation >= state.session.wanted_generation
        and meeting.body == _body(state, meeting.generation, marker_key)
    )


def _towards_a_meeting(state: SessionMeeting, marker_key: MarkerKey, now: datetime) -> Step:
    if state.has_ended(now):
        return _clean_up(state, now)
    meeting = state.meeting
    if meeting is None or meeting.wanted_generation < state.session.wanted_generation:
        generation = state.open_generation or state.generation + 1
        return Create(generation, _body(state, generation, marker_key))
    if is_current(state, marker_key):
        return _look_or_clean_up(state, meeting, now)
    quiet_until = _quiet_until(state, meeting)
    if quiet_until and now < quiet_until and state.session.starts_at - now > SOON:
        return Rest(quiet_until)
    return Update(meeting, _body(state, meeting.generation, marker_key))


def _quiet_until(state: SessionMeeting, meeting: MeetingAtZoom) -> datetime | None:
    to_be_repeated = state.is_unsure or not meeting.body
    return meeting.updated_at + QUIET if meeting.updated_at and not to_be_repeated else None


def _look_or_clean_up(state: SessionMeeting, meeting: MeetingAtZoom, now: datetime) -> Step:
    """Return what can be done of both: a look that has to wait holds up no delete."""
    if not state.must_look:
        return _clean_up(state, now)
    if state.look_at is None or state.look_at <= now:
        return Look(meeting)
    clean_up = _clean_up(state, now)
    return Rest(min(clean_up.until or state.look_at, state.look_at)) if isinstance(clean_up, Rest) else clean_up


def _body(state: SessionMeeting, generation: int, marker_key: MarkerKey) -> Body:
    return body_of(state.session, marker_key.marker(Reference(state.session.id, generation)))


def _clean_up(state: SessionMeeting, now: datetime) -> Step:
    if not state.condemned:
        return Rest(None)
    if state.clean_up_at and state.clean_up_at > now:
        return Rest(state.clean_up_at)
    return Delete(state.condemned[-1])  # the newest, or the one that was not tried for longest
