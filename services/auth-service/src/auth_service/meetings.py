"""The Meetings port over meeting-service's internal HTTP, with tokens that are signed here."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import httpx
from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.clients import Client
from auth_service.domain.consequences import Consequences
from auth_service.signing import SigningKeys
from convoke import outgoing

log: BoundLogger = get_logger(__name__)

ANSWERS_WITHIN = 3.0
"""Seconds for the whole: somebody looks at a page meanwhile."""

AUDIENCE, SCOPE = "meeting-service", "zoom.endings"
Value = TypeVar("Value")
MYSELF = Client("auth-service", "auth-service", None, (SCOPE,), secret_hash="")


class MeetingService:
    """meeting-service's internal paths."""

    def __init__(self, http: httpx.AsyncClient, meeting_service_url: str, keys: SigningKeys) -> None:
        self._http = http
        self._url = f"{meeting_service_url.rstrip('/')}/internal/v1/zoom/connections"
        self._keys = keys

    async def consequences(self, organization_id: str, connection_id: str) -> Consequences | None:
        asked = {"organization_id": organization_id}
        return await self._ask("GET", f"/{connection_id}/consequences", _consequences, params=asked)

    async def withdraw(self, organization_id: str, connection_id: str) -> int | None:
        asked = {"organization_id": organization_id}
        return await self._ask("POST", f"/{connection_id}/withdrawal", lambda body: int(body["left"]), json=asked)

    async def _ask(self, method: str, path: str, read: Callable[[Any], Value], **request: Any) -> Value | None:
        """Return what `read` makes of the answer's JSON; None where there is no such answer in time."""
        headers = {"Authorization": f"Bearer {self._keys.issue(MYSELF, AUDIENCE, (SCOPE,))}"}
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                answer = await self._http.request(method, f"{self._url}{path}", headers=headers, **request)
            return read(answer.raise_for_status().json())
        except (TimeoutError, httpx.HTTPError, ValueError, KeyError) as error:
            log.warning("meeting_service.not_asked", path=path.rpartition("/")[2], reason=type(error).__name__)
            return None


def _consequences(body: Any) -> Consequences:
    return Consequences(body["future_meetings"], body["owed_creates"], body["owed_updates"], body["owed_deletes"])


def http_client(*addresses: str) -> httpx.AsyncClient:
    """Return a client for the neighbours at these addresses."""
    return outgoing.client(timeout=httpx.Timeout(ANSWERS_WITHIN, connect=1.0), addresses=addresses)
