"""The connections to RabbitMQ, and its topology: what is confirmed here is on a majority of disks.

Two brokers, because a memory or disk alarm blocks a publishing connection whole, consumers included.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aio_pika import RobustQueue
from faststream.rabbit import Channel, ExchangeType, QueueType, RabbitBroker, RabbitExchange, RabbitQueue
from structlog.stdlib import BoundLogger, get_logger

from convoke.contracts.topology import DEAD_LETTER_EXCHANGE, EXCHANGE, TOPOLOGY, Stream

log: BoundLogger = get_logger(__name__)

CONNECT_AGAIN_AFTER = 1.0
"""Seconds between two attempts to reach the broker at start-up."""

PREFETCH = 16
DELIVERY_LIMIT = 1_000
"""Deliveries before the broker dead-letters a message: the stop for one that kills every process that takes it.

With the consumer's HOLD_FOR it makes almost two weeks, so that no outage of a database reaches it. It is fixed when a
queue is declared: a service with another value is refused that queue, so a change needs new queues.
"""

NEVER_GIVE_UP = 1_000_000
"""Deliveries: RabbitMQ 4 drops a message after 20 where nothing is said, and a dead letter has nowhere else to go."""

LONGEST_QUEUE = 1_000_000
"""Messages; a publisher is refused beyond that, and its outbox keeps the rest."""

EVENTS_EXCHANGE = RabbitExchange(EXCHANGE, type=ExchangeType.TOPIC)
DEAD_LETTERS_EXCHANGE = RabbitExchange(DEAD_LETTER_EXCHANGE, type=ExchangeType.DIRECT)


def publishing_broker(url: str) -> RabbitBroker:
    """Return a broker for publishing only: an unroutable message raises, a lost connection comes back."""
    return RabbitBroker(
        url,
        default_channel=Channel(publisher_confirms=True, on_return_raises=True),
        logger=None,
        apply_types=False,
        reconnect_interval=1.0,
    )


@asynccontextmanager
async def opened_broker(url: str) -> AsyncIterator[RabbitBroker]:
    """Give a command what it may publish with, connected once it does, and stop it afterwards."""
    broker = publishing_broker(url)
    try:
        yield broker
    finally:
        await broker.stop()


def consuming_broker(url: str, *, prefetch: int = PREFETCH) -> RabbitBroker:
    """Return a broker for consuming only; `prefetch` is the number of handlers that run at once per queue."""
    return RabbitBroker(
        url,
        default_channel=Channel(prefetch_count=prefetch),
        logger=None,
        apply_types=False,
        reconnect_interval=1.0,
        graceful_timeout=5.0,
    )


def queue_of(stream: Stream) -> RabbitQueue:
    """Return the quorum queue of a stream, with dead-lettering that waits for the target's confirm."""
    return RabbitQueue(
        stream.queue,
        queue_type=QueueType.QUORUM,
        durable=True,
        arguments={
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-max-length": LONGEST_QUEUE,
            "x-overflow": "reject-publish",
            "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
            "x-dead-letter-routing-key": stream.queue,
            "x-dead-letter-strategy": "at-least-once",
        },
    )


def dead_letter_queue_of(stream: Stream) -> RabbitQueue:
    """Return the queue that keeps what a stream's queue could not digest, until an operator decides."""
    return RabbitQueue(
        stream.dead_letter_queue,
        queue_type=QueueType.QUORUM,
        durable=True,
        arguments={
            "x-overflow": "reject-publish",
            "x-max-length": LONGEST_QUEUE,
            "x-delivery-limit": NEVER_GIVE_UP,
        },
    )


async def declare_topology(broker: RabbitBroker, streams: Iterable[Stream] = TOPOLOGY) -> None:
    """Declare exchanges, queues and bindings, dead letters first: a dead letter without a target would wait."""
    events = await broker.declare_exchange(EVENTS_EXCHANGE)
    dead_letters = await broker.declare_exchange(DEAD_LETTERS_EXCHANGE)
    for stream in streams:
        dead: RobustQueue = await broker.declare_queue(dead_letter_queue_of(stream))
        await dead.bind(dead_letters, stream.queue)
        queue: RobustQueue = await broker.declare_queue(queue_of(stream))
        for event in stream.events:
            await queue.bind(events, event.event_type)


async def connect(broker: RabbitBroker) -> None:
    """Connect, however long the broker takes to be there; says in the log that it waits."""
    while True:
        try:
            await broker.connect()
        except (ConnectionError, OSError) as error:
            log.warning("broker.unreachable", error=type(error).__name__, retry_after=CONNECT_AGAIN_AFTER)
            await asyncio.sleep(CONNECT_AGAIN_AFTER)
        else:
            return
