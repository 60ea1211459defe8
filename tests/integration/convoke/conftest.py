"""The plumbing on a virtual host of its own, with what a test sees on the queues."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from convoke.messaging.cloudevents import CONTENT_TYPE, Event, parse
from tests.support.eventually import eventually

SAMPLES = Path(__file__).parents[2] / "contract" / "samples"


def sample(event_type: str) -> Event[Any]:
    return parse((SAMPLES / f"{event_type}.json").read_bytes())


def sample_with(event_type: str, **changes: Any) -> bytes:
    return json.dumps(json.loads((SAMPLES / f"{event_type}.json").read_text()) | changes).encode()


class Wire:
    """What a stranger with a connection to the broker can do and see."""

    def __init__(self, channel: aio_pika.abc.AbstractChannel) -> None:
        self._channel = channel

    async def send(self, body: bytes, queue: str, **properties: Any) -> None:
        message = aio_pika.Message(body, content_type=CONTENT_TYPE, delivery_mode=2, **properties)
        await self._channel.default_exchange.publish(message, queue)

    async def take(self, queue: str) -> aio_pika.abc.AbstractIncomingMessage:
        """Return the next message of a queue, waiting for it."""
        source = await self._channel.get_queue(queue)
        message = await eventually(lambda: source.get(fail=False), within=10)
        assert message
        await message.ack()
        return message

    async def peek(self, queue: str) -> aio_pika.abc.AbstractIncomingMessage | None:
        """Return the next message of a queue, not yet settled, or None."""
        return await (await self._channel.get_queue(queue)).get(fail=False)

    async def depth(self, queue: str) -> int:
        declared = await self._channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0


@pytest.fixture
async def wire(fresh_vhost: str) -> AsyncIterator[Wire]:
    connection = await aio_pika.connect(fresh_vhost)
    async with connection, connection.channel() as channel:
        yield Wire(channel)
