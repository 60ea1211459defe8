"""The services' own programs, as an operator runs them, on a database of the test's own and queues that are empty."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from pymongo import AsyncMongoClient

from convoke.messaging.broker import connect, declare_topology, publishing_broker
from convoke.messaging.cloudevents import CONTENT_TYPE
from tests.support.commands import run_here
from tests.support.eventually import eventually
from tests.support.queues import empty_all_queues

SAMPLES = Path(__file__).parents[2] / "contract" / "samples"
KEY = base64.b64encode(b"k" * 32).decode()
OF_ALL_SERVICES = {
    "PUBLIC_URL": "https://convoke.test",
    "AUTH_SERVICE_URL": "http://127.0.0.1:9",
    "HTTP_PORT": "9",
    "ENCRYPTION_KEYS": f"k1={KEY}",
    "MARKER_KEY": KEY,
    "SERVICE_CLIENT_ID": "tested",
    "SERVICE_CLIENT_SECRET": "tested",
    "SMTP_URL": "smtp://127.0.0.1:9",
    "MAIL_FROM": "Convoke <bookings@convoke.test>",
    "ZOOM_CLIENT_ID": "tested",
    "ZOOM_CLIENT_SECRET": "tested",
    "MEETING_SERVICE_URL": "http://127.0.0.1:9",
    "JWT_SIGNING_KEYS": f"k1={KEY}",
}
DATABASES = {
    "auth_service": "auth",
    "booking_service": "booking",
    "meeting_service": "meeting",
    "notifier": "notifier",
}


def sample(event_type: str, **changes: Any) -> dict[str, Any]:
    """Return the sample of an event, with changes to its envelope."""
    return {**json.loads((SAMPLES / f"{event_type}.json").read_text()), **changes}


@dataclass(frozen=True)
class Done:
    status: int
    output: str
    errors: str


@dataclass
class Programs:
    """Runs commands of services; `send` puts a message into a queue."""

    environment: dict[str, str]
    client: AsyncMongoClient[dict[str, Any]]
    prefix: str
    channel: aio_pika.abc.AbstractChannel

    def database(self, program: str) -> Any:
        return self.client[f"{self.prefix}-{DATABASES[program]}"]

    def settings(self, program: str) -> dict[str, str]:
        return self.environment | {"MONGODB_DATABASE": f"{self.prefix}-{DATABASES[program]}"}

    async def run(self, program: str, *arguments: str) -> Done:
        result = await asyncio.to_thread(run_here, program, *arguments, settings=self.settings(program))
        return Done(result.exit_code, result.stdout, result.stderr)

    async def run_as_process(self, program: str, *arguments: str) -> Done:
        command = (sys.executable, "-m", program, *arguments)
        process = await asyncio.create_subprocess_exec(*command, env=self.settings(program), stdout=-1, stderr=-1)
        async with asyncio.timeout(50):
            output, errors = await process.communicate()
        return Done(process.returncode or 0, output.decode(), errors.decode())

    async def send(self, queue: str, body: dict[str, Any] | bytes) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        message = aio_pika.Message(raw, content_type=CONTENT_TYPE, delivery_mode=2, message_id="m1")
        await self.channel.default_exchange.publish(message, queue)

    async def depth(self, queue: str) -> int:
        declared = await self.channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0

    async def waiting(self, program: str, number: int) -> list[str]:
        """Return the ids of the letters that wait, once there are so many."""

        async def found() -> list[str]:
            letters = await self.database(program)["dead_letters"].find({"state": "waiting"}).to_list()
            return [letter["_id"] for letter in letters] if len(letters) == number else []

        return await eventually(found, within=15)


@pytest.fixture(scope="package")
async def declared_vhost(rabbitmq_url: str) -> str:
    broker = publishing_broker(rabbitmq_url)
    await connect(broker)
    await declare_topology(broker)
    await broker.stop()
    return rabbitmq_url


@pytest.fixture
async def programs(mongodb_url: str, fresh_database: str, declared_vhost: str) -> AsyncIterator[Programs]:
    environment = OF_ALL_SERVICES | {"RABBITMQ_URL": declared_vhost, "MONGODB_URL": mongodb_url}
    await empty_all_queues(declared_vhost)
    async with (
        # As the programs read: else a letter is seen here before it is there for them.
        AsyncMongoClient[dict[str, Any]](mongodb_url, tz_aware=True, readConcernLevel="majority") as client,
        await aio_pika.connect(declared_vhost) as connection,
    ):
        channel = await connection.channel()
        yield Programs(environment, client, fresh_database, channel)
