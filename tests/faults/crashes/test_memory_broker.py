"""The broker that the crash points are tried on behaves like RabbitMQ: one suite for both."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import aio_pika
import pytest
from aio_pika.exceptions import DeliveryError
from faststream.exceptions import RejectMessage

from convoke.contracts.topology import NOTIFIER_MEETINGS as STREAM
from convoke.contracts.topology import TOPOLOGY
from convoke.messaging.broker import (
    DEAD_LETTERS_EXCHANGE,
    EVENTS_EXCHANGE,
    connect,
    consuming_broker,
    declare_topology,
    publishing_broker,
)
from convoke.messaging.cloudevents import CONTENT_TYPE, Event
from convoke.messaging.consumer import PAUSES_BETWEEN_ATTEMPTS, Handler, Subscription, subscribe
from tests.faults.crashes.effects import Effects, Life
from tests.faults.crashes.memory_broker import MemoryBroker, Queues
from tests.integration.convoke.conftest import Wire, sample_with
from tests.support.eventually import eventually
from tests.support.queues import empty_all_queues

ATTEMPTS = 1 + len(PAUSES_BETWEEN_ATTEMPTS)
"""How often a handler gets one delivery before its error counts."""

EVENT_TYPES = sorted({event.event_type for stream in TOPOLOGY for event in stream.events})


class Broker(Protocol):
    """What the suite asks of either: `publisher` and `consumer` are handed to the code that services run."""

    publisher: Any
    consumer: Any

    async def consume(self) -> None:
        """Hand over what waits."""

    async def end(self) -> None:
        """End the consumer: what it has not settled waits again."""

    async def depth(self, queue: str) -> int:
        """Return how many messages wait in a queue."""


class InMemory:
    """The fake."""

    def __init__(self) -> None:
        self._queues = Queues()
        self.publisher: Any = MemoryBroker(self._queues, Life(Effects()))
        self.consumer = self.publisher

    async def consume(self) -> None:
        while self._queues.waiting[STREAM.queue]:
            await self.consumer.deliver(STREAM.queue)

    async def end(self) -> None:
        pass

    async def depth(self, queue: str) -> int:
        return len(self._queues.waiting[queue])


class OnRabbitMQ:
    """The real one, on a virtual host of this test's own."""

    def __init__(self, url: str, wire: Wire) -> None:
        self.publisher: Any = publishing_broker(url)
        self.consumer: Any = consuming_broker(url)
        self.depth = wire.depth

    async def start(self) -> None:
        await connect(self.publisher)
        await declare_topology(self.publisher)
        await connect(self.consumer)

    async def consume(self) -> None:
        await self.consumer.start()

    async def end(self) -> None:
        await self.consumer.stop()

    async def stop(self) -> None:
        await self.end()
        await self.publisher.stop()


@pytest.fixture(params=["memory", "rabbitmq"])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    if request.param == "memory":
        yield InMemory()
        return
    url: str = request.getfixturevalue("rabbitmq_url")
    await empty_all_queues(url)
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        real = OnRabbitMQ(url, Wire(channel))
        await real.start()
        yield real
        await real.stop()


@dataclass
class Handled:
    """Raises what it is given, one error a delivery; remembers what was handed over."""

    errors: list[Exception] = field(default_factory=list)
    deliveries: list[str] = field(default_factory=list)

    async def __call__(self, event: Event[Any]) -> None:
        self.deliveries.append(event.id)
        if self.errors:
            raise self.errors.pop(0)


async def publish(
    broker: Broker, event_type: str, *, exchange: Any = EVENTS_EXCHANGE, body: bytes | None = None
) -> None:
    sent = {"message_id": "evt_1", "content_type": CONTENT_TYPE, "headers": {}, "mandatory": True, "persist": True}
    await broker.publisher.publish(body or sample_with(event_type), exchange=exchange, routing_key=event_type, **sent)


def consumed_by(broker: Broker, handler: Handler) -> None:
    handlers = dict.fromkeys(STREAM.events, handler)
    subscribe(broker.consumer, broker.publisher, Subscription(STREAM, handlers))


async def has(broker: Broker, queue: str, count: int) -> None:
    async def is_so() -> bool:
        return await broker.depth(queue) == count

    await eventually(is_so, within=15)


async def test_an_event_waits_in_each_queue_that_wants_it_and_in_no_other(broker: Broker):
    for event_type in EVENT_TYPES:
        await publish(broker, event_type)
    for stream in TOPOLOGY:
        await has(broker, stream.queue, len(stream.events))
        await has(broker, stream.dead_letter_queue, 0)


async def test_what_nobody_wants_is_refused(broker: Broker):
    with pytest.raises(DeliveryError):
        await publish(broker, "nobody.wants.v1", body=b"{}")


async def test_what_is_handled_is_gone(broker: Broker):
    handled = Handled()
    consumed_by(broker, handled)
    await publish(broker, "meeting.ready.v1")
    await broker.consume()
    await eventually(lambda: len(handled.deliveries) == 1)
    await broker.end()
    await has(broker, STREAM.queue, 0)
    await has(broker, STREAM.dead_letter_queue, 0)


async def test_what_fails_again_and_again_is_put_aside(broker: Broker):
    handled = Handled([KeyError("a defect") for _ in range(ATTEMPTS)])
    consumed_by(broker, handled)
    await publish(broker, "meeting.ready.v1")
    await broker.consume()
    await has(broker, STREAM.dead_letter_queue, 1)
    await broker.end()
    await has(broker, STREAM.queue, 0)
    assert len(handled.deliveries) == ATTEMPTS


async def test_what_cannot_be_read_is_put_aside(broker: Broker):
    handled = Handled()
    consumed_by(broker, handled)
    await publish(broker, "meeting.ready.v1", body=b"\xff no JSON")
    await broker.consume()
    await has(broker, STREAM.dead_letter_queue, 1)
    await broker.end()
    await has(broker, STREAM.queue, 0)
    assert not handled.deliveries


async def test_what_is_given_back_is_handed_over_again(broker: Broker):
    handled = Handled([RejectMessage(requeue=True) for _ in range(ATTEMPTS)])
    consumed_by(broker, handled)
    await publish(broker, "meeting.ready.v1")
    await broker.consume()
    await eventually(lambda: len(handled.deliveries) == ATTEMPTS + 1)
    await broker.end()
    await has(broker, STREAM.queue, 0)
    await has(broker, STREAM.dead_letter_queue, 0)


async def test_what_is_rejected_the_broker_puts_aside_itself(broker: Broker):
    consumed_by(broker, Handled([RejectMessage(requeue=False) for _ in range(ATTEMPTS)]))
    await publish(broker, "meeting.ready.v1")
    await broker.consume()
    await has(broker, STREAM.dead_letter_queue, 1)
    await broker.end()
    await has(broker, STREAM.queue, 0)


async def test_what_is_put_back_into_one_queue_goes_to_its_dead_letters_only(broker: Broker):
    await publish(broker, STREAM.queue, exchange=DEAD_LETTERS_EXCHANGE, body=b"a letter")
    for stream in TOPOLOGY:
        await has(broker, stream.dead_letter_queue, int(stream is STREAM))
        await has(broker, stream.queue, 0)
