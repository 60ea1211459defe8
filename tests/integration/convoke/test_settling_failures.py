"""Whatever fails while a message is settled, it is neither acknowledged unhandled nor lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from faststream.exceptions import AckMessage, NackMessage, RejectMessage, SkipMessage
from faststream.rabbit import RabbitBroker

from convoke.contracts import NotificationFailed, NotificationSent
from convoke.contracts.topology import BOOKING_SERVICE_NOTIFICATIONS as STREAM
from convoke.messaging.broker import connect, consuming_broker, declare_topology, publishing_broker
from convoke.messaging.cloudevents import Event
from convoke.messaging.consumer import LONGEST_REASON, Subscription, subscribe
from tests.integration.convoke.conftest import Wire, sample, sample_with
from tests.support.eventually import eventually
from tests.support.logs import logs_restored

Handle = Callable[[Event[Any]], Awaitable[object]]
BODY = sample("notification.sent.v1").body()


@asynccontextmanager
async def consuming(vhost: str, handle: Handle) -> AsyncIterator[tuple[RabbitBroker, RabbitBroker]]:
    """Consume the stream and yield the broker that consumes and the one that publishes dead letters."""
    publisher, consumer = publishing_broker(vhost), consuming_broker(vhost)
    await connect(publisher)
    await declare_topology(publisher)
    subscribe(consumer, publisher, Subscription(STREAM, {NotificationSent: handle, NotificationFailed: handle}))
    await consumer.start()
    try:
        yield consumer, publisher
    finally:
        await consumer.stop()
        await publisher.stop()


async def fail(_: Event[Any]) -> None:
    raise KeyError("a defect")


async def accept(_: Event[Any]) -> None:
    """Take it."""


@pytest.mark.parametrize("body", [b"no json", BODY], ids=["malformed", "handler fails"])
async def test_without_a_connection_for_dead_letters_the_broker_keeps_the_message(vhost: str, wire: Wire, body: bytes):
    async with consuming(vhost, fail) as (_, publisher):
        await publisher.stop()
        await wire.send(body, STREAM.queue, message_id="m1")
        dead = await wire.take(STREAM.dead_letter_queue)
    assert (dead.body, dead.message_id) == (body, "m1")
    assert dead.headers["x-first-death-reason"] == "rejected"


@pytest.fixture
def broken_logs() -> Iterator[None]:
    """Make every line of the log fail, as a full disk does."""

    def fail_to_write(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    with logs_restored():
        structlog.configure(processors=[fail_to_write])
        yield


@pytest.mark.usefixtures("broken_logs")
@pytest.mark.parametrize("body", [b"no json", BODY], ids=["malformed", "handler fails"])
async def test_a_failure_that_cannot_even_be_logged_loses_no_message(vhost: str, wire: Wire, body: bytes):
    async with consuming(vhost, fail):
        await wire.send(body, STREAM.queue)
        assert (await wire.take(STREAM.dead_letter_queue)).body == body


@pytest.mark.parametrize("signal", [AckMessage(), NackMessage(), SkipMessage(), RejectMessage(requeue=False)], ids=repr)
async def test_no_signal_of_the_framework_lets_a_handler_drop_a_message(vhost: str, wire: Wire, signal: Exception):
    async def signalling(_: Event[Any]) -> None:
        raise signal

    async with consuming(vhost, signalling):
        await wire.send(BODY, STREAM.queue)
        assert (await wire.take(STREAM.dead_letter_queue)).body == BODY


async def test_a_reason_of_any_length_is_cut_and_the_publishing_connection_lives_on(vhost: str, wire: Wire):
    body = sample_with("notification.sent.v1", type="x" * 500_000)
    async with consuming(vhost, accept) as (_, publisher):
        await wire.send(body, STREAM.queue)
        dead = await wire.take(STREAM.dead_letter_queue)
        assert await publisher.ping(1)
    assert dead.headers["x-reason-code"] == "unknown_type"
    assert len(str(dead.headers["x-reason"])) == LONGEST_REASON


async def test_a_handler_that_is_cut_off_leaves_its_message_in_the_queue(vhost: str, wire: Wire):
    begun = asyncio.Event()

    async def hang(_: Event[Any]) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with consuming(vhost, hang):
        await wire.send(BODY, STREAM.queue, message_id="m1")
        await begun.wait()
    assert (await wire.take(STREAM.queue)).message_id == "m1"
    assert await wire.depth(STREAM.dead_letter_queue) == 0


async def test_a_handler_whose_connection_is_lost_gets_its_message_again(vhost: str, wire: Wire):
    attempts, lost = 0, asyncio.Event()

    async def handle(_: Event[Any]) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            lost.set()
            await asyncio.Event().wait()

    async with consuming(vhost, handle) as (consumer, _):
        await wire.send(BODY, STREAM.queue)
        await lost.wait()
        connection: Any = consumer._connection  # noqa: SLF001 - cut as a broken network does
        await connection.transport.connection.close(ConnectionError("cut"))
        await eventually(lambda: attempts == 2, within=15)
    assert await wire.depth(STREAM.queue) == await wire.depth(STREAM.dead_letter_queue) == 0
