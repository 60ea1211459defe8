"""The collection `meetings`: one document per session, its desired half written by events, its actual by a lease.

`wakes` counts the nudges. A reconciler that gives its lease back may only forget `due_at` if nobody nudged meanwhile.
"""

from collections.abc import Sequence
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
from meeting_service.domain.meeting import Condemned, SessionMeeting
from meeting_service.stored import Stored

_EVENTS: dict[str, type[EventData]] = {"ready": MeetingReady, "failed": MeetingFailed, "canceled": MeetingCanceled}


class LeaseLost(Exception):
    """Another replica has the session now. What was sent to Zoom meanwhile must be left for it: `own_up`."""


class Meetings:
    """Stores what is desired, and what the holder of a lease found or did."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self.collection: Collection = database["meetings"]
        self._stored = Stored(vault)

    async def create_indexes(self) -> None:
        await self.collection.create_index([("organization_id", 1), ("reason.code", 1)], name="parked", sparse=True)

    async def desire(self, session: Session, booking: Booking, now: datetime) -> bool:
        """Keep the highest revision of the session and of the seat; tells whether anything was new.

        What is new is due now, and due again for whoever works on it already.
        """
        of_session = self._stored.desired_session(session)
        of_seat = self._stored.desired_seat(session, booking)
        newer_session = {"session_revision": {"$not": {"$gte": session.revision}}}
        newer_seat = {f"seats.{booking.id}.revision": {"$not": {"$gte": booking.revision}}}
        if await self._set_if(session.id, newer_session | newer_seat, of_session | of_seat, now):
            return True
        new_session = await self._set_if(session.id, newer_session, of_session, now)
        return await self._set_if(session.id, newer_seat, of_seat, now) or new_session

    async def nudge_parked(self, organization_id: str, codes: Sequence[str], now: datetime) -> int:
        """Make due now what waits for a connection of this organization; returns how many.

        Whatever is being worked on counts too: it may just be about to find that it has to wait.
        """
        waits = [{"reason.code": {"$in": codes}}, {"lease": {"$ne": None}}, {"condemned.0": {"$exists": True}}]
        waiting = {"organization_id": organization_id, "$or": waits}
        nudged = await self.collection.update_many(
            waiting, {"$set": {"due_at": now, "retry_at": None, "clean_up_at": None}, "$inc": {"wakes": 1}}
        )
        return nudged.modified_count

    async def find(self, session_id: str) -> Document | None:
        return await self.collection.find_one({"_id": session_id})

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
        await self.collection.update_one({"_id": session_id}, change)

    def _change(
        self, claim: Claim, state: SessionMeeting, announcement: Announcement | None, now: datetime
    ) -> Document:
        change: Document = {"$set": self._stored.actual(state)}
        if strays := claim.document.get("strays"):  # they are among the condemned now
            change["$pull"] = {"strays": {"id": {"$in": [stray["id"] for stray in strays]}}}
        if not state.is_unsure:
            change["$set"]["doubts_settled"] = claim.document.get("doubts", 0)
        if announcement:
            change["$push"] = {"outbox": _outbox_entry(announcement, now, state.session.revision)}
        return change

    async def _set_if(self, session_id: str, condition: Document, values: Document, now: datetime) -> bool:
        change = {"$set": values | {"due_at": now}, "$inc": {"wakes": 1}}
        try:
            await self.collection.update_one({"_id": session_id} | condition, change, upsert=True)
        except DuplicateKeyError:  # the document is there, and the condition does not hold: not new
            return False
        return True


def _outbox_entry(announcement: Announcement, now: datetime, session_revision: int) -> Document:
    details: dict[str, Any] = asdict(announcement)
    return entry(_EVENTS[announcement.outcome], now, session_revision=session_revision, **details)
