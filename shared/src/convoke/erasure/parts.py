"""All that a service needs to erase its share, joined for its composition root."""

from collections.abc import Sequence

from convoke.clock import Clock, utc_now
from convoke.due_work import DueWork, Worker
from convoke.erasure.consuming import erase_on_request, unless_erased
from convoke.erasure.eraser import LEASE, Eraser, PortionsOf
from convoke.erasure.shares import Shares
from convoke.messaging.consumer import Handler, Subscription
from convoke.messaging.outbox import Outbox
from convoke.messaging.publisher import Publisher


class ErasureParts:
    """A service's shares, their outbox and the worker that erases them."""

    def __init__(self, shares: Shares, publisher: Publisher, portions_of: PortionsOf, clock: Clock = utc_now) -> None:
        self._shares = shares
        self._due = DueWork(shares.collection, LEASE, clock)
        self.outbox = Outbox(shares.collection, publisher, shares.expand, clock)
        self.worker = Worker(self._due, Eraser(shares, portions_of, self.outbox, clock).work, concurrency=1)

    async def create_indexes(self) -> None:
        for store in (self._shares, self._due, self.outbox):
            await store.create_indexes()

    def on_request(self) -> Handler:
        """Return what handles a request to erase."""
        return erase_on_request(self._shares, self.worker.nudge)

    def unless_erased(self, subscriptions: Sequence[Subscription]) -> list[Subscription]:
        """Return subscriptions whose handlers are told nothing of what was erased."""
        return unless_erased(subscriptions, self._shares)
