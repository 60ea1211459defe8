"""The collection `scans`: for each Zoom user of a connection when to look next, and what was found last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo.errors import DuplicateKeyError

from convoke.due_work import Claim
from convoke.mongo import Collection, Database, Document
from meeting_service.domain.differences import Difference

AFTER_A_DOUBT = (timedelta(minutes=2), timedelta(minutes=15))
"""When a create that was in doubt is looked for again: what it made may still come to light (reliability.md, D5)."""

EVERY = timedelta(hours=24)
EVERY_WHILE_NEAR = timedelta(hours=1)
"""While a session is ahead within a day: Zoom gives a webhook up after 85 minutes."""

AGAIN_AFTER_FAILURE = timedelta(minutes=5)

REMEMBERED_FOR = timedelta(hours=1)
"""How long a replica takes for granted that a Zoom user is expected: what was erased is expected again after that."""


@dataclass(frozen=True)
class ZoomUser:
    """Whose list it is, and through which connection it is read."""

    organization_id: str
    connection_id: str
    zoom_user_id: str

    @property
    def key(self) -> str:
        return f"{self.connection_id}/{self.zoom_user_id}"


@dataclass(frozen=True)
class Result:
    """What a scan that began then found; `failure` says why there was none, and whether only people can mend that.

    `another_user` is the Zoom user who is connected now, where that is not the one who was to be scanned.
    """

    at: datetime
    listed: int = 0
    compared: int = 0
    differences: tuple[Difference, ...] = ()
    failure: str | None = None
    waits_for_people: bool = False
    another_user: str | None = None


class Scans:
    """Who is to be scanned, and when."""

    def __init__(self, database: Database) -> None:
        self.collection: Collection = database["scans"]
        self._expected: dict[str, datetime] = {}

    async def create_indexes(self) -> None:
        await self.collection.create_index("organization_id", name="organization")

    async def expect(self, user: ZoomUser, now: datetime) -> None:
        """Have a Zoom user scanned from now on; asked again and again it costs nothing."""
        if self._expected.get(user.key, now - REMEMBERED_FOR) > now - REMEMBERED_FOR:
            return
        await self._upsert(user, {}, now + EVERY_WHILE_NEAR)
        self._expected[user.key] = now

    async def sweep_after_doubt(self, user: ZoomUser, now: datetime) -> None:
        """Have a Zoom user scanned soon and again later: a request of ours may still take effect there."""
        times = [now + delay for delay in AFTER_A_DOUBT]
        await self._upsert(user, {"$push": {"asked_for": {"$each": times}}, "$inc": {"asks": 1}}, times[0])

    async def make_due(self, which: Document, at: datetime) -> int:
        """Have the scans that match made at that time; returns how many."""
        asked = {"$min": {"due_at": at}, "$push": {"asked_for": at}, "$inc": {"asks": 1}}
        return (await self.collection.update_many(which, asked)).matched_count

    async def finish(self, claim: Claim, result: Result, next_at: datetime) -> None:
        """Store what was found and give the lease back; due again when asked for, at the latest at `next_at`."""
        while found := await self.collection.find_one(claim.still_ours):
            asked_since = [at for at in found.get("asked_for", []) if at > result.at]
            done = {"result": _stored(result), "lease": None, "due_at": min([next_at, *asked_since])}
            unless_asked = claim.still_ours | {"asks": found.get("asks")}
            finished = await self.collection.update_one(unless_asked, {"$set": done | {"asked_for": asked_since}})
            if finished.matched_count:
                return

    async def results(self, organization_id: str | None = None) -> Sequence[tuple[ZoomUser, Result | None]]:
        """Return what was found last, of an organization or of all."""
        which = {"organization_id": organization_id} if organization_id else {}
        documents = await self.collection.find(which | {"is_erased": None}).sort("_id", 1).to_list(None)
        return [(user_of(document), _read(document.get("result"))) for document in documents]

    async def _upsert(self, user: ZoomUser, change: Document, at: datetime) -> None:
        fields = {"organization_id": user.organization_id, "zoom_user_id": user.zoom_user_id}
        names: Document = {"$setOnInsert": fields | {"connection_id": user.connection_id, "lease": None}}
        try:
            await self.collection.update_one({"_id": user.key}, names | change | {"$min": {"due_at": at}}, upsert=True)
        except DuplicateKeyError:  # another replica was faster: now it is there
            await self.collection.update_one({"_id": user.key}, change | {"$min": {"due_at": at}})


def user_of(document: Document) -> ZoomUser:
    return ZoomUser(document["organization_id"], document["connection_id"], document["zoom_user_id"])


def _stored(result: Result) -> Document:
    return {**vars(result), "differences": [vars(one) for one in result.differences]}


def _read(fields: dict[str, Any] | None) -> Result | None:
    if fields is None:
        return None
    return Result(**fields | {"differences": tuple(Difference(**one) for one in fields["differences"])})
