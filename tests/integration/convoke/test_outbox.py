"""What a document carries is published once while all goes well, and after every failure until it is confirmed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo.read_concern import ReadConcern

from convoke import mongo
from convoke.clock import utc_now
from convoke.contracts import NotificationSent, PrivacyErased
from convoke.contracts.topology import BOOKING_SERVICE_NOTIFICATIONS as STREAM
from convoke.messaging import outbox as outbox_module
from convoke.messaging.cloudevents import Event
from convoke.messaging.connections import Connections
from convoke.messaging.outbox import Outbox, entry
from convoke.messaging.publisher import NotPublished, Refused
from convoke.mongo import Collection, Document
from local_stack.mongodb import MongoDB
from tests.integration.convoke.conftest import Wire, sample
from tests.support.eventually import eventually


def events_of(document: Document, pending: Document) -> Sequence[Event[Any]]:
    """Build as many events as the entry asks for, under ids that tell which entry they are of."""
    if document.get("poison"):
        raise KeyError("a defect")
    number = pending.get("events", 1)
    return [replace(sample(pending["type"]), id=f"{pending['id']}.{seat}") for seat in range(number)]


def thing(number: int, *entries: Document, **fields: Any) -> Document:
    return {"_id": number, "outbox": list(entries), **fields}


def left_behind(event: Any = NotificationSent, **details: Any) -> Document:
    return entry(event, utc_now() - timedelta(seconds=10), **details)


def fresh(event: Any = NotificationSent, **details: Any) -> Document:
    return entry(event, utc_now(), **details)


@pytest.fixture
async def connections(vhost: str) -> AsyncIterator[Connections]:
    """Connections that are not started: the broker is away until a test starts them."""
    connections = Connections(vhost)
    yield connections
    await connections.close()


@pytest.fixture
async def outbox(collection: Collection, connections: Connections) -> Outbox:
    """An outbox whose broker is there."""
    await connections.start()
    return Outbox(collection, connections.publisher, events_of)


async def ids_on(wire: Wire, number: int) -> list[str]:
    """Return the next `number` message ids without their seat, and make sure that there are no more."""
    ids = [str((await wire.take(STREAM.queue)).message_id).partition(".")[0] for _ in range(number)]
    assert await wire.depth(STREAM.queue) == 0
    return ids


async def distinct_ids_on(wire: Wire) -> set[str]:
    """Return the ids that are there, waiting for the first.

    A sweep soon after another may see an entry whose pull no majority has seen yet: its copy has the same id.
    """
    ids = {str((await wire.take(STREAM.queue)).message_id)}
    while await wire.depth(STREAM.queue):
        ids.add(str((await wire.take(STREAM.queue)).message_id))
    return {message_id.partition(".")[0] for message_id in ids}


async def left_in(collection: Collection) -> list[tuple[int, str]]:
    """Return document and id of all entries, also before a majority has seen that others are gone."""
    newest = collection.with_options(read_concern=ReadConcern("local"))
    return [(document["_id"], pending["id"]) async for document in newest.find() for pending in document["outbox"]]


async def is_empty(collection: Collection) -> bool:
    return await left_in(collection) == []


async def test_what_was_committed_is_published_once_and_pulled(outbox: Outbox, collection: Collection, wire: Wire):
    document = thing(1, fresh())
    await collection.insert_one(document)
    outbox.publish_soon(document)
    await outbox.drain()
    assert await ids_on(wire, 1) == [document["outbox"][0]["id"]]
    assert await is_empty(collection)


async def test_an_entry_that_becomes_many_events_is_pulled_after_the_last(
    outbox: Outbox, collection: Collection, wire: Wire
):
    document = thing(1, fresh(events=3), fresh(events=0), fresh())
    await collection.insert_one(document)
    await outbox.publish(document)
    first, nothing, last = (pending["id"] for pending in document["outbox"])
    assert await ids_on(wire, 4) == [first, first, first, last]
    assert await is_empty(collection), f"{nothing} became no event and is done"


async def test_the_events_of_one_document_keep_their_order(outbox: Outbox, collection: Collection, wire: Wire):
    document = thing(1, *(fresh() for _ in range(20)))
    await collection.insert_one(document)
    await outbox.publish(document)
    assert await ids_on(wire, 20) == [pending["id"] for pending in document["outbox"]]


async def test_an_entry_in_two_states_of_a_document_is_published_once(
    outbox: Outbox, collection: Collection, wire: Wire
):
    first, second = fresh(), fresh()
    await collection.insert_one(thing(1, first, second))
    outbox.publish_soon(thing(1, first))
    outbox.publish_soon(thing(1, first, second))
    await outbox.drain()
    assert sorted(await ids_on(wire, 2)) == sorted([first["id"], second["id"]])
    assert await is_empty(collection)


async def test_an_entry_pushed_while_its_document_is_published_stays(
    outbox: Outbox, collection: Collection, wire: Wire
):
    first, second = fresh(), fresh()
    await collection.insert_one(thing(1, first))
    outbox.publish_soon(thing(1, first))
    await collection.update_one({"_id": 1}, {"$push": {"outbox": second}})
    await outbox.drain()
    assert await left_in(collection) == [(1, second["id"])]
    assert await ids_on(wire, 1) == [first["id"]]


async def test_what_a_dead_process_left_behind_is_swept_and_what_is_fresh_is_not(
    outbox: Outbox, collection: Collection, wire: Wire
):
    documents = [thing(number, left_behind()) for number in range(300)]
    await collection.insert_many([*documents, thing(300, fresh())])
    assert await outbox.sweep() == 300
    assert sorted(await ids_on(wire, 300)) == sorted(document["outbox"][0]["id"] for document in documents)
    assert [number for number, _ in await left_in(collection)] == [300]


async def test_what_the_broker_could_not_take_is_published_when_it_is_back(
    collection: Collection, connections: Connections, wire: Wire, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outbox_module, "SWEEP_EVERY", 0.02)
    outbox = Outbox(collection, connections.publisher, events_of)
    document = thing(1, left_behind())
    await collection.insert_one(document)
    with pytest.raises(NotPublished):
        await outbox.publish(document)
    outbox.publish_soon(document)
    await outbox.drain()
    assert not await is_empty(collection)
    sweeping = asyncio.create_task(outbox.run())
    await connections.start()
    await eventually(lambda: is_empty(collection))
    soon = thing(2, fresh())
    await collection.insert_one(soon)
    await eventually(lambda: publishes_at_once(outbox, soon, collection), within=2)
    sweeping.cancel()
    assert await distinct_ids_on(wire) == {published["outbox"][0]["id"] for published in (document, soon)}


async def publishes_at_once(outbox: Outbox, document: Document, collection: Collection) -> bool:
    outbox.publish_soon(document)
    await outbox.drain()
    return await is_empty(collection)


async def test_an_event_without_a_queue_is_kept(outbox: Outbox, collection: Collection, wire: Wire):
    await wire.leave_without_a_queue(PrivacyErased)
    document = thing(1, fresh(PrivacyErased))
    await collection.insert_one(document)
    with pytest.raises(Refused):
        await outbox.publish(document)
    assert not await is_empty(collection)


async def test_what_was_confirmed_before_a_refusal_is_pulled_and_the_rest_stays_in_order(
    outbox: Outbox, collection: Collection, wire: Wire
):
    await wire.leave_without_a_queue(PrivacyErased)
    document = thing(1, fresh(), fresh(PrivacyErased), fresh())
    await collection.insert_one(document)
    with pytest.raises(Refused):
        await outbox.publish(document)
    assert await left_in(collection) == [(1, pending["id"]) for pending in document["outbox"][1:]]
    assert await ids_on(wire, 1) == [document["outbox"][0]["id"]]


@pytest.mark.parametrize(
    "stuck",
    [thing(0, left_behind(PrivacyErased)), thing(0, left_behind(), poison=True)],
    ids=["refused", "defect"],
)
async def test_a_document_that_cannot_be_published_holds_up_no_other(
    outbox: Outbox, collection: Collection, wire: Wire, stuck: Document
):
    await wire.leave_without_a_queue(PrivacyErased)
    await collection.insert_many([stuck, thing(1, left_behind()), thing(2, left_behind())])
    assert await outbox.sweep() == 2
    outbox.publish_soon(stuck)
    await outbox.drain()
    soon = thing(3, fresh())
    await collection.insert_one(soon)
    outbox.publish_soon(soon)
    await outbox.drain()
    assert len(await ids_on(wire, 3)) == 3
    assert [number for number, _ in await left_in(collection)] == [0]


async def test_sweeping_survives_a_document_that_is_not_as_it_should_be(
    outbox: Outbox, collection: Collection, wire: Wire, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outbox_module, "SWEEP_EVERY", 0.02)
    await collection.insert_one({"_id": 0, "outbox": {"time": utc_now() - timedelta(days=1)}})
    sweeping = asyncio.create_task(outbox.run())
    document = thing(1, left_behind())
    await collection.insert_one(document)
    assert await distinct_ids_on(wire) == {document["outbox"][0]["id"]}
    assert not sweeping.done()
    sweeping.cancel()


async def test_publishing_that_is_cut_off_leaves_its_entries_to_the_sweep(
    collection: Collection, outbox: Outbox, wire: Wire
):
    document = thing(1, *(left_behind() for _ in range(50)))
    await collection.insert_one(document)
    publishing = asyncio.create_task(outbox.publish(document))
    await wire.take(STREAM.queue)
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    await outbox.sweep()
    assert await is_empty(collection)


async def test_a_database_that_dies_between_publishing_and_pulling_gets_its_pull_later(
    connections: Connections, wire: Wire, tmp_path: Path
):
    server = MongoDB(tmp_path)
    server.start()
    await asyncio.to_thread(server.wait_until_ready)
    client = mongo.connect(server.url)
    collection = mongo.database(client, "test")["things"]

    def die_and_expand(document: Document, pending: Document) -> Sequence[Event[Any]]:
        server.kill()
        return events_of(document, pending)

    await connections.start()
    outbox = Outbox(collection, connections.publisher, die_and_expand)
    document = thing(1, left_behind())
    await collection.insert_one(document)
    outbox.publish_soon(document)
    await outbox.drain()
    first = await ids_on(wire, 1)
    server.start()
    await asyncio.to_thread(server.wait_until_ready)
    outbox._expand = events_of  # noqa: SLF001 - the server may live from now on
    assert await outbox.sweep() == 1
    assert await ids_on(wire, 1) == first
    assert await is_empty(collection)
    client.close()
    server.kill()
