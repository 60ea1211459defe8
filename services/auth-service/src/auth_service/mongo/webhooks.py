"""Webhooks that were relayed, each with its outbox: one document per event of Zoom, whatever copies of it arrive."""

from contextlib import suppress
from datetime import timedelta

from pymongo.errors import DuplicateKeyError

from auth_service.domain.webhooks import MeetingChange, Removal
from convoke.clock import Clock, utc_now
from convoke.contracts import ZoomMeetingChanged
from convoke.messaging.outbox import entry
from convoke.mongo import Database, Document

KEPT_FOR = timedelta(days=7)
"""Zoom repeats an event for 85 minutes (zoom.md 4). A copy that comes later is one look at Zoom too many, no more."""


class Webhooks:
    """Found by digest alone: what Zoom sends belongs to no organization until it is told to each that it concerns."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self.collection = database["webhooks"]
        self._clock = clock

    async def create_indexes(self) -> None:
        await self.collection.create_index(
            "received_at", name="expiry", expireAfterSeconds=int(KEPT_FOR.total_seconds())
        )

    async def is_known(self, digest: str) -> bool:
        """Tell whether an event was worked on before; a copy of one that is being worked on is not known yet."""
        return await self.collection.find_one({"_id": digest}, {"_id": 1}) is not None

    async def add_removal(self, removal: Removal) -> None:
        """Store that a removal was worked on."""
        with suppress(DuplicateKeyError):
            document = {"_id": removal.digest, "received_at": self._clock(), "kind": "removal", "outbox": []}
            await self.collection.insert_one(document)

    async def add(self, change: MeetingChange, connections: dict[str, list[str]]) -> Document | None:
        """Store a change and whom to tell: connection ids by organization. None where it was stored before."""
        now = self._clock()
        document = {
            "_id": change.digest,
            "received_at": now,
            "zoom_meeting_id": change.zoom_meeting_id,
            "change": change.change,
            "outbox": [
                entry(ZoomMeetingChanged, now, organization_id=organization_id, connection_ids=connection_ids)
                for organization_id, connection_ids in connections.items()
            ],
        }
        try:
            await self.collection.insert_one(document)
        except DuplicateKeyError:
            return None
        return document
