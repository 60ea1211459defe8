"""One booking-service for all tests, each test with an organization of its own in it."""

import base64
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from pymongo import AsyncMongoClient

from booking_service.settings import Settings
from convoke.messaging.broker import connect, publishing_broker
from convoke.messaging.publisher import Publisher
from convoke.settings import load
from tests.integration.booking_service.eraser import Eraser
from tests.integration.booking_service.issuer import Issuer, issuing
from tests.integration.booking_service.neighbours import Neighbours
from tests.integration.booking_service.replicas import PUBLIC_URL, MovableClock, Wire, replica, tapped
from tests.integration.booking_service.tenant import EVERYTHING, Tenant
from tests.support.queues import rabbitmq_url

__all__ = ["rabbitmq_url"]

NewTenant = Callable[..., Awaitable[Tenant]]
StoredSessions = Callable[[Tenant], Awaitable[list[dict[str, Any]]]]


@pytest.fixture(scope="package")
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture(scope="package")
def settings(rabbitmq_url: str, mongodb_url: str, worker_prefix: str, issuer: Issuer) -> Settings:
    environment = {
        "RABBITMQ_URL": rabbitmq_url,
        "MONGODB_URL": mongodb_url,
        "MONGODB_DATABASE": f"{worker_prefix}-booking",
        "PUBLIC_URL": PUBLIC_URL,
        "AUTH_SERVICE_URL": issuer.url,
        "HTTP_PORT": "8002",
        "INVITATIONS_PER_HOUR": "1000",
        "ENCRYPTION_KEYS": f"k1={base64.b64encode(b'e' * 32).decode()}",
    }
    return load(Settings, environment)


@pytest.fixture(scope="package")
async def service(settings: Settings) -> AsyncGenerator[httpx.AsyncClient]:
    async with replica(settings) as http:
        yield http


@pytest.fixture(scope="package")
async def wire(service: httpx.AsyncClient, rabbitmq_url: str) -> AsyncGenerator[Wire]:  # noqa: ARG001
    async with tapped(rabbitmq_url) as wire:
        yield wire


@pytest.fixture(scope="package")
async def publisher(rabbitmq_url: str) -> AsyncGenerator[Publisher]:
    """Publishes as meeting-service and the notifier do."""
    broker = publishing_broker(rabbitmq_url)
    await connect(broker)
    yield Publisher(broker)
    await broker.stop()


@pytest.fixture(scope="package")
async def database(mongodb_url: str, settings: Settings) -> AsyncIterator[Any]:
    """The service's database, as whoever steals it sees it."""
    async with AsyncMongoClient[dict[str, Any]](mongodb_url, tz_aware=True, readConcernLevel="majority") as client:
        yield client[settings.mongodb_database]
        await client.drop_database(settings.mongodb_database)


@pytest.fixture
def new_tenant(issuer: Issuer, database: Any) -> NewTenant:  # noqa: ARG001 - dropped after the service has stopped
    async def make(http: httpx.AsyncClient, scope: str = EVERYTHING) -> Tenant:
        tenant = Tenant(http, issuer, f"org_{uuid.uuid4().hex}", scope)
        tenant.host_id, tenant.event_type_id = await tenant.add_host(), await tenant.add_event_type()
        return tenant

    return make


@pytest.fixture
async def tenant(service: httpx.AsyncClient, new_tenant: NewTenant) -> Tenant:
    return await new_tenant(service)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def stored(database: Any) -> StoredSessions:
    """Give every session of a tenant as it is stored."""

    async def sessions(tenant: Tenant) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await database.sessions.find(
            {"organization_id": tenant.organization_id}
        ).to_list()
        return found

    return sessions


@pytest.fixture
def neighbours(publisher: Publisher, wire: Wire) -> Neighbours:  # noqa: ARG001 - the service declares the queues
    return Neighbours(publisher)


@pytest.fixture
def eraser(publisher: Publisher, database: Any, wire: Wire) -> Eraser:  # noqa: ARG001 - the service declares the queues
    return Eraser(publisher, database)
