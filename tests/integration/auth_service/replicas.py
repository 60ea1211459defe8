"""Replicas of auth-service in the test's own process, and the neighbours that call them."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import httpx
from fastapi import FastAPI

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

    def reset(self) -> None:
        self._moved = timedelta()


async def soon(condition: Callable[[], Awaitable[bool]], *, within: float = 20) -> None:
    """Return once the condition holds."""
    met: bool = await eventually(condition, within=within)
    assert met


@asynccontextmanager
async def replica(settings: Settings, clock: MovableClock) -> AsyncIterator[httpx.AsyncClient]:
    """Run a replica and yield a client that speaks to it."""
    async with running(build_app(settings, clock=clock)) as http:
        yield http


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Run an app and yield a client that speaks to it once it is ready."""
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL, timeout=30) as http,
    ):

        async def is_ready() -> bool:
            return (await http.get("/health/ready")).status_code == 200

        await soon(is_ready)
        yield http


_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_COOKIE = re.compile(r"([^=;]+)=([^;]*)")


@dataclass
class Browser:
    """An owner's browser: it keeps our cookie, whatever scheme the test serves by, and presses buttons."""

    http: httpx.AsyncClient
    cookies: dict[str, str] = field(default_factory=dict)

    async def open(self, address: str) -> httpx.Response:
        return self._seen(await self.http.get(_path(address), headers=self._headers()))

    async def press(self, address: str, **fields: str) -> httpx.Response:
        """Send the form on one of our pages, with what is hidden in it."""
        page = await self.open(address)
        assert page.status_code == 200, page.text
        hidden = {name: unescape(value) for name, value in _HIDDEN.findall(page.text)}
        return await self.send(address, **hidden, **fields)

    async def send(self, address: str, **fields: str) -> httpx.Response:
        return self._seen(await self.http.post(_path(address), data=fields, headers=self._headers()))

    async def proceed(self, authorization_url: str) -> str:
        """Press the button on our own first page; returns the address of Zoom's page."""
        answer = await self.press(authorization_url)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    def _headers(self) -> dict[str, str]:
        return {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def _seen(self, answer: httpx.Response) -> httpx.Response:
        for header in answer.headers.get_list("set-cookie"):
            if found := _COOKIE.match(header):
                self.cookies[found[1]] = found[2]
        self.http.cookies.clear()  # this browser keeps them itself
        return answer


def _path(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


@dataclass(frozen=True)
class Caller:
    """Whoever has credentials: a product, or a service. `browser` is that of its owner."""

    http: httpx.AsyncClient
    client_id: str
    secret: str
    organization_id: str = ""
    browser: Browser = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "browser", Browser(self.http))

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

    async def begin(self, host_id: str | None = None, **asked: Any) -> httpx.Response:
        """Ask for the address that the owner's browser is sent to."""
        body = {**({"host_id": host_id} if host_id else {}), **asked}
        return await self.call("POST", "/v1/zoom/authorizations", json=body)

    async def start(self, host_id: str | None = None, **asked: Any) -> str:
        """Go through the page before Zoom's, as the owner's browser does; returns the address of Zoom's."""
        answer = await self.begin(host_id, **asked)
        assert answer.status_code == 201, answer.text
        return await self.browser.proceed(answer.json()["authorization_url"])

    async def come_back(self, address: str) -> httpx.Response:
        """Open the address that Zoom redirected to, as the owner's browser does."""
        assert address.startswith(f"{PUBLIC_URL}/v1/zoom/callback")
        return await self.browser.open(address)

    async def connections(self) -> list[dict[str, Any]]:
        answer = await self.call("GET", "/v1/zoom/connections")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def access_token(self, **body: Any) -> httpx.Response:
        return await self.call("POST", "/internal/v1/zoom/access-tokens", json=body)
