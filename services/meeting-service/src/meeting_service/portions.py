"""What meeting-service holds of what is to be erased: the records of meetings, what scans found, and dead letters."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from convoke.clock import Clock
from convoke.erasure.portions import NEEDED, Erased, Erasure, Portion, create_index, tombstone, unmarked
from convoke.messaging.dead_letters.erasing import dead_letters_portions
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.mongo import Document
from meeting_service.domain.meeting import SessionMeeting
from meeting_service.mongo.meetings import Meetings
from meeting_service.scan.scans import Scans

_NOTHING_AT_ZOOM: Document = {
    "meeting": None,
    "intent": None,
    "condemned": [],
    "strays": [],
    "leaving": None,
    "announced": None,
    "differs": None,
    "decision": None,
}
"""Generation and revisions stay: what is made after another connecting is a new meeting, and newer than this one."""

_NOTHING_UNDER_WAY: Document = {
    "open_generation": None,
    "reason": None,
    "retry_at": None,
    "look_at": None,
    "clean_up_at": None,
}

_AS_READ = ("wakes", *_NOTHING_AT_ZOOM)
"""Of these one changes with every event and nudge, and with every step of whoever has the lease."""


class Portions:
    """Finds them for each scope."""

    def __init__(self, meetings: Meetings, scans: Scans, dead_letters: DeadLetters, clock: Clock) -> None:
        self._meetings = meetings
        self._scans = scans
        self._dead_letters = dead_letters
        self._clock = clock

    async def create_indexes(self) -> None:
        for collection in (self._meetings.collection, self._scans.collection):
            await create_index(collection)
        await self._meetings.collection.create_index(
            "session.ends_at", name="expiring_link", partialFilterExpression={"meeting.id": {"$exists": True}}
        )

    def of(self, erasure: Erasure) -> list[Portion]:
        """Return the portions of an erasure."""
        letters = dead_letters_portions(self._dead_letters, erasure, self._clock)
        if erasure.scope == "person":
            return [self._of_meetings(erasure, self._without_person(erasure)), *letters]
        erased: Erased = self._without_meetings_until(erasure.requested_at) if erasure.scope == "zoom_data" else _gone
        owner = {"organization_id": erasure.organization_id}
        scans = Portion("zoom_scans", self._scans.collection, _without_zoom_user, owner, {"is_erased": None})
        return [self._of_meetings(erasure, erased), scans, *letters]

    def expired_links(self, before: datetime) -> Portion:
        """Return the meetings of sessions that ended before a moment."""
        ended = {"session.ends_at": {"$lt": before}, "meeting.id": {"$exists": True}, "lease": None}
        erased = self._without_meetings_until(self._clock())
        return Portion("meetings", self._meetings.collection, erased, {}, ended, guards=_AS_READ)

    def _of_meetings(self, erasure: Erasure, erased: Erased) -> Portion:
        owner = {"organization_id": erasure.organization_id}
        pending = {"is_erased": None} | unmarked(erasure)
        return Portion("meetings", self._meetings.collection, erased, owner, pending, guards=_AS_READ)

    def _without_meetings_until(self, asked_at: datetime) -> Erased:
        """Take out what was made with a connection from before `asked_at`, also from whoever has the lease."""

        def erased(document: Document) -> Document | None:
            later = _made_later(document, asked_at)
            is_meant = any(document.get(name) and document[name] != later.get(name) for name in _NOTHING_AT_ZOOM)
            return self._emptied(document, later) if is_meant else None

        return erased

    def _emptied(self, document: Document, later: Document) -> Document:
        """Return what leaves of a meeting what was made later; one that is ahead is looked at again."""
        now = self._clock()
        due_at = now if later or document["session"]["ends_at"] > now else None
        goes_on = "meeting" in later or "intent" in later
        values = _NOTHING_AT_ZOOM | later | {"due_at": due_at, "lease": None}
        if goes_on:
            return {"$set": values, "$inc": {"wakes": 1}}
        return {"$set": values | _settled(document), "$inc": {"wakes": 1}, "$unset": {"published": ""}}

    def _without_person(self, erasure: Erasure) -> Erased:
        def erased(document: Document) -> Document | Literal["needed"] | None:
            state = self._meetings.read(document)
            if not any(erasure.is_of(address) for address in _people_of(state)):
                return None
            return NEEDED if self._is_needed(state, document) else _gone(document)

        return erased

    def _is_needed(self, state: SessionMeeting, document: Document) -> bool:
        """Tell whether the session is ahead, or something is still to be done for it at Zoom."""
        if state.has_ended(self._clock()):
            return False
        return state.session.status == "scheduled" or bool(document.get("due_at") or document.get("outbox"))


def _settled(document: Document) -> Document:
    """Return that nothing is waited for, nor to be looked at."""
    looked = {"looks_settled": document.get("looks", 0), "doubts_settled": document.get("doubts", 0)}
    return _NOTHING_UNDER_WAY | looked


def _made_later(document: Document, asked_at: datetime) -> Document:
    """Return what was made after Zoom was connected again since `asked_at`: nobody asked for that to be gone.

    Both times are auth-service's, so however late this is asked, and by whichever clock, the answer is the same.
    """

    def is_later(made: Document | None) -> bool:
        connected_at = made.get("connected_at") if made else None
        return connected_at is not None and connected_at > asked_at

    later: Document = {name: document[name] for name in ("meeting", "intent") if is_later(document.get(name))}
    for name in ("condemned", "strays"):
        if made := [one for one in document.get(name, ()) if is_later(one)]:
            later[name] = made
    if "intent" in later:
        later["decision"] = document.get("decision")
    if meeting := later.get("meeting"):
        announced = document.get("announced")
        later["announced"] = announced if announced and announced["zoom_id"] == meeting["id"] else None
        later["leaving"] = meeting["id"] if document.get("leaving") == meeting["id"] else None
        later["differs"] = document.get("differs")
    return later


def _gone(document: Document) -> Document:
    return tombstone(document, "session_revision")


def _people_of(state: SessionMeeting) -> Iterator[str]:
    yield state.session.host.email
    yield from state.session.zoom.alternative_hosts
    for seat in state.seats.values():
        yield seat.booking.invitee.email
    if state.meeting:
        yield state.meeting.way_in.host_email


def _without_zoom_user(document: Document) -> Document:
    """Return a tombstone under another id: the scan's own names the Zoom user."""
    return tombstone(document) | {"_id": f"erased_{hashlib.sha256(document['_id'].encode()).hexdigest()[:32]}"}
