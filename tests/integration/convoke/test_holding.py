"""What is not a message's own fault does not cost the message: it waits where it is, however long that takes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bson.errors import InvalidBSON
from pydantic import SecretBytes
from pymongo.errors import AutoReconnect, InvalidOperation, OperationFailure, WriteConcernError, WriteError

from convoke.contracts import NotificationFailed, NotificationSent
from convoke.contracts.topology import BOOKING_SERVICE_NOTIFICATIONS as STREAM
from convoke.messaging import consumer
from convoke.messaging.broker import connect, consuming_broker, declare_topology, publishing_broker
from convoke.messaging.cloudevents import Event
from convoke.messaging.consumer import PAUSES_BETWEEN_ATTEMPTS, Subscription, subscribe
from convoke.mongo import Collection
from convoke.vault import CannotDecrypt, Vault
from tests.integration.convoke.conftest import FailingAtFirst, Wire, sample
from tests.support.eventually import eventually

Handle = Callable[[Event[Any]], Awaitable[object]]

SURROUNDINGS: dict[str, Exception] = {
    "the primary goes": AutoReconnect("not primary"),
    "no majority can be read yet": OperationFailure("Read concern majority not available yet", 134),
    "the credentials have expired": OperationFailure("Reauthentication required", 391),
    "the server shuts down": WriteConcernError("shutting down", 91),
    "the disk is full": WriteError("no space left on device", 14031),
    "this replica closes its client": InvalidOperation("Cannot use MongoClient after close"),
    "this replica has not got the key yet": CannotDecrypt("the key 'new' is not in ENCRYPTION_KEYS"),
}


@asynccontextmanager
async def replica(vhost: str, handle: Handle) -> AsyncIterator[None]:
    """Consume the stream; what is being held at the end goes back to the queue."""
    publisher, consuming = publishing_broker(vhost), consuming_broker(vhost)
    await connect(publisher)
    await declare_topology(publisher)
    subscribe(consuming, publisher, Subscription(STREAM, {NotificationSent: handle, NotificationFailed: handle}))
    await consuming.start()
    try:
        yield
    finally:
        await consuming.stop()
        await publisher.stop()


@pytest.mark.parametrize("trouble", SURROUNDINGS)
async def test_trouble_around_a_message_is_waited_out(trouble: str, vhost: str, wire: Wire):
    handle = FailingAtFirst(SURROUNDINGS[trouble], times=len(PAUSES_BETWEEN_ATTEMPTS) + 2)
    async with replica(vhost, handle):
        await wire.send(sample("notification.sent.v1").body(), STREAM.queue)
        await handle.has_taken_it()
    assert await wire.depth(STREAM.queue) == await wire.depth(STREAM.dead_letter_queue) == 0


async def store_twice(collection: Collection) -> None:
    await collection.insert_one({"_id": 1})
    await collection.insert_one({"_id": 1})


async def store_too_much_at_once(collection: Collection) -> None:
    await collection.insert_one({"text": "x" * 17_000_000})


async def store_too_much_by_and_by(collection: Collection) -> None:
    for _ in range(2):
        await collection.find_one_and_update({"_id": 2}, {"$push": {"texts": "x" * 9_000_000}}, upsert=True)


async def read_nonsense(_: Collection) -> None:
    raise InvalidBSON("not enough data for a BSON document")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (store_twice, "DuplicateKeyError"),
        (store_too_much_at_once, "DocumentTooLarge"),
        (store_too_much_by_and_by, "OperationFailure"),
        (read_nonsense, "InvalidBSON"),
    ],
)
async def test_what_mongodb_would_refuse_for_ever_is_not_held(
    fault: Callable[[Collection], Awaitable[None]], error: str, vhost: str, wire: Wire, collection: Collection
):
    async def handle(_: Event[Any]) -> None:
        await fault(collection)

    async with replica(vhost, handle):
        await wire.send(sample("notification.sent.v1").body(), STREAM.queue)
        dead = await wire.take(STREAM.dead_letter_queue)
    assert dead.headers["x-reason-code"] == "handler_failed"
    assert str(dead.headers["x-reason"]).startswith(error)


async def test_a_replica_that_lacks_the_new_key_keeps_the_message_for_one_that_has_it(vhost: str, wire: Wire):
    old, new = (SecretBytes(byte * 32) for byte in (b"o", b"n"))
    secret = Vault({"new": new, "old": old}).encrypt("a link", "org_1")
    read: list[str] = []
    tries = 0

    async def before_its_restart(_: Event[Any]) -> None:
        nonlocal tries
        tries += 1
        read.append(Vault({"old": old}).decrypt(secret, "org_1"))

    async def after_its_restart(_: Event[Any]) -> None:
        read.append(Vault({"new": new, "old": old}).decrypt(secret, "org_1"))

    async with replica(vhost, before_its_restart):
        await wire.send(sample("notification.sent.v1").body(), STREAM.queue)
        await eventually(lambda: tries > 3)
    async with replica(vhost, after_its_restart):
        await eventually(lambda: read)
    assert read == ["a link"]
    assert await wire.depth(STREAM.queue) == await wire.depth(STREAM.dead_letter_queue) == 0


async def test_what_one_replica_has_held_long_enough_may_go_to_another(
    vhost: str, wire: Wire, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(consumer, "HOLD_FOR", 0.2)
    held, handled = asyncio.Event(), asyncio.Event()

    async def cut_off_from_the_database(_: Event[Any]) -> None:
        held.set()
        raise AutoReconnect("no primary")

    async def handle(_: Event[Any]) -> None:
        handled.set()

    async with replica(vhost, cut_off_from_the_database):
        await wire.send(sample("notification.sent.v1").body(), STREAM.queue)
        await held.wait()
        async with replica(vhost, handle), asyncio.timeout(10):
            await handled.wait()
    assert await wire.depth(STREAM.queue) == await wire.depth(STREAM.dead_letter_queue) == 0
