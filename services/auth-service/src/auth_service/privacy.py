"""All that erasing takes, joined for the composition root: requests, receipts, and this service's own share."""

from collections.abc import Awaitable, Callable, Sequence

from auth_service.handlers.disconnecting import Disconnecting
from auth_service.handlers.erasing import Erasing
from auth_service.messaging import requests_of, subscriptions
from auth_service.mongo.erasures import Erasures
from auth_service.mongo.portions import Portions
from convoke.clock import Clock
from convoke.contracts.topology import streams_of
from convoke.due_work import DueWork
from convoke.erasure.eraser import LEASE, Eraser
from convoke.messaging.connections import Connections as Broker
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.messaging.outbox import Outbox
from convoke.mongo import Database
from convoke.vault import Vault


class Privacy:
    """`letters` are this service's dead letters: what it consumes, it consumes for the receipts."""

    def __init__(
        self, database: Database, vault: Vault, broker: Broker, disconnecting: Disconnecting, clock: Clock
    ) -> None:
        self.letters = DeadLetters(database, vault, streams_of("auth-service"), clock)
        self.erasures, self._portions = Erasures(database, vault, clock), Portions(database, self.letters, clock)
        self.outbox = Outbox(self.erasures.collection, broker.publisher, requests_of(self.erasures.person), clock)
        self._due = DueWork(self.erasures.collection, LEASE, clock)
        eraser = Eraser(self.erasures, self._portions.of, self.outbox, clock)
        self.erasing = Erasing(self.erasures, database["connections"], disconnecting, eraser, self._due)
        broker.subscribe(subscriptions(self.erasing))
        broker.keep_dead_letters(self.letters)

    @property
    def prepare(self) -> Sequence[Callable[[], Awaitable[object]]]:
        """What creates the indexes."""
        stores = (self.erasures, self._portions, self._due, self.outbox)
        return (*(store.create_indexes for store in stores), self.letters.prepare)
