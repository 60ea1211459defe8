"""The queues as the broker has them: replicated, bounded, and with a place for what nobody could digest."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from convoke.contracts.topology import BOOKING_SERVICE_NOTIFICATIONS as STREAM
from convoke.contracts.topology import DEAD_LETTER_EXCHANGE, TOPOLOGY, Stream
from convoke.messaging.broker import DELIVERY_LIMIT, LONGEST_QUEUE, connect, declare_topology, publishing_broker
from convoke.messaging.consumer import HOLD_FOR
from tests.integration.convoke.conftest import Wire
from tests.support.eventually import eventually
from tests.support.servers import virtual_host


async def declare_twice(vhost: str) -> None:
    """Declare the topology as two services do."""
    for _ in range(2):
        broker = publishing_broker(vhost)
        await connect(broker)
        await declare_topology(broker)
        await broker.stop()


@pytest.fixture(scope="module")
async def queues(rabbitmq_addresses: dict[str, str], worker_prefix: str) -> dict[str, dict[str, Any]]:
    name = f"{worker_prefix}-topology"
    with virtual_host(rabbitmq_addresses, name) as url:
        await declare_twice(url)
        async with httpx.AsyncClient(base_url=rabbitmq_addresses["management_url"], trust_env=False) as management:
            return {queue["name"]: queue for queue in (await management.get(f"/api/queues/{name}")).json()}


def test_there_is_a_queue_and_a_dead_letter_queue_for_each_stream_and_no_other(queues: dict[str, dict[str, Any]]):
    assert set(queues) == {name for stream in TOPOLOGY for name in (stream.queue, stream.dead_letter_queue)}


@pytest.mark.parametrize("stream", TOPOLOGY, ids=lambda stream: stream.queue)
def test_a_queue_is_replicated_durable_bounded_and_dead_letters_at_least_once(
    stream: Stream, queues: dict[str, dict[str, Any]]
):
    queue, dead = queues[stream.queue], queues[stream.dead_letter_queue]
    assert queue["durable"] is dead["durable"] is True
    assert queue["arguments"] == {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-max-length": LONGEST_QUEUE,
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
        "x-dead-letter-routing-key": stream.queue,
        "x-dead-letter-strategy": "at-least-once",
    }
    assert dead["arguments"] == {
        "x-delivery-limit": 1_000_000,
        "x-queue-type": "quorum",
        "x-overflow": "reject-publish",
        "x-max-length": LONGEST_QUEUE,
    }


def test_a_database_may_be_away_for_ten_days_before_a_message_is_delivered_too_often():
    acknowledged_within = timedelta(minutes=30)  # RabbitMQ's consumer_timeout where nothing is said
    assert timedelta(seconds=HOLD_FOR) <= acknowledged_within - timedelta(minutes=5)
    assert DELIVERY_LIMIT * timedelta(seconds=HOLD_FOR) >= timedelta(days=10)


async def test_what_is_delivered_too_often_lands_with_the_dead_letters_and_none_is_lost(vhost: str, wire: Wire):
    await declare_twice(vhost)
    bodies = {f"poison {number}".encode() for number in range(2)}
    for body in bodies:
        await wire.send(body, STREAM.queue)
    rejected = 0

    async def all_are_dead() -> bool:
        nonlocal rejected
        while message := await wire.peek(STREAM.queue):
            await message.reject(requeue=True)
            rejected += 1
        return await wire.depth(STREAM.dead_letter_queue) == len(bodies)

    await eventually(all_are_dead, within=30)
    dead = [await wire.take(STREAM.dead_letter_queue) for _ in bodies]
    assert {message.body for message in dead} == bodies
    assert {message.headers["x-first-death-reason"] for message in dead} == {"delivery_limit"}
    assert rejected == len(bodies) * (DELIVERY_LIMIT + 1)
    assert await wire.depth(STREAM.queue) == 0
