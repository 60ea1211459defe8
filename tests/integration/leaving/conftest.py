"""One set of services for each file; each test has an organization of its own, and a sandbox that forgot the last."""

import uuid
from collections.abc import AsyncIterator

import httpx
import pytest
from pymongo import MongoClient

from tests.integration.auth_service.conftest import sandbox
from tests.integration.auth_service.zoom_app import Zoom
from tests.integration.leaving.world import Life, Product, living
from tests.support.queues import rabbitmq_url

__all__ = ["rabbitmq_url", "sandbox"]


@pytest.fixture(scope="package")
async def services(rabbitmq_url: str, mongodb_url: str, worker_prefix: str, sandbox: str) -> AsyncIterator[Life]:
    name = f"{worker_prefix}-{uuid.uuid4().hex[:8]}"
    async with (
        httpx.AsyncClient(base_url=sandbox, trust_env=False) as http,
        living(rabbitmq_url, mongodb_url, name, Zoom(sandbox, http)) as life,
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
