"""Operators are let in where services show what they do, with the identity that a local system gives them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from auth_service.settings import Settings
from convoke import mongo
from convoke.clock import utc_now
from convoke.identity import TokenVerifier
from convoke.problems import answer_with_problems
from convoke.settings import load
from convoke.vault import Vault
from local_stack.addresses import load_or_choose
from local_stack.secrets_file import load_or_make
from local_stack.settings_of_services import Surroundings, of_service
from meeting_service.http.meetings import meetings_router
from meeting_service.mongo.meetings import Meetings
from notifier.http import deliveries_router
from notifier.mongo.correspondence import Correspondences
from tests.integration.auth_service.replicas import PUBLIC_URL, Caller, MovableClock, replica

VIEWS = {
    "meeting-service": "/internal/v1/meetings/ses_1",
    "notifier": "/internal/v1/deliveries?booking_id=bkg_1",
}


@pytest.fixture
async def auth(environment: dict[str, str], clock: MovableClock, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """auth-service with the identities that a system on this machine gives it."""
    ports, secrets = load_or_choose(tmp_path / "ports.json", {}), load_or_make(tmp_path / "secrets.json")
    system = Surroundings("amqp://127.0.0.1", "mongodb://127.0.0.1", ports, secrets)
    told = of_service("auth-service", 0, system)["SERVICE_CLIENTS"]
    async with replica(load(Settings, {**environment, "SERVICE_CLIENTS": told}), clock) as http:
        yield http


@pytest.fixture
async def views(auth: httpx.AsyncClient, settings: Settings) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """Give a client of each service's operator view."""
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    database, vault = mongo.database(client, settings.mongodb_database), Vault(settings.encryption_keys)
    routers = {
        "meeting-service": meetings_router(
            Meetings(database, vault), TokenVerifier(auth, PUBLIC_URL, "meeting-service")
        ),
        "notifier": deliveries_router(
            Correspondences(database, vault, utc_now), TokenVerifier(auth, PUBLIC_URL, "notifier")
        ),
    }
    async with AsyncExitStack() as stack:
        clients = {}
        for name, router in routers.items():
            app = FastAPI()
            answer_with_problems(app)
            app.include_router(router)
            http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{name}")
            clients[name] = await stack.enter_async_context(http)
        yield clients
    client.close()


@pytest.fixture
def operator(auth: httpx.AsyncClient) -> Caller:
    return Caller(auth, "operator", "operator-for-development-only")


async def look(view: httpx.AsyncClient, path: str, token: str) -> int:
    return (await view.get(path, headers={"authorization": f"Bearer {token}"})).status_code


@pytest.mark.parametrize("service", VIEWS)
async def test_an_operator_is_let_in(service: str, operator: Caller, views: dict[str, httpx.AsyncClient]):
    # 404: the question was asked, and nothing is there yet.
    assert await look(views[service], VIEWS[service], await operator.token(service)) == 404
    assert await look(views[service], VIEWS[service], await operator.token("booking-service")) == 401


@pytest.mark.parametrize("service", VIEWS)
async def test_a_tenants_client_is_not(service: str, product: Caller, views: dict[str, httpx.AsyncClient]):
    assert await look(views[service], VIEWS[service], await product.token(service)) == 403


async def test_an_operator_gets_nothing_that_is_meeting_services(operator: Caller):
    asked = {"organization_id": "org_1", "host_id": "hst_1"}
    assert (await operator.access_token(**asked)).status_code == 403
