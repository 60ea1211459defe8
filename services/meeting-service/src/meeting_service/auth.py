"""The AccessTokens port over auth-service's internal HTTP, with a short cache."""

import asyncio
import hashlib
import time
from typing import Any

import httpx

from convoke.contracts.meetings import FailureCode
from convoke.identity import ServiceToken
from meeting_service.ports import Access, Refused

CACHED_FOR = 30.0
"""Seconds; the longest time for which a replica may go on with a token after a change of the connection."""

ANSWERS_WITHIN = 12.0
"""Seconds for the whole; auth-service itself waits up to ten for a refresh at Zoom."""

_CODES: dict[str, FailureCode] = {
    "zoom-not-connected": "zoom_not_connected",
    "zoom-paused": "zoom_paused",
    "zoom-reauthorization-required": "zoom_reauthorization_required",
    "zoom-unavailable": "zoom_unavailable",
}


class ZoomAccessTokens:
    """Asks auth-service, and remembers for half a minute what it said."""

    def __init__(self, http: httpx.AsyncClient, auth_service_url: str, own_token: ServiceToken) -> None:
        self._http = http
        self._url = f"{auth_service_url.rstrip('/')}/internal/v1/zoom/access-tokens"
        self._own_token = own_token
        self._cache: dict[tuple[str, str, str], tuple[float, Access]] = {}

    async def to_make(self, organization_id: str, host_id: str) -> Access:
        return await self._cached(organization_id, "host_id", host_id)

    async def to_change(self, organization_id: str, connection_id: str) -> Access:
        return await self._cached(organization_id, "connection_id", connection_id)

    async def replace_refused(self, organization_id: str, refused: Access) -> Access:
        self.forget(organization_id)
        fingerprint = hashlib.sha256(refused.token.encode()).hexdigest()[:16]
        return await self._ask(
            {"organization_id": organization_id, "connection_id": refused.connection_id, "rejected": fingerprint}
        )

    def forget(self, organization_id: str) -> None:
        """Drop what is cached of an organization: its connections changed."""
        self._cache = {key: kept for key, kept in self._cache.items() if key[0] != organization_id}

    async def _cached(self, organization_id: str, kind: str, value: str) -> Access:
        key = (organization_id, kind, value)
        good_until, access = self._cache.get(key, (0.0, None))
        if access is None or time.monotonic() >= good_until:
            access = await self._ask({"organization_id": organization_id, kind: value})
            self._cache[key] = (time.monotonic() + CACHED_FOR, access)
        return access

    async def _ask(self, body: dict[str, str]) -> Access:
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                answer = await self._post_with_own_token(body)
            if not answer.is_success:
                raise _refusal(answer)
            return _access(answer.json())
        except (TimeoutError, httpx.HTTPError, ValueError, KeyError) as error:
            raise Refused("zoom_unavailable", f"auth-service does not answer ({type(error).__name__})") from error

    async def _post_with_own_token(self, body: dict[str, str]) -> httpx.Response:
        answer = await self._post(body)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._own_token.forget()
            answer = await self._post(body)
        return answer

    async def _post(self, body: dict[str, str]) -> httpx.Response:
        bearer = await self._own_token.get()
        return await self._http.post(self._url, json=body, headers={"Authorization": f"Bearer {bearer}"})


def _access(token: dict[str, Any]) -> Access:
    return Access(token["connection_id"], token["zoom_user_id"], token["access_token"], token["api_url"].rstrip("/"))


def _refusal(answer: httpx.Response) -> Refused:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    code = _CODES.get(problem.get("type", ""), "zoom_unavailable")
    return Refused(code, str(problem.get("detail", f"auth-service answered {answer.status_code}")))
