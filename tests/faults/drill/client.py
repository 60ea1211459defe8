"""A product that books for many organizations at once; as a good client it asks again, with the same key."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from local_stack.tenant import Credentials

Json = dict[str, Any]
ANSWER_WITHIN = 12.0
"""Seconds; longer than a service takes to say that its database is away."""

GIVES_UP_AFTER = 180.0
_AGAIN = frozenset({409, 429, 500, 502, 503, 504})


class NeverAnsweredError(Exception):
    """A request got no final answer, however often it was asked."""


@dataclass
class Client:
    """Asks booking-service; `repeats` counts by cause what had to be asked again."""

    http: httpx.AsyncClient
    urls: dict[str, str]
    repeats: Counter[str] = field(default_factory=Counter)
    recovered: int = 0
    _tokens: dict[str, tuple[float, str]] = field(default_factory=dict)

    async def insist(
        self, who: Credentials, method: str, path: str, body: Json | None = None, *, key: str | None = None
    ) -> Json:
        """Return the final answer. Raises NeverAnsweredError, and httpx.HTTPStatusError where it is a refusal."""
        key, started, asked = key or uuid.uuid4().hex, time.monotonic(), 0
        while time.monotonic() < started + GIVES_UP_AFTER:
            asked += 1
            try:
                answer = await self.ask(who, method, path, body, key)
            except httpx.TransportError as broken:
                self.repeats[type(broken).__name__] += 1
            else:
                if answer.status_code not in _AGAIN:
                    self.recovered += asked > 1
                    return dict(answer.raise_for_status().json())
                self.repeats[str(answer.status_code)] += 1
            await asyncio.sleep(min(0.2 * asked, 2.0))
        raise NeverAnsweredError(f"{method} {path}: no final answer after {asked} requests in {GIVES_UP_AFTER:g} s")

    async def ask(
        self, who: Credentials, method: str, path: str, body: Json | None, key: str, *, url: str | None = None
    ) -> httpx.Response:
        """Ask once, at `url` where one is given. Raises httpx.TransportError."""
        headers = {"Authorization": f"Bearer {await self._token(who)}", "Idempotency-Key": key}
        address = f"{url or self.urls['booking-service']}{path}"
        return await self.http.request(method, address, json=body, headers=headers)

    async def _token(self, who: Credentials) -> str:
        good_until, token = self._tokens.get(who.client_id, (0.0, ""))
        if time.monotonic() < good_until:
            return token
        form = {"grant_type": "client_credentials", "audience": "booking-service"}
        answer = await self.http.post(
            f"{self.urls['auth-service']}/oauth/token", data=form, auth=(who.client_id, who.client_secret)
        )
        if answer.status_code in _AGAIN:
            raise httpx.ReadError("no token now")
        issued = answer.raise_for_status().json()
        self._tokens[who.client_id] = (time.monotonic() + issued["expires_in"] / 2, issued["access_token"])
        return str(issued["access_token"])


@asynccontextmanager
async def client(urls: dict[str, str]) -> AsyncIterator[Client]:
    """Ask these addresses: `booking-service` and `auth-service`."""
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=40)
    async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_WITHIN, limits=limits) as http:
        yield Client(http, urls)
