"""One set of services for each file; each test has an organization of its own, and a sandbox that forgot the last."""

import uuid
from collections.abc import AsyncIterator

import httpx
import pytest
from pymongo import MongoClient

from tests.integration.auth_service.conftest import sandbox
from tests.integration.auth_service.zoom_app import Zoom
from tests.integration.leaving.world import Life, Product, living
from tests.support.servers import virtual_host

__all__ = ["sandbox"]


@pytest.fixture(scope="module")
async def services(
    rabbitmq_addresses: dict[str, str], mongodb_url: str, worker_prefix: str, sandbox: str
) -> AsyncIterator[Life]:
    name = f"{worker_prefix}-{uuid.uuid4().hex[:8]}"
    with virtual_host(rabbitmq_addresses, name) as vhost:
        async with (
            httpx.AsyncClient(base_url=sandbox, trust_env=False) as http,
            living(vhost, mongodb_url, name, Zoom(sandbox, http)) as life,
        ):
            yield life
    with MongoClient[dict[str, object]](mongodb_url) as client:
        for database in ("auth", "meeting"):
            client.drop_database(f"{name}-{database}")


@pytest.fixture
async def life(services: Life) -> Life:
    await services.zoom.http.post("/sandbox/reset")
    return services


@pytest.fixture
async def product(life: Life) -> Product:
    return await life.product()
