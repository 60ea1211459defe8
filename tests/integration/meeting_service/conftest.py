"""A World for each test, on a database of its own, and with a queue and a sandbox that have forgotten everything."""

from collections.abc import AsyncIterator, Iterator

import aio_pika
import httpx
import pytest
from pydantic import SecretBytes

from convoke import mongo
from convoke.contracts.topology import BOOKING_SERVICE_MEETINGS
from convoke.messaging.connections import Connections
from convoke.messaging.outbox import Outbox
from convoke.vault import Vault
from meeting_service.events import expand
from meeting_service.mongo.meetings import Meetings
from meeting_service.scan.scans import Scans
from meeting_service.zoom.client import ZoomMeetings
from tests.contract.zoom_sandbox.app_at_zoom import AppAtZoom, Host
from tests.contract.zoom_sandbox.conftest import app, host, http, sandbox_address
from tests.integration.meeting_service.world import MARKER_KEY, OwnClock, TokensOfHost, World
from tests.support.servers import virtual_host

__all__ = ["app", "host", "http", "sandbox_address"]


@pytest.fixture(scope="package")
def rabbitmq_url(rabbitmq_addresses: dict[str, str], worker_prefix: str) -> Iterator[str]:
    """A virtual host apart, for all tests: its twenty quorum queues cost the broker half a second of processor."""
    with virtual_host(rabbitmq_addresses, f"{worker_prefix}-meeting-service") as url:
        yield url


@pytest.fixture
async def world(
    mongodb_url: str, fresh_database: str, rabbitmq_url: str, app: AppAtZoom, host: Host
) -> AsyncIterator[World]:
    clock = OwnClock()
    client = mongo.connect(mongodb_url)
    database = mongo.database(client, fresh_database)
    meetings = Meetings(database, Vault({"k1": SecretBytes(b"v" * 32)}))
    connections = Connections(rabbitmq_url)
    await connections.start()
    outbox = Outbox(meetings.collection, connections.publisher, expand(meetings.read, MARKER_KEY), clock)
    amqp = await aio_pika.connect(rabbitmq_url)
    channel = await amqp.channel()
    told = await channel.get_queue(BOOKING_SERVICE_MEETINGS.queue)
    await told.purge()
    async with httpx.AsyncClient(trust_env=False) as to_zoom:
        yield World(
            clock,
            app,
            TokensOfHost(app, host),
            meetings,
            Scans(database),
            outbox,
            ZoomMeetings(to_zoom, clock),
            told,
        )
    await amqp.close()
    await connections.close()
    client.close()
