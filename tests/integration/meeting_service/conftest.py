"""A World for each test, on a database, a queue and a sandbox that have forgotten everything."""

from collections.abc import AsyncIterator

import aio_pika
import httpx
import pytest
from aio_pika.abc import AbstractQueue
from pydantic import SecretBytes

from convoke import mongo
from convoke.contracts.topology import BOOKING_SERVICE_MEETINGS
from convoke.messaging.connections import Connections
from convoke.messaging.outbox import Outbox
from convoke.messaging.publisher import Publisher
from convoke.mongo import Database
from convoke.vault import Vault
from meeting_service.events import expand
from meeting_service.mongo.meetings import Meetings
from meeting_service.scan.scans import Scans
from meeting_service.zoom.client import ZoomMeetings
from tests.contract.zoom_sandbox.app_at_zoom import AppAtZoom, Host
from tests.contract.zoom_sandbox.conftest import app, host, http, sandbox_address
from tests.integration.meeting_service.world import MARKER_KEY, OwnClock, TokensOfHost, World
from tests.support.queues import rabbitmq_url

__all__ = ["app", "host", "http", "rabbitmq_url", "sandbox_address"]


@pytest.fixture(scope="package")
async def database(mongodb_url: str, worker_prefix: str) -> AsyncIterator[Database]:
    client, name = mongo.connect(mongodb_url), f"{worker_prefix}-meeting-service"
    yield mongo.database(client, name)
    await client.drop_database(name)
    client.close()


@pytest.fixture(scope="package")
async def publisher(rabbitmq_url: str) -> AsyncIterator[Publisher]:
    connections = Connections(rabbitmq_url)
    await connections.start()
    yield connections.publisher
    await connections.close()


@pytest.fixture(scope="package")
async def told_queue(rabbitmq_url: str, publisher: Publisher) -> AsyncIterator[AbstractQueue]:  # noqa: ARG001 - is declared
    connection = await aio_pika.connect(rabbitmq_url)
    async with connection, connection.channel() as channel:
        yield await channel.get_queue(BOOKING_SERVICE_MEETINGS.queue)


@pytest.fixture
async def world(
    database: Database, publisher: Publisher, told_queue: AbstractQueue, app: AppAtZoom, host: Host
) -> AsyncIterator[World]:
    await forget_everything(database)
    await told_queue.purge()
    clock = OwnClock()
    meetings = meetings_of(database)
    outbox = Outbox(meetings.collection, publisher, expand(meetings.read, MARKER_KEY), clock)
    tokens = TokensOfHost(app, host)
    async with httpx.AsyncClient(trust_env=False) as to_zoom:
        zoom = ZoomMeetings(to_zoom, clock)
        yield World(clock, app, tokens, meetings, Scans(database), outbox, zoom, told_queue)


async def forget_everything(database: Database) -> None:
    """Leave nothing but empty collections; to make a database anew takes longer than most tests."""
    for name in await database.list_collection_names():
        await database[name].delete_many({})


def meetings_of(database: Database) -> Meetings:
    return Meetings(database, Vault({"k1": SecretBytes(b"v" * 32)}))
