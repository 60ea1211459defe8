"""What the services talk to, in memory: the real Zoom sandbox, and fakes of the tokens' and the mails' ports."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI

from meeting_service.domain.reasons import Cause
from meeting_service.ports import Access, Refused
from notifier.smtp import Deferred
from tests.contract.zoom_sandbox.app_at_zoom import NOON, sandbox_settings
from tests.faults.crashes.effects import Life
from zoom_sandbox.answers import HANG_UP
from zoom_sandbox.app import build_app
from zoom_sandbox.faults import FaultKind, FaultOrder, OperationName
from zoom_sandbox.meetings import Meeting
from zoom_sandbox.sandbox import Sandbox

CONNECTION = "zcn_1"
ZOOM = "https://zoom.test"
TOKEN_USED_FOR = timedelta(minutes=50)


@dataclass
class Clock:
    """Stands still until it is moved: nothing here waits for real time."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


class ZoomInMemory:
    """The sandbox, as if new, with the world's clock for its own: there is one at a time in a process."""

    def __init__(self, clock: Clock) -> None:
        app = _sandbox_app()
        app.state.of_world.clock = clock
        self.sandbox: Sandbox = app.state.sandbox
        self.sandbox.reset()
        self.sandbox.switches = self.sandbox.switches.model_copy(update={"rate_limits": False})
        self._app = app

    def meetings(self) -> list[Meeting]:
        """Return all that were ever made, the deleted ones too."""
        return list(self.sandbox.meetings.by_id.values())

    def living(self, session_id: str) -> list[Meeting]:
        return [one for one in self.meetings() if not one.deleted and f"[ref:{session_id}." in one.agenda]

    def transport(self, life: Life) -> httpx.AsyncBaseTransport:
        """Return the way to it for one life of the services; each request is an effect."""
        return _Counted(httpx.ASGITransport(_closing_connections(self._app)), life)

    def turn(self, **switches: Any) -> None:
        self.sandbox.switches = self.sandbox.switches.model_copy(update=switches)

    def order(self, operation: OperationName, kind: FaultKind, **fault: Any) -> None:
        """Let the next such call run into a fault."""
        self.sandbox.faults.order(FaultOrder(operation=operation, kind=kind, **fault))

    def time_passed(self) -> None:
        """Let what waits for a time see that the clock was moved."""
        self.sandbox.clock.advance(0)

    def token(self, user_id: str) -> str:
        """Return a new access token, which ends the user's earlier ones."""
        redirect = self.sandbox.settings.zoom_redirect_uris[0]
        grants = self.sandbox.grants
        code = grants.authorize(self.sandbox.users[user_id], redirect, None, "S256")
        return grants.exchange(code, redirect, "").access.value


@dataclass
class _OfWorld:
    """The clock of whichever world there is now."""

    clock: Clock = field(default_factory=Clock)

    def __call__(self) -> datetime:
        return self.clock.now


@functools.cache
def _sandbox_app() -> FastAPI:
    """Return the application, built once: its routes take longer to build than a whole scenario."""
    of_world = _OfWorld()
    app = build_app(sandbox_settings(), clock=of_world)
    app.state.of_world = of_world
    return app


class _Counted(httpx.AsyncBaseTransport):
    def __init__(self, to_zoom: httpx.AsyncBaseTransport, life: Life) -> None:
        self._to_zoom = to_zoom
        self._life = life

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        kind = "a meeting" if request.url.path.rpartition("/")[2].isdigit() else "meetings"

        async def act() -> httpx.Response:
            return await self._to_zoom.handle_async_request(request)

        return await self._life.do(f"zoom {request.method} {kind}", act)


def _closing_connections(app: FastAPI) -> Callable[..., Awaitable[None]]:
    """Give the sandbox the means to close a connection without an answer, as its own server does."""

    def close() -> None:
        raise httpx.RemoteProtocolError("the connection was closed without an answer")

    async def called(scope: dict[str, Any], receive: Any, send: Any) -> None:
        scope["extensions"] = {HANG_UP: {"close": close}}
        await app(scope, receive, send)

    return called


@dataclass
class Connected:
    """Which Zoom user is connected now; what auth-service would keep."""

    zoom: ZoomInMemory
    clock: Clock
    user_id: str | None = "host-1"
    refusal: Cause = "zoom_not_connected"
    since: datetime = NOON - timedelta(days=1)
    _tokens: dict[str, tuple[datetime, str]] = field(default_factory=dict)

    def access(self) -> Access:
        """Return access. Raises Refused while nobody is connected."""
        if self.user_id is None:
            raise Refused(self.refusal, "Zoom was disconnected")
        return Access(CONNECTION, self.user_id, self._token(self.user_id), ZOOM, self.since)

    def forget(self) -> None:
        self._tokens = {}

    def _token(self, user_id: str) -> str:
        made_at, token = self._tokens.get(user_id, (datetime.min.replace(tzinfo=NOON.tzinfo), ""))
        if self.clock() - made_at > TOKEN_USED_FOR:
            token = self.zoom.token(user_id)
            self._tokens[user_id] = (self.clock(), token)
        return token


@dataclass(frozen=True)
class Tokens:
    """The AccessTokens port of one life of meeting-service."""

    connected: Connected
    life: Life

    async def to_make(self, _organization_id: str, _host_id: str) -> Access:
        return await self._access()

    async def to_change(self, _organization_id: str, _connection_id: str) -> Access:
        return await self._access()

    async def to_withdraw(self, _organization_id: str, _connection_id: str) -> Access:
        return await self._access()

    async def replace_refused(self, _organization_id: str, _refused: Access) -> Access:
        return await self._access(is_refused=True)

    async def _access(self, *, is_refused: bool = False) -> Access:
        async def act() -> Access:
            if is_refused:
                self.connected.forget()
            return self.connected.access()

        return await self.life.do("token", act)


@dataclass(frozen=True)
class Delivered:
    """A mail that the mail server has taken."""

    recipient: str
    raw: bytes
    at: datetime


@dataclass(frozen=True)
class Post:
    """The way to a mail server for one life of the notifier: an SmtpPost and its sessions in one."""

    delivered: list[Delivered]
    life: Life
    clock: Clock

    @asynccontextmanager
    async def session(self) -> AsyncIterator["Post"]:
        yield self

    async def deliver(self, recipient: str, mime: bytes, until: datetime) -> None:
        if self.clock() >= until:
            raise Deferred("the time for one mail was over")

        async def act() -> None:
            self.delivered.append(Delivered(recipient, mime, self.clock()))

        await self.life.do("smtp", act)
