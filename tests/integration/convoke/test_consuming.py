"""Every message ends in exactly one of: handled, or dead-lettered with a reason; and the queue goes on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from convoke.contracts import NotificationFailed, NotificationSent
from convoke.contracts.topology import BOOKING_SERVICE_NOTIFICATIONS as STREAM
from convoke.contracts.topology import TOPOLOGY
from convoke.messaging.broker import connect, consuming_broker, declare_topology, publishing_broker
from convoke.messaging.cloudevents import Event
from convoke.messaging.connections import Connections
from convoke.messaging.consumer import Subscription, cancel_consumers, subscribe
from tests.integration.convoke.conftest import FailingAtFirst, Wire, sample, sample_with, wired
from tests.support.eventually import eventually

BAD_INPUT = {
    "not_json": b"\xff\xfe no json",
    "not_a_cloudevent": b'{"hello": "world"}',
    "unknown_type": sample_with("notification.sent.v1", type="notification.sent.v9"),
    "unexpected_type": sample_with("notification.sent.v1", type="booking.created.v1"),
    "invalid_data": sample_with("notification.sent.v1", data={"booking_id": "bkg_1"}),
    "too_large": b'{"data": "' + b"x" * 10_000_000 + b'"}',
}


@asynccontextmanager
async def consuming(vhost: str, handle: Callable[[Event[Any]], Awaitable[object]]) -> AsyncIterator[Connections]:
    connections = Connections(vhost)
    connections.subscribe([Subscription(STREAM, {NotificationSent: handle, NotificationFailed: handle})])
    await connections.start()
    try:
        yield connections
    finally:
        await connections.stop_consuming()
        await connections.close()


async def test_an_event_reaches_the_handler_of_its_class(fresh_vhost: str):
    """On a broker that has no queue yet."""
    taken: list[Event[Any]] = []

    async def remember(event: Event[Any]) -> None:
        taken.append(event)

    async with wired(fresh_vhost) as wire:
        async with consuming(fresh_vhost, remember) as connections:
            await connections.publisher.publish(sample("notification.sent.v1"))
            await eventually(lambda: taken, within=10)
        assert taken == [sample("notification.sent.v1")]
        assert await wire.depth(STREAM.queue) == 0


@pytest.mark.parametrize("code", BAD_INPUT)
async def test_bad_input_is_dead_lettered_with_its_reason_and_the_next_message_is_handled(
    code: str, vhost: str, wire: Wire
):
    taken: list[Event[Any]] = []

    async def remember(event: Event[Any]) -> None:
        taken.append(event)

    async with consuming(vhost, remember):
        body = BAD_INPUT[code] if code != "unexpected_type" else sample("booking.created.v1").body()
        await wire.send(body, STREAM.queue, message_id="the-bad-one")
        await wire.send(sample("notification.sent.v1").body(), STREAM.queue)
        dead = await wire.take(STREAM.dead_letter_queue)
        await eventually(lambda: taken, within=10)
    assert (dead.headers["x-reason-code"], dead.message_id, dead.body) == (code, "the-bad-one", body)
    assert dead.headers["x-reason"]
    assert len(taken) == 1


async def test_a_handler_that_keeps_failing_is_tried_thrice_and_its_message_dead_lettered_once(vhost: str, wire: Wire):
    calls = 0

    async def fail(_: Event[Any]) -> None:
        nonlocal calls
        calls += 1
        raise KeyError("a defect")

    async with consuming(vhost, fail):
        await wire.send(sample("notification.sent.v1").body(), STREAM.queue)
        dead = await wire.take(STREAM.dead_letter_queue)
    assert dead.headers["x-reason-code"] == "handler_failed"
    assert calls == 3
    assert await wire.depth(STREAM.queue) == await wire.depth(STREAM.dead_letter_queue) == 0


async def test_an_unforeseen_error_that_passes_dead_letters_nothing(vhost: str, wire: Wire):
    handle = FailingAtFirst(OSError("for now"), times=2)
    async with consuming(vhost, handle):
        await wire.send(sample("notification.sent.v1").body(), STREAM.queue)
        await handle.has_taken_it()
    assert await wire.depth(STREAM.queue) == await wire.depth(STREAM.dead_letter_queue) == 0


async def test_a_message_waits_while_the_database_is_away_and_is_handled_when_it_is_back(vhost: str, wire: Wire):
    handle = FailingAtFirst(AutoReconnect("no primary"), times=4)
    async with consuming(vhost, handle):
        await wire.send(sample("notification.sent.v1").body(), STREAM.queue)
        await handle.has_taken_it()
    assert await wire.depth(STREAM.queue) == await wire.depth(STREAM.dead_letter_queue) == 0


async def test_stopping_lets_the_running_handler_finish_and_leaves_the_rest_untouched(vhost: str, wire: Wire):
    started, go_on, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()
    handled: list[str] = []

    async def slowly(event: Event[Any]) -> None:
        handled.append(event.id)
        started.set()
        await go_on.wait()
        finished.set()

    publisher, consumer = publishing_broker(vhost), consuming_broker(vhost)
    await connect(publisher)
    await declare_topology(publisher)
    subscribe(consumer, publisher, Subscription(STREAM, {NotificationSent: slowly, NotificationFailed: slowly}))
    await consumer.start()
    await wire.send(sample("notification.sent.v1").body(), STREAM.queue)
    await started.wait()
    await cancel_consumers(consumer)
    for _ in range(5):
        await wire.send(sample("notification.sent.v1").body(), STREAM.queue)
    stopping = asyncio.create_task(consumer.stop())
    go_on.set()
    await stopping
    await publisher.stop()
    assert finished.is_set()
    assert len(handled) == 1
    untouched = [await wire.take(STREAM.queue) for _ in range(5)]
    assert [message.headers.get("x-delivery-count", 0) for message in untouched] == [0] * 5


@pytest.mark.parametrize("stream", TOPOLOGY, ids=lambda stream: stream.queue)
async def test_every_event_of_every_stream_is_routed_to_its_queue(stream: Any, vhost: str, wire: Wire):
    connections = Connections(vhost)
    await connections.start()
    for event in stream.events:
        await connections.publisher.publish(sample(event.event_type))
        assert (await wire.take(stream.queue)).routing_key == event.event_type
    await connections.close()
