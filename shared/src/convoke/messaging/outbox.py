"""The outbox in the aggregate: a change and its events are one document write; publishing follows the commit.

An entry says that something happened; its events are built from the document as it is when they are published.
So a late or repeated event carries the newest snapshot and the newest revision. A published entry stays with its
document, among `published`, for a broker that loses what it had confirmed: see outbox_replay.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from structlog.stdlib import BoundLogger, get_logger

from convoke.clock import Clock, utc_now
from convoke.contracts.wire import EventData
from convoke.ids import new_id
from convoke.messaging.cloudevents import Event
from convoke.messaging.publisher import NotPublished, Publisher, Refused
from convoke.mongo import DATABASE_AWAY, REDELIVERABLE, Collection, Document
from convoke.tracing import current_traceparent

log: BoundLogger = get_logger(__name__)

OUTBOX_LIMIT = 200
"""Entries of one document beyond which it takes no more changes until the broker is back."""

PUBLISHED_KEPT = OUTBOX_LIMIT
"""Published entries that stay with one document; the oldest go first, and what a younger one tells is newer anyway."""

SWEEP_EVERY = 2.0
LEFT_BEHIND_AFTER = timedelta(seconds=3)
"""An entry older than that was left by a process that died or could not reach the broker."""

Expand = Callable[[Document, Document], Sequence[Event[Any]]]
"""Builds the events of one entry from its document; an empty answer drops the entry."""


def entry(event: type[EventData], now: datetime, **details: Any) -> Document:
    """Return an outbox entry to `$push` into `outbox` in the same write as the change that it tells of."""
    return {
        "id": new_id("evt"),
        "type": event.event_type,
        "time": now,
        "traceparent": current_traceparent(),
        **details,
    }


class Outbox:
    """Publishes the outbox entries of one collection's documents, at once after a commit or in a sweep."""

    def __init__(self, collection: Collection, publisher: Publisher, expand: Expand, clock: Clock = utc_now) -> None:
        self._collection = collection
        self._publisher = publisher
        self._expand = expand
        self._clock = clock
        self._under_way: set[asyncio.Task[None]] = set()
        self._being_published: set[str] = set()
        self._broker_is_away = False

    async def create_indexes(self) -> None:
        await self._collection.create_index("outbox.time", name="outbox", sparse=True)

    def publish_soon(self, document: Document) -> None:
        """Publish what a just committed document carries, without making its writer wait for the broker."""
        if self._broker_is_away or not document.get("outbox"):
            return
        task = asyncio.create_task(self._publish_or_leave(document))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def publish(self, document: Document) -> None:
        """Publish a document's entries in order and file the confirmed ones. Raises NotPublished.

        An entry that this process is publishing already, from an earlier state of the document, is left to that.
        """
        entries = [pending for pending in document["outbox"] if pending["id"] not in self._being_published]
        ids = {pending["id"] for pending in entries}
        self._being_published |= ids
        confirmed: list[Document] = []
        try:
            for pending in entries:
                for event in self._expand(document, pending):
                    await self._publisher.publish(event)
                confirmed.append(pending)
        finally:
            try:
                if confirmed:
                    await self._file(document["_id"], confirmed)
            finally:
                self._being_published -= ids

    async def sweep(self) -> int:
        """Publish what was left behind; returns how many documents it did that for. Raises NotPublished.

        A document that cannot be published holds up no other: only a broker or a database that is away ends a sweep.
        """
        too_old = self._clock() - LEFT_BEHIND_AFTER
        swept = 0
        async for document in self._collection.find({"outbox.time": {"$lt": too_old}}):
            swept += await self._swept(document)
        return swept

    async def run(self) -> None:
        """Sweep for ever."""
        while True:
            try:
                swept = await self.sweep()
                self._broker_is_away = False
                if swept:
                    log.info("outbox.swept", documents=swept)
            except (NotPublished, *DATABASE_AWAY) as error:
                log.warning("outbox.sweep_failed", error=str(error) or type(error).__name__)
            except Exception:
                log.exception("outbox.sweep_failed")
            await asyncio.sleep(SWEEP_EVERY)

    async def drain(self) -> None:
        """Wait for the publishing that is under way; each is bounded by the publish time-out."""
        if self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _swept(self, document: Document) -> bool:
        try:
            await self.publish(document)
        except Refused as error:
            log.warning("outbox.refused", document=document["_id"], error=str(error))
        except (NotPublished, *DATABASE_AWAY):
            raise
        except Exception:
            log.exception("outbox.unpublishable", document=document["_id"])
        else:
            return True
        return False

    async def _publish_or_leave(self, document: Document) -> None:
        try:
            await self.publish(document)
        except Refused as error:
            log.warning("outbox.refused", document=document["_id"], error=str(error))
        except NotPublished as error:
            self._broker_is_away = True
            log.warning("outbox.left_for_sweep", document=document["_id"], error=str(error))
        except DATABASE_AWAY as error:
            log.warning("outbox.left_for_sweep", document=document["_id"], error=type(error).__name__)
        except Exception:
            log.exception("outbox.unpublishable", document=document["_id"])

    async def _file(self, document_id: Any, confirmed: list[Document]) -> None:
        """Move entries from `outbox` to `published`; nothing happens where another process has done that already."""
        ids = {"$in": [pending["id"] for pending in confirmed]}
        await self._collection.with_options(write_concern=REDELIVERABLE).update_one(
            {"_id": document_id, "outbox.id": ids},
            {
                "$pull": {"outbox": {"id": ids}},
                "$push": {"published": {"$each": confirmed, "$slice": -PUBLISHED_KEPT}},
            },
        )
