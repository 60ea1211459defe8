"""A World for each test, on a database and a virtual host of its own and a sandbox that has forgotten everything."""

from collections.abc import AsyncIterator

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
from meeting_service.mongo import Meetings
from meeting_service.scan.scans import Scans
from meeting_service.zoom.client import ZoomMeetings
from tests.contract.zoom_sandbox.app_at_zoom import AppAtZoom, Host
from tests.contract.zoom_sandbox.conftest import app, host, http, sandbox_address
from tests.integration.meeting_service.world import MARKER_KEY, OwnClock, TokensOfHost, World

__all__ = ["app", "host", "http", "sandbox_address"]


@pytest.fixture
async def world(
    mongodb_url: str, fresh_database: str, fresh_vhost: str, app: AppAtZoom, host: Host
) -> AsyncIterator[World]:
    clock = OwnClock()
    client = mongo.connect(mongodb_url)
    database = mongo.database(client, fresh_database)
    meetings = Meetings(database, Vault({"k1": SecretBytes(b"v" * 32)}))
    connections = Connections(fresh_vhost)
    await connections.start()
    outbox = Outbox(meetings.collection, connections.publisher, expand(meetings.read, MARKER_KEY), clock)
    amqp = await aio_pika.connect(fresh_vhost)
    channel = await amqp.channel()
    async with httpx.AsyncClient(trust_env=False) as to_zoom:
        yield World(
            clock,
            app,
            TokensOfHost(app, host),
            meetings,
            Scans(database),
            outbox,
            ZoomMeetings(to_zoom, clock),
            await channel.get_queue(BOOKING_SERVICE_MEETINGS.queue),
        )
    await amqp.close()
    await connections.close()
    client.close()
