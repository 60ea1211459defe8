"""One sandbox and one replica per worker, which forget each test; whoever runs replicas has a database of its own."""

import base64
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from pymongo import AsyncMongoClient

from auth_service.mongo.clients import Clients
from auth_service.mongo.organizations import Organizations
from auth_service.settings import Settings
from convoke import mongo
from convoke.settings import load
from tests.integration.auth_service.checkups import CheckedUp, one
from tests.integration.auth_service.owners import HOME, OwnerAtZoom
from tests.integration.auth_service.replicas import PUBLIC_URL, SERVICE, SERVICE_SECRET, Caller, MovableClock
from tests.integration.auth_service.shared import Shared, shared_replica
from tests.integration.auth_service.zoom_app import Zoom
from tests.support.eventually import eventually
from zoom_sandbox.app import build_app
from zoom_sandbox.server import serving
from zoom_sandbox.settings import Settings as SandboxSettings

ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET = "the-app", "zoom-canary-secret"
WEBHOOK_SECRET = "webhook-canary-secret"
SCOPES = ("zoom.connect", "zoom.administer", "bookings.read", "bookings.write", "privacy.erase")


@pytest.fixture(scope="package")
async def sandbox() -> AsyncGenerator[str]:
    settings = SandboxSettings.model_validate(
        {
            "zoom_client_id": ZOOM_CLIENT_ID,
            "zoom_client_secret": ZOOM_CLIENT_SECRET,
            "zoom_redirect_uris": (f"{PUBLIC_URL}/v1/zoom/callback",),
            "zoom_webhook_secret_token": WEBHOOK_SECRET,
        }
    )
    async with serving(build_app(settings)) as address:
        yield address


@pytest.fixture
async def zoom(sandbox: str) -> AsyncIterator[Zoom]:
    async with httpx.AsyncClient(base_url=sandbox, trust_env=False) as http:
        await http.post("/sandbox/reset")
        yield Zoom(sandbox, http)


def key_of(byte: bytes) -> str:
    return base64.b64encode(byte * 32).decode()


def environment_of(rabbitmq_url: str, mongodb_url: str, database: str, zoom_address: str) -> dict[str, str]:
    return {
        "RABBITMQ_URL": rabbitmq_url,
        "MONGODB_URL": mongodb_url,
        "MONGODB_DATABASE": database,
        "PUBLIC_URL": PUBLIC_URL,
        "ENCRYPTION_KEYS": f"k1={key_of(b'e')}",
        "JWT_SIGNING_KEYS": f"new={key_of(b'n')},old={key_of(b'o')}",
        "ZOOM_CLIENT_ID": ZOOM_CLIENT_ID,
        "ZOOM_CLIENT_SECRET": ZOOM_CLIENT_SECRET,
        "ZOOM_OAUTH_URL": zoom_address,
        "ZOOM_API_URL": zoom_address,
        "MEETING_SERVICE_URL": "http://127.0.0.1:9",
        "ZOOM_WEBHOOK_SECRET_TOKEN": f"the-secret-to-come, {WEBHOOK_SECRET}",
        "REQUESTS_PER_MINUTE": "100000",
        "FAILED_LOGINS_PER_MINUTE": "1000",
        "SERVICE_CLIENTS": f"{SERVICE}={SERVICE_SECRET}=zoom.access-tokens",
    }


@pytest.fixture(scope="package")
async def shared(rabbitmq_url: str, mongodb_url: str, worker_prefix: str, sandbox: str) -> AsyncIterator[Shared]:
    async with shared_replica(environment_of(rabbitmq_url, mongodb_url, f"{worker_prefix}-auth", sandbox)) as shared:
        yield shared


@pytest.fixture
def environment(request: pytest.FixtureRequest, rabbitmq_url: str, mongodb_url: str, sandbox: str) -> dict[str, str]:
    """Return the shared replica's settings to who asks for that, too; else settings with a database of their own."""
    if "shared" in request.fixturenames:
        shared: Shared = request.getfixturevalue("shared")
        return dict(shared.environment)
    return environment_of(rabbitmq_url, mongodb_url, request.getfixturevalue("fresh_database"), sandbox)


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    return load(Settings, environment)


@pytest.fixture
def clock(request: pytest.FixtureRequest) -> MovableClock:
    """Return the shared replica's clock to who asks for that, too, else one of the test's own."""
    return request.getfixturevalue("shared").clock if "shared" in request.fixturenames else MovableClock()


@pytest.fixture(scope="session")
async def reading(mongodb_url: str) -> AsyncIterator[AsyncMongoClient[dict[str, Any]]]:
    async with AsyncMongoClient[dict[str, Any]](mongodb_url, tz_aware=True, readConcernLevel="majority") as client:
        yield client


@pytest.fixture
def database(reading: AsyncMongoClient[dict[str, Any]], settings: Settings) -> Any:
    """Return the service's database, as whoever steals it sees it; it shows nothing earlier than the service shows."""
    return reading[settings.mongodb_database]


@pytest.fixture(scope="session")
async def of_services(mongodb_url: str) -> AsyncIterator[mongo.Client]:
    """Give a client as the services have it."""
    client = mongo.connect(mongodb_url)
    yield client
    client.close()


@pytest.fixture
def store(of_services: mongo.Client, settings: Settings) -> mongo.Database:
    """Return the service's database as the service has it."""
    return mongo.database(of_services, settings.mongodb_database)


@pytest.fixture
def clients(store: mongo.Database) -> Clients:
    return Clients(store)


@pytest.fixture
async def auth(shared: Shared, zoom: Zoom) -> AsyncIterator[httpx.AsyncClient]:  # noqa: ARG001 - forgets first
    shared.begin()
    yield shared.http
    await shared.forget()


async def product_of(http: httpx.AsyncClient, clients: Clients) -> Caller:
    organization_id = await clients.create_organization("A product")
    client, secret = await clients.create(organization_id, "its client", SCOPES)
    return Caller(http, client.id, secret, organization_id)


@pytest.fixture
def new_product(auth: httpx.AsyncClient, clients: Clients) -> Callable[[], Awaitable[Caller]]:
    return lambda: product_of(auth, clients)


@pytest.fixture
async def product(new_product: Callable[[], Awaitable[Caller]]) -> Caller:
    return await new_product()


@pytest.fixture
def meeting_service(auth: httpx.AsyncClient) -> Caller:
    return Caller(auth, SERVICE, SERVICE_SECRET)


@pytest.fixture
def connect(zoom: Zoom) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Connect Zoom for an owner and return the connection."""

    async def connect(product: Caller, host_id: str | None = None, user_id: str = "host-1") -> dict[str, Any]:
        return await OwnerAtZoom(product, zoom).connect(user_id, host_id)

    return connect


@pytest.fixture
def checked_up(product: Caller, connect: Callable[..., Awaitable[dict[str, Any]]]) -> CheckedUp:
    """Connect a host and return the connection as the check-up at connecting found it."""

    async def checked_up(user_id: str = "host-1", host_id: str | None = "hst_1") -> dict[str, Any]:
        made = await connect(product, host_id=host_id, user_id=user_id)

        async def found() -> Any:
            connection = await one(product, made["id"])
            return connection if connection["checked_at"] else None

        connection: dict[str, Any] = await eventually(found)
        return connection

    return checked_up


@pytest.fixture
async def newcomer(product: Caller, zoom: Zoom, store: mongo.Database) -> OwnerAtZoom:
    """Return the owner in a product that has registered where its owners come from."""
    await Organizations(store).allow_return(product.organization_id, HOME)
    return OwnerAtZoom(product, zoom)


@pytest.fixture
async def owner(newcomer: OwnerAtZoom) -> OwnerAtZoom:
    """Return the owner of an organization whose connection is host-1's."""
    assert (await newcomer.come_back("host-1")).status_code == 200
    return newcomer
