"""Erasures as due work: portion after portion under a lease, and again later for what was on its way meanwhile."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from structlog.stdlib import BoundLogger, get_logger

from convoke.clock import Clock
from convoke.due_work import Claim
from convoke.erasure.portions import Erasure, Portion, Renew, Scope, erase, removed
from convoke.messaging.outbox import Outbox
from convoke.mongo import Document

log: BoundLogger = get_logger(__name__)

LEASE = timedelta(minutes=2)
"""Much longer than one batch."""

BEGINS_AFTER = timedelta(seconds=1)
"""By then whoever began on an event before the request was stored has stored what it says."""

AGAIN_AFTER: Mapping[Scope, Sequence[timedelta]] = {
    "person": (timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)),
    "organization": (timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)),
    "zoom_data": (),  # a second look would find what a new connection has made since
}
"""Looks after the first one that left nothing: an event may still be in a queue, or a process at work on old data."""

WHILE_NEEDED = timedelta(hours=1)
"""Between two looks at what was still in use."""

PortionsOf = Callable[[Erasure], Sequence[Portion]]


class LeaseLost(Exception):
    """Another replica goes on with the erasure."""


@dataclass(frozen=True)
class Outcome:
    """What was removed so far, and what is left because it is still needed or cannot be read; both by kind.

    `looks` counts the looks that found nothing needed; the next one is at `due_at`, None after the last.
    """

    removed: Mapping[str, int]
    left: Mapping[str, int]
    looks: int
    due_at: datetime | None

    def removed_since(self, before: Mapping[str, int]) -> dict[str, int]:
        """Return the larger count of each kind: some of what was erased, and marked, goes by itself later."""
        return {what: max(self.removed.get(what, 0), before.get(what, 0)) for what in {**before, **self.removed}}


class Store(Protocol):
    """Where a service keeps the erasures that it works on."""

    def erasure_of(self, claim: Claim) -> Erasure:
        """Return what is to be erased."""
        ...

    async def hold(self, claim: Claim, until: datetime) -> bool:
        """Make the lease last until then; False where it is lost."""
        ...

    async def finish(self, claim: Claim, outcome: Outcome) -> Document | None:
        """Store the outcome, with the event that tells of it, and give the lease back.

        Returns the document for its outbox, None where the lease is lost.
        """
        ...


@dataclass(frozen=True)
class Eraser:
    """`work` is what a Worker calls."""

    store: Store
    portions_of: PortionsOf
    outbox: Outbox
    clock: Clock

    async def work(self, claim: Claim) -> None:
        """Erase all portions, and store what was removed. A process that dies leaves the rest to the next one."""
        try:
            await self._work(claim)
        except LeaseLost:
            log.warning("lease.lost", erasure=claim.document["_id"])

    async def _work(self, claim: Claim) -> None:
        erasure, renew = self.store.erasure_of(claim), self._renewing(claim)
        portions = self.portions_of(erasure)
        to_do = _to_do(portions, erasure, claim.document.get("left"))
        left = [(portion.what, await erase(portion, erasure, renew)) for portion in to_do]
        done = [(portion.what, await removed(portion, erasure)) for portion in portions]
        outcome = self._outcome(erasure, _summed(done), _summed(left), claim.document.get("looks", 0))
        if document := await self.store.finish(claim, outcome):
            self.outbox.publish_soon(document)
        log.info("erasure.done", erasure=erasure.id, scope=erasure.scope, removed=outcome.removed, left=outcome.left)

    def _outcome(self, erasure: Erasure, done: Mapping[str, int], left: Mapping[str, int], looks: int) -> Outcome:
        now, again_after = self.clock(), AGAIN_AFTER[erasure.scope]
        if left:
            return Outcome(done, left, 0, now + WHILE_NEEDED)
        return Outcome(done, left, looks + 1, now + again_after[looks] if looks < len(again_after) else None)

    def _renewing(self, claim: Claim) -> Renew:
        async def renew() -> None:
            if not await self.store.hold(claim, self.clock() + LEASE):
                raise LeaseLost

        return renew


def _to_do(portions: Sequence[Portion], erasure: Erasure, left: Mapping[str, int] | None) -> Sequence[Portion]:
    """Return what is to be looked at; of Zoom's data, after the first look, only what it has left."""
    if erasure.scope != "zoom_data" or left is None:
        return portions
    return [portion for portion in portions if portion.what in left]


def _summed(counts: Sequence[tuple[str, int]]) -> dict[str, int]:
    summed: dict[str, int] = {}
    for what, count in counts:
        if count:
            summed[what] = summed.get(what, 0) + count
    return summed
