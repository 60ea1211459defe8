"""Telling again what was published since a time, for a broker that lost its disk and with it what it had confirmed.

Each event is what the outbox would publish now: of the same entry, so with the same id and time, and with its
document's present snapshot and revision. Who knows that revision already changes nothing.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aio_pika.exceptions import AMQPError
from faststream.rabbit import RabbitBroker

from convoke.messaging.broker import declare_topology
from convoke.messaging.cloudevents import Event
from convoke.messaging.outbox import Expand
from convoke.messaging.publisher import NotPublished, Publisher
from convoke.mongo import Collection, Document

CONNECT_WITHIN = 10.0
READ_AT_ONCE = 100


@dataclass(frozen=True)
class Source:
    """A collection whose documents carry an outbox, and what builds the events of its entries."""

    collection: Collection
    expand: Expand


@dataclass(frozen=True)
class Wanted:
    """The entries to tell again: of changes that were made at `since` or later, of all types or of one."""

    since: datetime
    event_type: str | None = None

    @property
    def query(self) -> Document:
        of_type = {"type": self.event_type} if self.event_type else {}
        return {"published": {"$elemMatch": {"time": {"$gte": self.since}} | of_type}}

    def entries(self, document: Document) -> list[Document]:
        """Return a document's entries, each once, newest first.

        They all tell the present snapshot: whoever missed them takes over the first, with the reason and the time of
        the change that led to it.
        """
        by_id = {entry["id"]: entry for entry in document["published"] if self._includes(entry)}
        return sorted(by_id.values(), key=lambda entry: entry["time"], reverse=True)

    def _includes(self, entry: Document) -> bool:
        return entry["time"] >= self.since and self.event_type in {None, entry["type"]}


class OutboxReplay:
    """What one service published. `unreadable` names each document that could not be told of, with why."""

    def __init__(self, sources: Sequence[Source], broker: RabbitBroker) -> None:
        self._sources = sources
        self._broker = broker
        self._publisher = Publisher(broker)
        self.unreadable: dict[str, str] = {}

    async def count(self, wanted: Wanted) -> Counter[str]:
        """Return how many events of which type `tell` would publish now; nothing is published."""
        counted = Counter[str]()
        async for event in self._events(wanted):
            counted[event.data.event_type] += 1
        return counted

    async def tell(self, wanted: Wanted) -> AsyncIterator[Event[Any]]:
        """Publish each event and yield it once the broker has it; safe to repeat. Raises NotPublished."""
        await self._connect()
        async with aclosing(self._events(wanted)) as events:
            async for event in events:
                await self._publisher.publish(event)
                yield event

    async def _events(self, wanted: Wanted) -> AsyncGenerator[Event[Any]]:
        for source in self._sources:
            async for document in source.collection.find(wanted.query).batch_size(READ_AT_ONCE):
                for event in self._events_of(source, document, wanted):
                    yield event

    def _events_of(self, source: Source, document: Document, wanted: Wanted) -> Sequence[Event[Any]]:
        try:
            return [event for entry in wanted.entries(document) for event in source.expand(document, entry)]
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one document, the others are told of
            self.unreadable[str(document["_id"])] = f"{type(error).__name__}: {error}"
            return ()

    async def _connect(self) -> None:
        """Connect, and declare the topology: a broker that lost its disk has no queue to take anything."""
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                await self._broker.connect()
                await declare_topology(self._broker)
        except (AMQPError, OSError, TimeoutError) as error:
            raise NotPublished(f"RabbitMQ cannot be reached: {type(error).__name__}") from error
