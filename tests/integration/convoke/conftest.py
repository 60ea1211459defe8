"""The plumbing on a virtual host that has forgotten the last test, what a test sees on the queues, and an issuer."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aio_pika
import httpx
import pytest
from pymongo import MongoClient
from pymongo.errors import ConnectionFailure

from convoke import identity, mongo
from convoke.contracts.topology import TOPOLOGY
from convoke.contracts.wire import EventData
from convoke.messaging.cloudevents import CONTENT_TYPE, Event, parse
from convoke.mongo import Collection
from local_stack import environment, installed
from local_stack.mongodb import direct_client
from local_stack.processes import ChildProcess, free_port
from tests.integration.convoke.issuer import AuthService
from tests.support.eventually import eventually
from tests.support.queues import empty_all_queues

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

    async def delete(self, queue: str) -> None:
        await self._channel.queue_delete(queue)

    async def leave_without_a_queue(self, event: type[EventData]) -> None:
        """Delete the queues that such events go to."""
        for stream in TOPOLOGY:
            if event in stream.events:
                await self.delete(stream.queue)

    async def purge(self, queue: str) -> int:
        """Empty a queue, as a broker does that lost its disk; returns how many messages are gone."""
        return (await (await self._channel.get_queue(queue)).purge()).message_count or 0

    async def depth(self, queue: str) -> int:
        declared = await self._channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0


class FailingAtFirst:
    """A handler that fails so many times before it takes its event."""

    def __init__(self, error: Exception, times: int) -> None:
        self._error = error
        self._left = times
        self._taken = asyncio.Event()

    async def __call__(self, _: Event[Any]) -> None:
        if self._left:
            self._left -= 1
            raise self._error
        self._taken.set()

    async def has_taken_it(self) -> None:
        async with asyncio.timeout(10):
            await self._taken.wait()


@asynccontextmanager
async def wired(vhost: str) -> AsyncIterator[Wire]:
    connection = await aio_pika.connect(vhost)
    async with connection, connection.channel() as channel:
        yield Wire(channel)


@pytest.fixture
async def vhost(rabbitmq_url: str) -> str:
    """Return the address of a virtual host in whose queues, where another test has declared them, nothing waits."""
    await empty_all_queues(rabbitmq_url)
    return rabbitmq_url


@pytest.fixture
async def wire(vhost: str) -> AsyncIterator[Wire]:
    async with wired(vhost) as wire:
        yield wire


@pytest.fixture
async def collection(mongodb_url: str, fresh_database: str) -> AsyncIterator[Collection]:
    client = mongo.connect(mongodb_url)
    yield mongo.database(client, fresh_database)["things"]
    client.close()


@pytest.fixture(scope="package")
def standalone_mongodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a server that is no member of a replica set."""
    folder, port = tmp_path_factory.mktemp("standalone"), free_port()
    command = [installed.mongod(), "--quiet", "--nounixsocket", "--bind_ip", "127.0.0.1", "--port", port]
    server = ChildProcess(
        "a standalone mongod",
        [*map(str, command), "--dbpath", str(folder)],
        environment=environment.inherited(),
        log=folder / "mongodb.log",
    )
    server.start()
    with direct_client("127.0.0.1", port) as client:
        server.wait_until(lambda: _answers(client), within=30)
    yield f"mongodb://127.0.0.1:{port}/"
    server.kill()


def _answers(client: MongoClient[dict[str, Any]]) -> bool:
    try:
        return bool(client.admin.command("ping"))
    except ConnectionFailure:
        return False


@pytest.fixture
def auth() -> Iterator[AuthService]:
    auth = AuthService()
    auth.run()
    yield auth
    auth.stop()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
        yield http


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what lets seconds pass for the module `identity`, and only for it."""
    now = SimpleNamespace(seconds=1_000.0)
    monkeypatch.setattr(identity, "time", SimpleNamespace(monotonic=lambda: now.seconds))

    def pass_by(seconds: float) -> None:
        now.seconds += seconds

    return pass_by
