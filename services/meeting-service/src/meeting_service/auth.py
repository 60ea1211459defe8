"""The AccessTokens and the Connected port over auth-service's internal HTTP."""

import asyncio
import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

import httpx

from convoke.clock import utc_now
from convoke.contracts.meetings import FailureCode
from convoke.identity import ServiceToken
from meeting_service.domain.connections import Connection, Connections
from meeting_service.domain.reasons import Cause
from meeting_service.ports import Access, Refused
from meeting_service.zoom.errors import NotAsked

CACHED_FOR = 30.0
"""Seconds; the longest time for which a replica may go on with a token after a change of the connection."""

ANSWERS_WITHIN = 12.0
"""Seconds for the whole; auth-service itself waits up to ten for a refresh at Zoom."""

_CAUSES: dict[str, Cause] = {
    "zoom-never-connected": "zoom_never_connected",
    "zoom-not-connected": "zoom_not_connected",
    "zoom-paused": "zoom_paused",
    "zoom-reauthorization-required": "zoom_reauthorization_required",
    "zoom-unavailable": "zoom_unavailable",
}

_LACKS: dict[str, FailureCode | None] = {
    "active": None,
    "reauthorization_required": "zoom_reauthorization_required",
    "disconnected": "zoom_not_connected",
}

Value = TypeVar("Value")


class AuthService:
    """auth-service's internal paths, asked with this service's own token."""

    def __init__(self, http: httpx.AsyncClient, auth_service_url: str, own_token: ServiceToken) -> None:
        self._http = http
        self._url = f"{auth_service_url.rstrip('/')}/internal/v1/zoom"
        self._own_token = own_token

    async def ask(self, method: str, path: str, read: Callable[[Any], Value], **request: Any) -> Value:
        """Return what `read` makes of the answer's JSON. Raises Refused."""
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                answer = await self._with_own_token(method, path, request)
            if not answer.is_success:
                raise _refusal(answer)
            return read(answer.json())
        except (TimeoutError, httpx.HTTPError, ValueError, KeyError) as error:
            raise Refused("zoom_unavailable", f"auth-service does not answer ({type(error).__name__})") from error

    async def _with_own_token(self, method: str, path: str, request: dict[str, Any]) -> httpx.Response:
        answer = await self._request(method, path, request)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._own_token.forget()
            answer = await self._request(method, path, request)
        return answer

    async def _request(self, method: str, path: str, request: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {await self._own_token.get()}"}
        return await self._http.request(method, f"{self._url}{path}", headers=headers, **request)


class ZoomConnections:
    """The Connected port: asks auth-service page by page."""

    def __init__(self, auth_service: AuthService) -> None:
        self._auth_service = auth_service

    async def of(self, organization_id: str) -> Connections:
        found: list[Connection] = []
        cursor: str | None = ""
        while cursor is not None:
            asked = {"organization_id": organization_id, "cursor": cursor}
            page, cursor = await self._auth_service.ask("GET", "/connections", _page, params=asked)
            found += page
        return Connections(found)


class ZoomAccessTokens:
    """The AccessTokens port: asks auth-service, and remembers for half a minute what it said."""

    def __init__(self, auth_service: AuthService) -> None:
        self._auth_service = auth_service
        self._cache: dict[tuple[str, str, str], tuple[float, Access]] = {}
        self._forgotten = 0
        self._ended: dict[str, float] = {}

    async def to_make(self, organization_id: str, host_id: str) -> Access:
        return await self._cached(organization_id, "host_id", host_id)

    async def to_change(self, organization_id: str, connection_id: str) -> Access:
        return await self._cached(organization_id, "connection_id", connection_id)

    async def to_withdraw(self, organization_id: str, connection_id: str) -> Access:
        return await self._ask({"organization_id": organization_id, "connection_id": connection_id})

    async def replace_refused(self, organization_id: str, refused: Access) -> Access:
        self.forget(organization_id)
        fingerprint = hashlib.sha256(refused.token.encode()).hexdigest()[:16]
        return await self._ask(
            {"organization_id": organization_id, "connection_id": refused.connection_id, "rejected": fingerprint}
        )

    def forget(self, organization_id: str) -> None:
        """Drop what is cached of an organization, and what is being asked just now: its connections changed."""
        self._forgotten += 1
        self._cache = {key: kept for key, kept in self._cache.items() if key[0] != organization_id}

    def end(self, connection_id: str) -> None:
        """Have nothing sent any more with what was asked for until now: the connection has ended."""
        self._ended[connection_id] = time.monotonic()

    def check(self, access: Access) -> None:
        """Raise NotAsked where the connection has ended since: whether it is connected again is to be asked anew."""
        if access.asked_at <= self._ended.get(access.connection_id, -math.inf):
            raise NotAsked("zoom_paced", "Zoom was disconnected meanwhile", utc_now())

    async def _cached(self, organization_id: str, kind: str, value: str) -> Access:
        key = (organization_id, kind, value)
        good_until, access = self._cache.get(key, (0.0, None))
        if access is None or time.monotonic() >= good_until:
            asked_at = self._forgotten
            access = await self._ask({"organization_id": organization_id, kind: value})
            if asked_at == self._forgotten:
                self._cache[key] = (time.monotonic() + CACHED_FOR, access)
        return access

    async def _ask(self, body: dict[str, str]) -> Access:
        asked_at = time.monotonic()
        access = await self._auth_service.ask("POST", "/access-tokens", _access, json=body)
        return replace(access, asked_at=asked_at)


def _access(token: dict[str, Any]) -> Access:
    return Access(
        token["connection_id"],
        token["zoom_user_id"],
        token["access_token"],
        token["api_url"].rstrip("/"),
        datetime.fromisoformat(token["connected_since"]),
        token.get("zoom_account_id", ""),
        token.get("plan", "unknown"),
        token.get("is_left", False),
        datetime.fromisoformat(token["connected_at"]) if "connected_at" in token else None,
    )


def _page(page: dict[str, Any]) -> tuple[list[Connection], str | None]:
    return [_connection(item) for item in page["items"]], page.get("next_cursor")


def _connection(item: dict[str, Any]) -> Connection:
    lacks = _LACKS[item["status"]]
    since = datetime.fromisoformat(item["connected_since"])
    return Connection(item["id"], item["host_id"], item["zoom_user_id"], since, lacks, item["enabled_for_new_bookings"])


def _refusal(answer: httpx.Response) -> Refused:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    cause = _CAUSES.get(problem.get("type", ""), "zoom_unavailable")
    return Refused(cause, str(problem.get("detail", f"auth-service answered {answer.status_code}")))
