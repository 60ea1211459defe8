"""A product that books: an API client of one organization, and what it has set up."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.integration.booking_service.issuer import Issuer

EVERYTHING = "hosts.manage bookings.read bookings.write"
HOST = {"name": "Ada", "email": "ada@example.com", "timezone": "Europe/Berlin", "locale": "de"}
EVENT_TYPE = {"title": "Intro", "description": "A first talk", "duration_minutes": 30, "location": {"kind": "zoom"}}
INVITEE = {"name": "Grace", "email": "grace@example.org", "timezone": "America/New_York", "locale": "en"}


def hour(offset: float) -> str:
    """Return the RFC 3339 time of a full hour from now on, `offset` hours after tomorrow's midnight."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (midnight + timedelta(hours=offset)).isoformat()


@dataclass
class Tenant:
    http: httpx.AsyncClient
    issuer: Issuer
    organization_id: str
    scope: str = EVERYTHING
    host_id: str = ""
    event_type_id: str = ""

    async def call(self, method: str, path: str, *, key: str | None = None, **request: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.issuer.token(self.organization_id, self.scope)}"}
        headers |= {"Idempotency-Key": key} if key else {}
        headers |= {"Content-Type": "application/json"} if "content" in request else {}
        return await self.http.request(method, path, headers=headers, **request)

    async def get(self, path: str, **parameters: Any) -> Any:
        answer = await self.call("GET", path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def add_host(self, **other: Any) -> str:
        answer = await self.call("POST", "/v1/hosts", json=HOST | other)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def add_event_type(self, **other: Any) -> str:
        answer = await self.call("POST", "/v1/event-types", json=EVENT_TYPE | other)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def order(self, starts_at: str, **other: Any) -> dict[str, Any]:
        order = {"event_type_id": self.event_type_id, "host_id": self.host_id, "starts_at": starts_at}
        return {**order, "invitee": INVITEE, **other}

    async def try_to_book(self, starts_at: str, *, key: str | None = None, **other: Any) -> httpx.Response:
        return await self.call("POST", "/v1/bookings", key=key, json=self.order(starts_at, **other))

    async def book(self, starts_at: str, **other: Any) -> dict[str, Any]:
        answer = await self.try_to_book(starts_at, **other)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def try_to_reschedule(
        self, booking_id: str, starts_at: str, *, key: str | None = None, reason: str | None = None
    ) -> httpx.Response:
        body = {"starts_at": starts_at} | ({"reason": reason} if reason else {})
        return await self.call("POST", f"/v1/bookings/{booking_id}/reschedule", key=key, json=body)

    async def try_to_cancel(
        self, booking_id: str, *, key: str | None = None, reason: str | None = None
    ) -> httpx.Response:
        body = {"reason": reason} if reason else None
        return await self.call("POST", f"/v1/bookings/{booking_id}/cancel", key=key, json=body)

    async def booking(self, booking_id: str) -> dict[str, Any]:
        return dict(await self.get(f"/v1/bookings/{booking_id}"))

    async def timeline(self, booking_id: str) -> list[str]:
        entries = (await self.get(f"/v1/bookings/{booking_id}/timeline"))["items"]
        return [entry["what"] for entry in entries]

    async def at_once(self, times: int, starts_at: str, **other: Any) -> list[httpx.Response]:
        return await asyncio.gather(*(self.try_to_book(starts_at, **other) for _ in range(times)))
