"""One sandbox as a real HTTP server per test run, forgotten before each test."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import httpx
import pytest

from tests.contract.zoom_sandbox.app_at_zoom import NOON, AppAtZoom, Host, sandbox_settings
from zoom_sandbox.app import build_app
from zoom_sandbox.server import serving


@pytest.fixture(scope="package")
async def sandbox_address() -> AsyncGenerator[str]:
    """Serve on a free port, from a noon on: no test runs into midnight unless it advances the clock."""
    began = datetime.now(UTC)
    async with serving(build_app(sandbox_settings(), clock=lambda: NOON + (datetime.now(UTC) - began))) as address:
        yield address


@pytest.fixture(scope="package")
async def http(sandbox_address: str) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=sandbox_address, trust_env=False) as client:
        yield client


@pytest.fixture
async def app(http: httpx.AsyncClient) -> AppAtZoom:
    await http.post("/sandbox/reset")
    return AppAtZoom(http)


@pytest.fixture
async def host(app: AppAtZoom) -> Host:
    return await app.host("host-1")
