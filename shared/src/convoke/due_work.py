"""Work that waits: documents with `due_at`, claimed one at a time under a lease.

Retries, parks and resends are such documents; no queue and no sleeping task ever holds them. A document asks for
work by `due_at`; whoever claims it writes `lease` and gives it back with the result, in one compare-and-set.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo import ReturnDocument
from structlog.stdlib import BoundLogger, get_logger

from convoke.clock import Clock, utc_now
from convoke.ids import new_token
from convoke.mongo import DATABASE_AWAY, Collection, Document

log: BoundLogger = get_logger(__name__)

LOOK_EVERY = 5.0
"""Seconds between two looks for what was made due elsewhere: a worker foresees what it knows to be due later."""

LOOK_AGAIN_AFTER = 0.05
"""Seconds after a claim in vain: a majority read may lag behind what another has claimed."""

LOOK_AGAIN_AFTER_FAILURE = 1.0
"""Seconds, where the database could not be asked."""


@dataclass(frozen=True)
class Claim:
    """A document that is ours until the lease ends; `owner` fences every write of its result."""

    document: Document
    owner: str
    until: datetime
    lease: str = "lease"

    @property
    def still_ours(self) -> Document:
        """The filter under which a result may be stored."""
        return {"_id": self.document["_id"], f"{self.lease}.owner": self.owner}


class DueWork:
    """The due documents of one collection.

    Where its documents carry a second kind of work, `kind` names the subdocument with `due_at` and `lease` of that.
    """

    def __init__(self, collection: Collection, lease: timedelta, clock: Clock = utc_now, *, kind: str = "") -> None:
        self._collection = collection
        self._lasts = lease
        self._clock = clock
        self._due_at, self._lease = (f"{kind}.{field}" if kind else field for field in ("due_at", "lease"))

    async def create_indexes(self) -> None:
        await self._collection.create_index(self._due_at, name=self._due_at, sparse=True)

    async def claim(self) -> Claim | None:
        """Return the document that is due longest and free, now leased to the caller; None if there is none."""
        now, owner = self._clock(), new_token()
        until = now + self._lasts
        document = await self._collection.find_one_and_update(
            {self._due_at: {"$lte": now}, **self._free_at(now)},
            {"$set": {self._lease: {"owner": owner, "until": until}}},
            sort=[(self._due_at, 1)],
            return_document=ReturnDocument.AFTER,
        )
        return Claim(document, owner, until, self._lease) if document else None

    async def due_in(self, longest: float) -> float:
        """Return in how many seconds a document that is free now is due, `longest` at most.

        What is leased is left out: its owner gives it back, or has died, and then the next look finds it.
        """
        now = self._clock()
        soon = {self._due_at: {"$lt": now + timedelta(seconds=longest)}, **self._free_at(now)}
        first = await self._collection.find_one(soon, {"due_at": f"${self._due_at}"}, sort=[(self._due_at, 1)])
        return max((first["due_at"] - now).total_seconds(), 0) if first else longest

    def _free_at(self, now: datetime) -> Document:
        return {"$or": [{self._lease: None}, {f"{self._lease}.until": {"$lte": now}}]}


class Worker:
    """Claims due documents and works on several at once, until it is stopped."""

    def __init__(
        self,
        due: DueWork,
        work: Callable[[Claim], Awaitable[None]],
        *,
        concurrency: int = 16,
        look_every: float | None = None,
    ) -> None:
        self._due = due
        self._work = work
        self._look_every = LOOK_EVERY if look_every is None else look_every
        self._free = asyncio.Semaphore(concurrency)
        self._woken = asyncio.Event()
        self._expects_work = True
        self._under_way: set[asyncio.Task[None]] = set()
        self._claiming = asyncio.Lock()
        self._stopping = False

    def nudge(self) -> None:
        """Look for due work now."""
        self._expects_work = True
        self._woken.set()

    async def run(self) -> None:
        """Claim and work until `stop`."""
        while not self._stopping:
            await self._free.acquire()
            if wait := await self._start_one():
                self._free.release()
                await self._rest(wait)

    async def stop(self, within: float) -> None:
        """Claim no more and finish what is under way, `within` seconds at most.

        What is cut off then is safe: it stays due, and its lease ends.
        """
        self._stopping = True
        self.nudge()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self.drain()

    async def drain(self) -> None:
        """Wait for what is under way, and claim nothing meanwhile."""
        async with self._claiming:  # what is being claimed just now is under way too
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _start_one(self) -> float:
        """Start what is due longest and return 0, or return in how many seconds to look again."""
        async with self._claiming:
            if self._stopping:
                return self._look_every
            self._woken.clear()
            try:
                return await self._claim_or_foresee()
            except DATABASE_AWAY as error:
                log.warning("database.unreachable", error=type(error).__name__)
            except Exception:
                log.exception("due_work.cannot_claim")
        return min(self._look_every, LOOK_AGAIN_AFTER_FAILURE)

    async def _claim_or_foresee(self) -> float:
        # To claim is a write, also in vain: where nobody said that there is work, a read comes first.
        if not self._expects_work and (wait := await self._due.due_in(self._look_every)):
            return wait
        self._expects_work = False
        if claim := await self._due.claim():
            self._start(claim)
            self._expects_work = True
            return 0
        return LOOK_AGAIN_AFTER

    async def _rest(self, at_most: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most):
                await self._woken.wait()

    def _start(self, claim: Claim) -> None:
        task = asyncio.create_task(self._work_on(claim))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _work_on(self, claim: Claim) -> None:
        try:
            await self._work(claim)
        except DATABASE_AWAY as error:
            log.warning("due_work.left_to_its_lease", document=claim.document["_id"], error=type(error).__name__)
        except Exception:
            log.exception("due_work.failed", document=claim.document["_id"])
        finally:
            self._free.release()
            self._woken.set()  # it may be due again before the next look
