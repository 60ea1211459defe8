"""What a broker lost with its disk is told again: the same events, with the present state of their documents."""

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import aio_pika
import pytest
from pydantic import BaseModel

from convoke.clock import utc_now
from convoke.contracts import NotificationFailed, NotificationSent
from convoke.contracts.topology import BOOKING_SERVICE_NOTIFICATIONS as STREAM
from convoke.messaging import outbox as outbox_module
from convoke.messaging.broker import publishing_broker
from convoke.messaging.cloudevents import Event, parse
from convoke.messaging.connections import Connections
from convoke.messaging.outbox import Outbox, entry
from convoke.messaging.outbox_replay import OutboxReplay, Source, Wanted
from convoke.messaging.publisher import NotPublished, Refused
from convoke.mongo import Collection, Document
from local_stack.processes import free_port
from tests.integration.convoke.conftest import Wire, sample
from tests.support.eventually import eventually
from tests.support.servers import virtual_host

EVER = datetime(2026, 1, 1, tzinfo=UTC)


class NobodyListens(BaseModel):
    """An event that the topology has no queue for."""

    event_type: ClassVar[str] = "nobody.listens.v1"


def events_of(document: Document, pending: Document) -> Sequence[Event[Any]]:
    """Build the event of an entry from its document as it is now."""
    if document.get("poison"):
        raise KeyError("a defect")
    if pending["type"] == NobodyListens.event_type:
        return [replace(sample(NotificationSent.event_type), data=NobodyListens())]
    event = sample(pending["type"])
    data = event.data.model_copy(update={"booking_revision": document["revision"]})
    return [replace(event, id=pending["id"], time=pending["time"], data=data)]


def thing(number: int, *entries: Document, **fields: Any) -> Document:
    return {"_id": number, "revision": 1, "outbox": list(entries), **fields}


def told(event: Any = NotificationSent, *, ago: timedelta = timedelta(0)) -> Document:
    return entry(event, utc_now() - ago)


@pytest.fixture
async def connections(vhost: str) -> AsyncIterator[Connections]:
    connections = Connections(vhost)
    await connections.start()
    yield connections
    await connections.close()


@pytest.fixture
async def outbox(collection: Collection, connections: Connections) -> Outbox:
    return Outbox(collection, connections.publisher, events_of)


@pytest.fixture
async def replay(collection: Collection, vhost: str) -> AsyncIterator[OutboxReplay]:
    broker = publishing_broker(vhost)
    yield OutboxReplay([Source(collection, events_of)], broker)
    await broker.stop()


async def published(outbox: Outbox, collection: Collection, wire: Wire, *documents: Document) -> None:
    """Publish what these documents carry, and lose it."""
    await collection.insert_many(documents)
    for document in documents:
        await outbox.publish(document)
    await all_filed(collection)
    assert await wire.purge(STREAM.queue) == sum(len(document["outbox"]) for document in documents)


async def all_filed(collection: Collection) -> None:
    """Wait until a majority has seen that nothing is left to publish: it is what a replay reads."""

    async def nothing_left() -> bool:
        return await collection.find_one({"outbox.0": {"$exists": True}}) is None

    await eventually(nothing_left)


async def tell(replay: OutboxReplay, wanted: Wanted) -> list[str]:
    return [event.id async for event in replay.tell(wanted)]


async def events_on(wire: Wire) -> list[Event[Any]]:
    return [parse((await wire.take(STREAM.queue)).body) for _ in range(await wire.depth(STREAM.queue))]


async def test_what_was_lost_is_told_again_under_its_own_id_and_as_it_is_now(
    outbox: Outbox, replay: OutboxReplay, collection: Collection, wire: Wire
):
    first, second = told(), told(NotificationFailed)
    await published(outbox, collection, wire, thing(1, first), thing(2, second))
    await collection.update_one({"_id": 1}, {"$set": {"revision": 7}})
    assert await tell(replay, Wanted(EVER)) == [first["id"], second["id"]]
    again = await events_on(wire)
    assert [(event.id, event.time, event.data.booking_revision) for event in again] == [
        (first["id"], first["time"], 7),
        (second["id"], second["time"], 1),
    ]


async def test_counting_says_what_telling_does_and_publishes_nothing(
    outbox: Outbox, replay: OutboxReplay, collection: Collection, wire: Wire
):
    documents = [thing(1, told(), told(NotificationFailed)), thing(2, told()), thing(3)]
    await published(outbox, collection, wire, *documents)
    counted = await replay.count(Wanted(EVER))
    assert counted == {"notification.sent.v1": 2, "notification.failed.v1": 1}
    assert await wire.depth(STREAM.queue) == 0
    await tell(replay, Wanted(EVER))
    assert Counter(event.data.event_type for event in await events_on(wire)) == counted


async def test_only_what_was_told_since_then_and_of_that_type(
    outbox: Outbox, replay: OutboxReplay, collection: Collection, wire: Wire
):
    old, new, other = told(ago=timedelta(hours=2)), told(), told(NotificationFailed)
    await published(outbox, collection, wire, thing(1, old, new, other), thing(2, told(ago=timedelta(hours=3))))
    an_hour_ago = utc_now() - timedelta(hours=1)
    assert set(await tell(replay, Wanted(an_hour_ago))) == {new["id"], other["id"]}
    assert await tell(replay, Wanted(an_hour_ago, NotificationFailed.event_type)) == [other["id"]]
    assert await tell(replay, Wanted(old["time"], NotificationSent.event_type)) == [new["id"], old["id"]]


async def test_the_newest_change_of_a_document_is_told_first(
    outbox: Outbox, replay: OutboxReplay, collection: Collection, wire: Wire
):
    """They carry the same snapshot, and a consumer takes time and reason from the first that it gets."""
    entries = [told(ago=timedelta(minutes=minutes)) for minutes in (30, 20, 10)]
    await published(outbox, collection, wire, thing(1, *entries))
    assert await tell(replay, Wanted(EVER)) == [pending["id"] for pending in reversed(entries)]


async def test_telling_again_may_be_repeated(outbox: Outbox, replay: OutboxReplay, collection: Collection, wire: Wire):
    pending = told()
    await published(outbox, collection, wire, thing(1, pending))
    for _ in range(2):
        assert await tell(replay, Wanted(EVER)) == [pending["id"]]
    one, other = await events_on(wire)
    assert one == other


async def test_an_entry_that_two_processes_published_is_told_once(
    *, outbox: Outbox, replay: OutboxReplay, collection: Collection, connections: Connections, wire: Wire
):
    first, second = told(), told()
    await collection.insert_one(thing(1, first, second))
    await outbox.publish(thing(1, first))
    await Outbox(collection, connections.publisher, events_of).publish(thing(1, first, second))
    await all_filed(collection)
    assert await wire.purge(STREAM.queue) == 3
    assert sorted(await tell(replay, Wanted(EVER))) == sorted([first["id"], second["id"]])


async def test_what_is_published_late_by_a_frozen_process_is_filed_once(
    outbox: Outbox, collection: Collection, connections: Connections
):
    document = thing(1, told())
    await collection.insert_one(document)
    for publisher in (outbox, Outbox(collection, connections.publisher, events_of)):
        await publisher.publish(document)
    await all_filed(collection)
    assert await collection.find_one({"_id": 1}) == {**document, "outbox": [], "published": document["outbox"]}


async def test_a_document_that_cannot_be_read_holds_up_no_other_and_is_named(
    outbox: Outbox, replay: OutboxReplay, collection: Collection, wire: Wire
):
    lost, readable = told(), told()
    await published(outbox, collection, wire, thing(1, lost), thing(2, readable))
    await collection.update_one({"_id": 1}, {"$set": {"poison": True}})
    assert await tell(replay, Wanted(EVER)) == [readable["id"]]
    assert replay.unreadable == {"1": "KeyError: 'a defect'"}


async def test_a_broker_that_knows_no_queue_gets_the_topology_first(
    *, outbox: Outbox, collection: Collection, rabbitmq_addresses: dict[str, str], worker_prefix: str, wire: Wire
):
    pending = told()
    await published(outbox, collection, wire, thing(1, pending))
    with virtual_host(rabbitmq_addresses, f"{worker_prefix}-{uuid.uuid4().hex[:8]}") as new_broker:
        broker = publishing_broker(new_broker)
        await tell(OutboxReplay([Source(collection, events_of)], broker), Wanted(EVER))
        await broker.stop()
        async with await aio_pika.connect(new_broker) as connection:
            assert [event.id for event in await events_on(Wire(await connection.channel()))] == [pending["id"]]


async def test_a_broker_that_is_away_or_refuses_ends_it(
    outbox: Outbox, replay: OutboxReplay, collection: Collection, wire: Wire
):
    nobody = publishing_broker(f"amqp://guest:guest@127.0.0.1:{free_port()}/")
    with pytest.raises(NotPublished, match="RabbitMQ cannot be reached"):
        await tell(OutboxReplay([Source(collection, events_of)], nobody), Wanted(EVER))
    await nobody.stop()
    await published(outbox, collection, wire, thing(1, told()))
    await collection.insert_one(thing(2, published=[told(NobodyListens)]))
    with pytest.raises(Refused):
        await tell(replay, Wanted(EVER))


async def test_so_many_published_entries_stay_and_no_more(
    outbox: Outbox, collection: Collection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outbox_module, "PUBLISHED_KEPT", 3)
    entries = [told() for _ in range(5)]
    for pending in entries:
        await collection.update_one({"_id": 1}, {"$set": {"revision": 1}, "$push": {"outbox": pending}}, upsert=True)
        await outbox.publish(thing(1, pending))
    await all_filed(collection)
    document = await collection.find_one({"_id": 1})
    assert document
    assert [pending["id"] for pending in document["published"]] == [pending["id"] for pending in entries[2:]]
