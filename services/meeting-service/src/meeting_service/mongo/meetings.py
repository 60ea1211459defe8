"""The collection `meetings`: one document per session, its desired half written by events, its actual by a lease.

`wakes` counts the nudges. A reconciler that gives its lease back may only forget `due_at` if nobody nudged meanwhile.
"""

from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from convoke.contracts import Booking, MeetingCanceled, MeetingFailed, MeetingReady, Session
from convoke.contracts.wire import EventData
from convoke.due_work import Claim
from convoke.messaging.outbox import entry
from convoke.mongo import Collection, Database, Document
from convoke.vault import Vault
from meeting_service.domain.announcements import Announcement
from meeting_service.domain.at_zoom import Condemned
from meeting_service.domain.meeting import SessionMeeting
from meeting_service.stored import Stored

_EVENTS: dict[str, type[EventData]] = {"ready": MeetingReady, "failed": MeetingFailed, "canceled": MeetingCanceled}


THERE: Document = {"is_erased": {"$ne": True}}
"""What was erased is looked at and written no more."""


class LeaseLost(Exception):
    """Another replica has the session now. What was sent to Zoom meanwhile must be left for it: `own_up`."""


class Meetings:
    """Stores what is desired, and what the holder of a lease found or did."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self.collection: Collection = database["meetings"]
        self._stored = Stored(vault)

    async def create_indexes(self) -> None:
        await self.collection.create_index([("organization_id", 1), ("reason.code", 1)], name="parked", sparse=True)
        await self.collection.create_index("meeting.id", name="zoom_meeting", sparse=True)
        await self.collection.create_index(
            [("meeting.connection_id", 1), ("meeting.zoom_user_id", 1), ("session.ends_at", 1)], name="zoom_user"
        )

    async def desire(
        self, session: Session, booking: Booking, now: datetime, desired_at: datetime | None = None
    ) -> bool:
        """Keep the highest revision of the session and of the seat; tells whether anything was new.

        What is new is due now, and due again for whoever works on it already. `desired_at` is when the revision was
        booked, where that is not now.
        """
        of_session = self._stored.desired_session(session, desired_at or now)
        of_seat = self._stored.desired_seat(session, booking)
        newer_session = {"session_revision": {"$not": {"$gte": session.revision}}}
        newer_seat = {f"seats.{booking.id}.revision": {"$not": {"$gte": booking.revision}}}
        if await self._set_if(session.id, newer_session | newer_seat, of_session | of_seat, now):
            return True
        new_session = await self._set_if(session.id, newer_session, of_session, now)
        return await self._set_if(session.id, newer_seat, of_seat, now) or new_session

    async def unsettled(
        self, organization_id: str, host_id: str | None, now: datetime
    ) -> AsyncIterator[SessionMeeting]:
        """Yield the sessions, of one host where one is named, that are not over or for which work is due."""
        may_owe = [{"session.ends_at": {"$gt": now}}, {"due_at": {"$ne": None}}]
        of_host = {"session.host.id": host_id} if host_id else {}
        async for document in self.collection.find({"organization_id": organization_id, "$or": may_owe} | of_host):
            yield self.read(document)

    async def condemn(self, session_id: str, twin: Condemned, now: datetime) -> bool:
        """Have a meeting deleted that carries the session's mark; False where it is the session's own, or on its way.

        Written without a lease, like `own_up`.
        """
        not_its_own = {"_id": session_id, "meeting.id": {"$ne": twin.id}, "intent": None} | THERE
        change: Document = {"$set": {"due_at": now, "clean_up_at": None}, "$inc": {"wakes": 1}}
        not_known_yet = {"condemned.id": {"$ne": twin.id}, "strays.id": {"$ne": twin.id}}
        condemned = await self.collection.update_one(
            not_its_own | not_known_yet, change | {"$push": {"strays": asdict(twin)}}
        )
        return condemned.modified_count == 1

    async def decide(self, session_id: str, zoom_meeting_id: int | None, now: datetime) -> bool:
        """Keep which meeting a create in doubt made, None for none; False where the session is not parked for that.

        Written without a lease, like `own_up`.
        """
        parked = {"_id": session_id, "reason.code": "zoom_not_unique"}
        document = await self.collection.find_one(parked | {"intent": {"$ne": None}}, {"intent.attempt": 1})
        if document is None:
            return False
        attempt = document["intent"]["attempt"]
        decision = {"decision": {"attempt": attempt, "zoom_meeting_id": zoom_meeting_id}}
        due_now = {"due_at": now, "retry_at": None}
        change: Document = {"$set": decision | due_now, "$inc": {"wakes": 1}}
        return (await self.collection.update_one(parked | {"intent.attempt": attempt}, change)).modified_count == 1

    async def taken(self, zoom_meeting_ids: Sequence[int]) -> set[int]:
        """Return those of these that are some session's meeting."""
        found = self.collection.find({"meeting.id": {"$in": [*zoom_meeting_ids]}}, {"meeting.id": 1})
        return {document["meeting"]["id"] async for document in found}

    async def made_through(self, connection_id: str, zoom_user_id: str, now: datetime) -> dict[str, int]:
        """Return, by session, the meetings of a Zoom user that are not over yet."""
        made = {"meeting.connection_id": connection_id, "meeting.zoom_user_id": zoom_user_id}
        found = self.collection.find(made | {"session.ends_at": {"$gt": now}}, {"meeting.id": 1})
        return {document["_id"]: document["meeting"]["id"] async for document in found}

    async def has_ahead(self, connection_id: str, zoom_user_id: str, now: datetime, until: datetime) -> bool:
        """Tell whether a Zoom user has a meeting that starts within that time."""
        made = {"meeting.connection_id": connection_id, "meeting.zoom_user_id": zoom_user_id}
        starts = {"session.starts_at": {"$gt": now, "$lt": until}}
        return await self.collection.find_one(made | starts, {"_id": 1}) is not None

    async def waiting(self, organization_id: str | None, now: datetime) -> list[tuple[str, str]]:
        """Return the sessions ahead that want a meeting and have none as they want it, each with why."""
        wanted: Document = {
            "session.starts_at": {"$gt": now},
            "session.status": "scheduled",
            "session.location.kind": "zoom",
            "session.seats_taken": {"$gt": 0},
            "session.manual_link": None,
            "$or": [{"meeting": None}, {"reason": {"$ne": None}}],
        } | ({"organization_id": organization_id} if organization_id else {})
        found = self.collection.find(wanted, {"reason": 1}).sort("_id", 1)
        return [(document["_id"], _why(document.get("reason"))) async for document in found]

    async def states(self, session_ids: AbstractSet[str]) -> dict[str, SessionMeeting]:
        """Return the sessions of these ids that there are."""
        found = self.collection.find({"_id": {"$in": [*session_ids]}} | THERE)
        return {document["_id"]: self.read(document) async for document in found}

    async def find(self, session_id: str, condition: Document | None = None) -> Document | None:
        return await self.collection.find_one({"_id": session_id} | (condition or {}))

    def read(self, document: Document) -> SessionMeeting:
        """Return the aggregate of a document. Raises convoke.vault.CannotDecrypt."""
        return self._stored.state(document)

    async def save(
        self, claim: Claim, state: SessionMeeting, announcement: Announcement | None, now: datetime, until: datetime
    ) -> Claim:
        """Store the actual half and what is to be told of it, and hold the lease until `until`.

        Returns the claim on the newest document. Raises LeaseLost.
        """
        change = self._change(claim, state, announcement, now)
        change["$set"]["lease.until"] = until
        document = await self.collection.find_one_and_update(
            claim.still_ours, change, return_document=ReturnDocument.AFTER
        )
        if document is None:
            raise LeaseLost(claim.document["_id"])
        return Claim(document, claim.owner, until)

    async def save_and_rest(
        self,
        claim: Claim,
        state: SessionMeeting,
        announcement: Announcement | None,
        now: datetime,
        due_at: datetime | None,
    ) -> Document | None:
        """Store likewise and give the lease back, due again at `due_at`.

        Returns the document; None, and nothing is stored, where somebody nudged meanwhile or the lease is lost.
        """
        change = self._change(claim, state, announcement, now)
        change["$set"] |= {"due_at": due_at, "lease": None}
        unless_nudged = claim.still_ours | {"wakes": claim.document["wakes"]}
        return await self.collection.find_one_and_update(unless_nudged, change, return_document=ReturnDocument.AFTER)

    async def own_up(self, session_id: str, stray: Condemned | None, now: datetime) -> None:
        """Tell whoever has the session now that we sent something after our lease had ended.

        Written without a lease, so beside what its holder writes: Zoom is told the whole body again, and a meeting
        that we made is deleted.
        """
        change: Document = {"$set": {"due_at": now}, "$inc": {"wakes": 1, "doubts": 1}}
        if stray:
            change["$push"] = {"strays": asdict(stray)}
        await self.collection.update_one({"_id": session_id} | THERE, change)

    def _change(
        self, claim: Claim, state: SessionMeeting, announcement: Announcement | None, now: datetime
    ) -> Document:
        change: Document = {"$set": self._stored.actual(state)}
        if strays := claim.document.get("strays"):  # they are among the condemned now
            change["$pull"] = {"strays": {"id": {"$in": [stray["id"] for stray in strays]}}}
        if claim.document.get("leaving") and not state.leaving:  # else somebody may be asking for it just now
            change["$set"]["leaving"] = None
        if not state.must_look:
            change["$set"]["looks_settled"] = claim.document.get("looks", 0)
        if not state.is_unsure:
            change["$set"]["doubts_settled"] = claim.document.get("doubts", 0)
        if announcement:
            change["$push"] = {"outbox": _outbox_entry(announcement, now, state.session.revision)}
        return change

    async def _set_if(self, session_id: str, condition: Document, values: Document, now: datetime) -> bool:
        change = {"$set": values | {"due_at": now}, "$inc": {"wakes": 1}}
        try:
            await self.collection.update_one({"_id": session_id} | THERE | condition, change, upsert=True)
        except DuplicateKeyError:  # the document is there, and the condition does not hold: not new
            return False
        return True


def _why(reason: Document | None) -> str:
    return f"{reason['title']}: {reason['detail']}. {reason['action']}" if reason else "it is being made"


def _outbox_entry(announcement: Announcement, now: datetime, session_revision: int) -> Document:
    details: dict[str, Any] = asdict(announcement)
    return entry(_EVENTS[announcement.outcome], now, session_revision=session_revision, **details)
