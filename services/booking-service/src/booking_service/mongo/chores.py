"""Forgetting old answers: one due document, so that one replica at a time does it, every hour."""

from collections.abc import Sequence
from datetime import timedelta

from pymongo.errors import DuplicateKeyError
from structlog.stdlib import BoundLogger, get_logger

from booking_service.mongo.answers import KEPT_FOR, Answers
from convoke.clock import Clock
from convoke.due_work import Claim, DueWork, Worker
from convoke.mongo import Collection

log: BoundLogger = get_logger(__name__)

EVERY = timedelta(hours=1)
LEASE = timedelta(minutes=5)
NAME = "forget_old_answers"


class Forgetting:
    """Drops the answers to idempotency keys that are older than 48 hours."""

    def __init__(self, chores: Collection, answers: Sequence[Answers], clock: Clock) -> None:
        self._chores = chores
        self._answers = answers
        self._clock = clock
        self._due = DueWork(chores, LEASE, clock)
        self.worker = Worker(self._due, self._forget, concurrency=1)

    async def prepare(self) -> None:
        """Create the index, and the due document where it is not there."""
        await self._due.create_indexes()
        try:
            await self._chores.insert_one({"_id": NAME, "due_at": self._clock(), "lease": None})
        except DuplicateKeyError:
            log.debug("chores.known_already")

    async def _forget(self, claim: Claim) -> None:
        now = self._clock()
        documents = sum([await answers.forget(now - KEPT_FOR) for answers in self._answers])
        await self._chores.update_one(claim.still_ours, {"$set": {"due_at": now + EVERY, "lease": None}})
        if documents:
            log.info("answers.forgotten", documents=documents)
