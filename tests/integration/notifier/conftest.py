"""One notifier per module, with its own database and mail server; bookings and addresses are each test's own."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection
from pydantic import SecretStr

from convoke.contracts.topology import BOOKING_SERVICE_NOTIFICATIONS
from convoke.ids import new_id
from convoke.messaging.broker import connect, publishing_broker
from convoke.messaging.cloudevents import Event
from convoke.messaging.publisher import Publisher
from notifier.app import build_app
from notifier.settings import Settings
from tests.integration.notifier.mail_server import MailServer
from tests.support.eventually import eventually
from tests.support.queues import rabbitmq_url
from tests.unit.notifier.bookings import Story

__all__ = ["rabbitmq_url"]

Running = Callable[[], AbstractAsyncContextManager[None]]
Notifications = Callable[[Story], list[dict[str, Any]]]
Collection = AsyncIOMotorCollection[dict[str, Any]]


class Publish(Protocol):
    """Publishes events in the order given, each confirmed before the next."""

    async def __call__(self, *events: Event[Any]) -> None: ...


@pytest.fixture(scope="module")
async def mail_server() -> AsyncIterator[MailServer]:
    server = MailServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="module")
def database_name(worker_prefix: str) -> str:
    return f"{worker_prefix}-notifier-{new_id('db')[-8:]}"


@pytest.fixture(scope="module")
def settings(rabbitmq_url: str, mongodb_url: str, database_name: str, mail_server: MailServer) -> Settings:
    return Settings.model_validate(
        {
            "rabbitmq_url": SecretStr(rabbitmq_url),
            "mongodb_url": SecretStr(mongodb_url),
            "mongodb_database": database_name,
            "public_url": "https://book.example",
            "http_port": 8004,
            "encryption_keys": f"k1={base64.b64encode(bytes(32)).decode()}",
            "smtp_url": SecretStr(mail_server.url),
            "mail_from": "Convoke <bookings@convoke.example>",
            "auth_service_url": "http://auth.example",
        }
    )


@pytest.fixture(scope="module")
def running(settings: Settings) -> Running:
    """Runs one more replica of the notifier within an `async with`."""

    @asynccontextmanager
    async def replica() -> AsyncIterator[None]:
        lifecycle = build_app(settings).state.lifecycle
        async with lifecycle:
            _: bool = await eventually(lambda: _is_ready(lifecycle), within=30)
            yield

    return replica


@pytest.fixture(scope="module")
async def notifier(running: Running) -> AsyncIterator[None]:
    async with running():
        yield


@pytest.fixture(scope="module")
async def publish(rabbitmq_url: str) -> AsyncIterator[Publish]:
    broker = publishing_broker(rabbitmq_url)
    await connect(broker)
    publisher = Publisher(broker)

    async def publish_all(*events: Event[Any]) -> None:
        for event in events:
            await publisher.publish(event)

    yield publish_all
    await broker.stop()


@pytest.fixture(scope="module")
async def collection(mongodb_url: str, database_name: str) -> AsyncIterator[Collection]:
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(mongodb_url, tz_aware=True)
    yield client[database_name]["correspondence"]
    await client.drop_database(database_name)
    client.close()


@pytest.fixture(scope="module")
async def notifications(rabbitmq_url: str, notifier: None) -> AsyncIterator[Notifications]:  # noqa: ARG001 - declares the queue
    """Gives the notification events of a booking that booking-service gets."""
    seen: list[dict[str, Any]] = []
    connection = await aio_pika.connect(rabbitmq_url)

    async def keep(message: AbstractIncomingMessage) -> None:
        seen.append(json.loads(message.body))
        await message.ack()

    channel = await connection.channel()
    queue = await channel.get_queue(BOOKING_SERVICE_NOTIFICATIONS.queue)
    await queue.consume(keep)
    yield lambda story: [event for event in seen if event["subject"] == story.booking_id]
    await connection.close()


async def _is_ready(lifecycle: Any) -> bool:
    return all((await lifecycle.is_ready()).values())


async def settled(collection: Collection, story: Story) -> dict[str, Any]:
    """Return the booking's document once every mail of the story's revision has come to rest."""
    at_rest = {"deliveries.0": {"$exists": True}, "due_at": {"$exists": False}, "lease": None}
    found: dict[str, Any] | None = await eventually(
        lambda: collection.find_one({"_id": story.booking_id, "revision.0": story.revision} | at_rest), within=25
    )
    assert found
    return found
