"""The sessions: one document each, which carries its seats, its claims on the host's time, its answers and its outbox.

Every change is one write, and is refused by an index or by the revision it started from, never by a look beforehand.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from booking_service.domain.answers import Answer, Request
from booking_service.domain.refusals import BookingNotFound, HostIsBooked, KeyReused, Refused
from booking_service.domain.session import Meeting, Session
from booking_service.domain.timeline import TimelineEntry
from booking_service.mongo.answers import Answers
from booking_service.mongo.paging import Page, page_of
from booking_service.mongo.session_documents import SessionDocuments, token_hash
from convoke.messaging.outbox import OUTBOX_LIMIT
from convoke.mongo import Collection, Document, find_surely
from convoke.vault import Vault

LONGEST_TIMELINE = 200
"""Entries; the oldest are dropped beyond that."""


@dataclass(frozen=True)
class Record:
    """What is written together with a change: its event, its line in the timeline, and what its asker is told."""

    event: Document
    entry: TimelineEntry
    request: Request
    answer: Answer


@dataclass(frozen=True)
class Stored:
    """A session as it was read, with the document that it was read from."""

    session: Session
    document: Document

    @property
    def outbox_is_full(self) -> bool:
        return len(self.document.get("outbox", ())) >= OUTBOX_LIMIT

    @property
    def timeline(self) -> list[TimelineEntry]:
        return [TimelineEntry(entry["at"], entry["what"], entry["detail"]) for entry in self.document["timeline"]]


class Sessions:
    """The sessions of all organizations."""

    def __init__(self, collection: Collection, vault: Vault) -> None:
        self.collection = collection
        self.documents = SessionDocuments(vault)
        self.answers = Answers(collection, vault)

    async def create_indexes(self) -> None:
        await self.collection.create_index(
            [("organization_id", 1), ("claims", 1)],
            name="claims",
            unique=True,
            partialFilterExpression={"claims": {"$exists": True}},
        )
        await self.collection.create_index([("organization_id", 1), ("seats.id", 1)], name="booking", unique=True)
        await self.collection.create_index([("organization_id", 1), ("starts_at", 1), ("_id", 1)], name="list")
        await self.collection.create_index(
            [("organization_id", 1), ("host._id", 1), ("starts_at", 1), ("_id", 1)], name="list_of_host"
        )
        await self.collection.create_index("seats.join_hash", name="join_hash")
        await self.collection.create_index("seats.manage_hash", name="manage_hash")
        await self.answers.create_indexes()

    async def add(self, session: Session, record: Record) -> Document:
        """Store a new session and return its document. Raises HostIsBooked, KeyReused or NotPreparedYet."""
        document = {**self.documents.document(session), **self._pushed(session.id, record)}
        try:
            await self.collection.insert_one(document)
        except DuplicateKeyError as error:
            raise _refusal_of(error) from None
        return document

    async def change(self, before: Session, after: Session, record: Record) -> Document | None:
        """Store a change and return the document; None where others changed it since `before` was read.

        Raises HostIsBooked or KeyReused.
        """
        pushed = self._pushed(before.id, record)
        update: Document = {
            "$set": self.documents.schedule(after),
            "$push": {name: {"$each": entries} for name, entries in pushed.items()} | _appended(pushed["timeline"]),
        }
        if after.status == "canceled":
            update["$unset"] = {"claims": ""}
        try:
            return await self.collection.find_one_and_update(
                {**_unchanged(before), f"outbox.{OUTBOX_LIMIT - 1}": {"$exists": False}},
                update,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError as error:
            raise _refusal_of(error) from None

    async def remember(self, session: Session, request: Request, answer: Answer, now: datetime) -> bool:
        """Keep the answer to a request that changed nothing; False where others changed the session meanwhile.

        Raises KeyReused.
        """
        entries = self.answers.entries(session.id, request, answer, now)
        if not entries:
            return True
        # An index does not see the same key twice in one document, so the filter must.
        unchanged = {**_unchanged(session), "idempotency.key": {"$ne": request.key}}
        try:
            done = await self.collection.update_one(unchanged, {"$push": {"idempotency": {"$each": entries}}})
        except DuplicateKeyError as error:
            raise _refusal_of(error) from None
        return done.matched_count == 1

    async def find(self, organization_id: str, booking_id: str) -> Stored | None:
        document = await find_surely(self.collection, {"organization_id": organization_id, "seats.id": booking_id})
        return self._stored(document)

    async def find_by_token(self, kind: Literal["join", "manage"], token: str) -> Stored | None:
        """Return the session that an address is of; whoever knows the token needs no tenant."""
        # Anybody may ask for any token, so a miss must stay cheap.
        return self._stored(await self.collection.find_one({f"seats.{kind}_hash": token_hash(token)}))

    async def page(
        self,
        organization_id: str,
        *,
        host_id: str | None,
        status: str | None,
        starting: tuple[datetime | None, datetime | None],
        limit: int,
        cursor: str | None,
    ) -> Page[Session]:
        """Return sessions by their start; `starting` is from the first moment on and before the second."""
        begin, end = starting
        query: Document = {"organization_id": organization_id, "is_erased": None}
        between = {name: at for name, at in (("$gte", begin), ("$lt", end)) if at is not None}
        query |= {"starts_at": between} if between else {}
        query |= {"host._id": host_id} if host_id is not None else {}
        query |= {"seats.status": status} if status is not None else {}
        found = await page_of(self.collection, query, order="starts_at", limit=limit, cursor=cursor)
        return Page([self.documents.session(document) for document in found.items], found.next_cursor)

    async def tell_meeting(self, organization_id: str, session_id: str, meeting: Meeting, entry: TimelineEntry) -> bool:
        """Store what meeting-service said; False where it said so, or something newer, before.

        Raises BookingNotFound.
        """
        session = {"_id": session_id, "organization_id": organization_id}
        done = await self.collection.update_one(
            {**session, "meeting.revision": {"$lt": meeting.revision}},
            {
                "$set": {"meeting": self.documents.meeting(organization_id, session_id, meeting)},
                "$push": _appended([dict(vars(entry))]),
            },
        )
        if not done.matched_count:
            await self._must_know(session)
        return done.matched_count == 1

    async def tell_timeline(self, organization_id: str, booking_id: str, entry: TimelineEntry, once: str) -> bool:
        """Add a line about a booking; False where the line called `once` is there already. Raises BookingNotFound."""
        booking = {"organization_id": organization_id, "seats.id": booking_id}
        line = {**vars(entry), "booking_id": booking_id, "once": once}
        done = await self.collection.update_one(
            {**booking, "timeline.once": {"$ne": once}, "is_erased": None}, {"$push": _appended([line])}
        )
        if not done.matched_count:
            await self._must_know(booking)
        return done.matched_count == 1

    async def meeting_revision(self, organization_id: str, session_id: str) -> int:
        """Return the revision of what meeting-service said last of a session. Raises BookingNotFound."""
        session = {"_id": session_id, "organization_id": organization_id}
        document = await find_surely(self.collection, session, {"meeting.revision": 1})
        if document is None:
            raise BookingNotFound(f"this service has no session '{session_id}'")
        return int(document["meeting"]["revision"])

    async def has_line(self, organization_id: str, booking_id: str, once: str) -> bool:
        """Tell whether the line called `once` is in a booking's timeline. Raises BookingNotFound."""
        booking = {"organization_id": organization_id, "seats.id": booking_id}
        if await self.collection.find_one(booking | {"timeline.once": once}, {"_id": 1}):
            return True
        await self._must_know(booking)
        return False

    def _stored(self, document: Document | None) -> Stored | None:
        if document is None or "is_erased" in document:
            return None
        return Stored(self.documents.session(document), document)

    async def _must_know(self, query: Document) -> None:
        if await find_surely(self.collection, query, {"_id": 1}) is None:
            raise BookingNotFound("the message is about a booking that this service does not have")

    def _pushed(self, session_id: str, record: Record) -> dict[str, list[Document]]:
        now = record.entry.at
        return {
            "outbox": [record.event],
            "timeline": [dict(vars(record.entry))],
            "idempotency": self.answers.entries(session_id, record.request, record.answer, now),
        }


def _appended(entries: list[Document]) -> Document:
    return {"timeline": {"$each": entries, "$slice": -LONGEST_TIMELINE}}


def _unchanged(session: Session) -> Document:
    # A tombstone has the revision of what it stands for.
    the_one = {"_id": session.id, "organization_id": session.organization_id}
    return the_one | {"revision": session.revision, "is_erased": None}


def _refusal_of(error: DuplicateKeyError) -> Refused:
    index = dict((error.details or {}).get("keyPattern", {}))
    if "claims" in index:
        return HostIsBooked("another session takes that time of the host")
    if "idempotency.key" in index:
        return KeyReused("the key was used for another request")
    raise error
