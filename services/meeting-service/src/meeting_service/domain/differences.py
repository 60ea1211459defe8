"""A Zoom user's list against our sessions: each difference with its kind, its words, and what mends it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from meeting_service.domain.at_zoom import MeetingAtZoom, Seen
from meeting_service.domain.marker import MarkerKey, Reference
from meeting_service.domain.meeting import SessionMeeting

Kind = Literal["twin", "unclaimed", "orphan", "missing", "changed", "flagged", "to_delete", "in_doubt"]

_WORDS: dict[Kind, str] = {
    "twin": "carries the mark of a session that has another meeting, or wants none; it is deleted",
    "unclaimed": "carries the mark of a session that has no meeting, but wants one; it is left until there is another",
    "orphan": "carries our mark, but no session here knows it; only a repair deletes it",
    "missing": "is this session's, but Zoom no longer lists it; it is looked at, and made anew if it is gone",
    "changed": "was changed inside Zoom; it is looked at, and restored or flagged",
    "flagged": "was changed inside Zoom, and the host wants it left like that until the booking changes",
    "to_delete": "is to be deleted, and could not be so far",
    "in_doubt": "may be what a create in doubt made",
}

LISTED_AGENDA = 250
"""Characters that a list shows of an agenda (Zoom: List meetings)."""


@dataclass(frozen=True)
class Listed:
    """One meeting of a list answer."""

    id: int
    seen: Seen


@dataclass(frozen=True)
class Difference:
    kind: Kind
    zoom_meeting_id: int
    session_id: str

    @property
    def words(self) -> str:
        return f"meeting {self.zoom_meeting_id} {_WORDS[self.kind]} (session {self.session_id})"


def differences(
    listed: Sequence[Listed],
    known_before: Mapping[str, int],
    sessions: Mapping[str, SessionMeeting],
    marker_key: MarkerKey,
    now: datetime,
) -> list[Difference]:
    """Return what differs between a whole list and the sessions.

    `known_before` are the meetings of this Zoom user as our sessions knew them before the list was asked for,
    `sessions` are all sessions of these and of the marks found, read after it: what changed meanwhile is no difference.
    """
    found = [*_of_marks(listed, sessions, marker_key), *_of_sessions(listed, known_before, sessions, now)]
    return sorted(set(found), key=lambda one: (one.session_id, one.zoom_meeting_id))


def sessions_of(listed: Sequence[Listed], marker_key: MarkerKey) -> set[str]:
    """Return the ids of the sessions whose mark some meeting carries."""
    return {mark.session_id for meeting in listed if (mark := marker_key.find(meeting.seen.agenda))}


def _of_marks(
    listed: Sequence[Listed], sessions: Mapping[str, SessionMeeting], marker_key: MarkerKey
) -> Iterator[Difference]:
    for meeting in listed:
        mark = marker_key.find(meeting.seen.agenda)
        if mark and (kind := _kind_of(meeting.id, mark, sessions.get(mark.session_id))):
            yield Difference(kind, meeting.id, mark.session_id)


def _kind_of(zoom_id: int, mark: Reference, state: SessionMeeting | None) -> Kind | None:
    """Return what a meeting with our mark is; None for the session's own.

    Read after the list: whatever made this meeting had stored its intent before, so without one it is settled.
    """
    if state is None:
        return "orphan"
    if state.meeting and state.meeting.id == zoom_id:
        return None
    if any(condemned.id == zoom_id for condemned in state.condemned):
        return "to_delete"
    if state.intent and state.intent.generation == mark.generation:
        return "in_doubt"
    if state.intent:
        return None
    # After a restore from a backup it may be the one whose link people have.
    return "unclaimed" if state.is_wanted and state.meeting is None else "twin"


def _of_sessions(
    listed: Sequence[Listed], known_before: Mapping[str, int], sessions: Mapping[str, SessionMeeting], now: datetime
) -> Iterator[Difference]:
    shown = {meeting.id: meeting.seen for meeting in listed}
    for session_id, zoom_id in known_before.items():
        state = sessions.get(session_id)
        if state is None or state.meeting is None or state.meeting.id != zoom_id or not state.is_ahead(now):
            continue
        if kind := _kind_of_own(state, state.meeting, shown.get(zoom_id)):
            yield Difference(kind, zoom_id, session_id)


def _kind_of_own(state: SessionMeeting, meeting: MeetingAtZoom, seen: Seen | None) -> Kind | None:
    if not state.is_wanted:
        return "to_delete" if seen else None
    if seen is None:
        return "missing"
    if meeting.seen is None or seen == meeting.seen.as_listed(LISTED_AGENDA):
        return None
    return "flagged" if state.differs and seen == state.differs.as_listed(LISTED_AGENDA) else "changed"
