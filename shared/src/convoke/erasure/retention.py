"""Links on what is long over are removed by themselves: one due document, so that one replica at a time does it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from pymongo.errors import DuplicateKeyError
from structlog.stdlib import BoundLogger, get_logger

from convoke.clock import Clock
from convoke.due_work import Claim, DueWork, Worker
from convoke.erasure.portions import Erasure, Portion, erase
from convoke.mongo import Database

log: BoundLogger = get_logger(__name__)

EVERY = timedelta(hours=6)
LEASE = timedelta(minutes=5)
NAME = "retention_of_links"
LOOKED_FOR_EVERY = 60.0
"""Seconds; nobody waits for it."""

PortionOf = Callable[[datetime], Portion]
"""Returns what ended before a moment and still has its link."""


class Retention:
    """Removes links a while after their sessions have ended; bookings and their history stay."""

    def __init__(self, database: Database, portion_of: PortionOf, keep_for: timedelta, clock: Clock) -> None:
        self._due_documents = database["retention"]
        self._portion_of = portion_of
        self._keep_for = keep_for
        self._clock = clock
        self._due = DueWork(self._due_documents, LEASE, clock)
        self.worker = Worker(self._due, self.work, concurrency=1, look_every=LOOKED_FOR_EVERY)

    async def create_indexes(self) -> None:
        """Create the index, and the due document where it is not there."""
        await self._due.create_indexes()
        try:
            await self._due_documents.insert_one({"_id": NAME, "due_at": self._clock(), "lease": None})
        except DuplicateKeyError:
            log.debug("retention.known_already")

    async def work(self, claim: Claim) -> None:
        """Remove what has been kept long enough, and come again."""
        now = self._clock()
        before = now - self._keep_for

        async def hold() -> None:
            until = self._clock() + LEASE
            await self._due_documents.update_one(claim.still_ours, {"$set": {"lease.until": until}})

        portion = self._portion_of(before)
        await erase(portion, Erasure(NAME, "", "zoom_data", now), hold)
        await self._due_documents.update_one(claim.still_ours, {"$set": {"due_at": now + EVERY, "lease": None}})
        log.info("links.expired", what=portion.what, ended_before=before.isoformat())
