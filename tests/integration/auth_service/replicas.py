"""Replicas of auth-service in the test's own process, and the neighbours that call them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from auth_service.app import build_app
from auth_service.settings import Settings
from convoke.clock import utc_now
from tests.support.eventually import eventually

PUBLIC_URL = "https://auth.convoke.test"
SERVICE, SERVICE_SECRET = "meeting-service", "service-canary-=secret"


class MovableClock:
    """The time of the replicas; JWTs keep to the real one."""

    def __init__(self) -> None:
        self._moved = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self._moved

    def advance(self, **by: float) -> None:
        self._moved += timedelta(**by)


async def soon(condition: Callable[[], Awaitable[bool]], *, within: float = 20) -> None:
    """Return once the condition holds."""
    met: bool = await eventually(condition, within=within)
    assert met


@asynccontextmanager
async def replica(settings: Settings, clock: MovableClock) -> AsyncIterator[httpx.AsyncClient]:
    """Run a replica and yield a client that speaks to it."""
    app = build_app(settings, clock=clock)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL, timeout=30) as http,
    ):

        async def is_ready() -> bool:
            return (await http.get("/health/ready")).status_code == 200

        await soon(is_ready)
        yield http


@dataclass(frozen=True)
class Caller:
    """Whoever has credentials: a product, or a service."""

    http: httpx.AsyncClient
    client_id: str
    secret: str
    organization_id: str = ""

    async def ask_token(self, audience: str = "auth-service", **form: str) -> httpx.Response:
        body = {"grant_type": "client_credentials", "audience": audience, **form}
        return await self.http.post("/oauth/token", data=body, auth=(self.client_id, self.secret))

    async def token(self, audience: str = "auth-service") -> str:
        answer = await self.ask_token(audience)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def call(self, method: str, path: str, **request: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {await self.token()}"}
        return await self.http.request(method, path, headers=headers, **request)

    async def start(self, host_id: str | None = None) -> str:
        """Return the address of Zoom's consent page."""
        answer = await self.call("POST", "/v1/zoom/authorizations", json={"host_id": host_id} if host_id else {})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["authorization_url"])

    async def come_back(self, address: str) -> httpx.Response:
        """Open the address that Zoom redirected to, as the owner's browser does."""
        assert address.startswith(f"{PUBLIC_URL}/v1/zoom/callback")
        return await self.http.get(f"/v1/zoom/callback?{urlsplit(address).query}")

    async def connections(self) -> list[dict[str, Any]]:
        answer = await self.call("GET", "/v1/zoom/connections")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def access_token(self, **body: Any) -> httpx.Response:
        return await self.call("POST", "/internal/v1/zoom/access-tokens", json=body)
