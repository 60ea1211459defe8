"""An app as registered at the sandbox: what a client of Zoom does, spelled out over plain HTTP."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.support.eventually import eventually
from zoom_sandbox.settings import Settings

CLIENT_ID, CLIENT_SECRET, WEBHOOK_SECRET = "the-app", "the-secret", "the-webhook-secret"
CALLBACK, OTHER_CALLBACK = "https://convoke.test/callback", "https://convoke.test/other"
START = "2030-05-06T10:00:00Z"
NOON = datetime(2029, 3, 4, 12, tzinfo=UTC)
Json = dict[str, Any]


def sandbox_settings() -> Settings:
    return Settings.model_validate(
        {
            "zoom_client_id": CLIENT_ID,
            "zoom_client_secret": CLIENT_SECRET,
            "zoom_redirect_uris": (CALLBACK, OTHER_CALLBACK),
            "zoom_webhook_secret_token": WEBHOOK_SECRET,
        }
    )


@dataclass(frozen=True)
class Host:
    """A Zoom user who let the app in."""

    user_id: str
    access_token: str
    refresh_token: str
    http: httpx.AsyncClient

    async def call(self, method: str, path: str, **request: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.access_token}", "accept": "application/json"}
        return await self.http.request(method, f"/v2{path}", headers=headers | request.pop("headers", {}), **request)

    async def create(self, **fields: Any) -> Json:
        answer = await self.call("POST", "/users/me/meetings", json={"topic": "Talk", "start_time": START} | fields)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def change(self, meeting_id: int, **fields: Any) -> httpx.Response:
        return await self.call("PATCH", f"/meetings/{meeting_id}", json=fields)

    async def read(self, meeting_id: int) -> Json:
        answer = await self.call("GET", f"/meetings/{meeting_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def delete(self, meeting_id: int) -> httpx.Response:
        return await self.call("DELETE", f"/meetings/{meeting_id}")


@dataclass(frozen=True)
class AppAtZoom:
    """The app's own calls, and the sandbox's control API."""

    http: httpx.AsyncClient

    async def consent(self, user_id: str = "host-1", **asked: Any) -> Json:
        """Consent as a person would, and return the parameters of the callback."""
        body = {"user_id": user_id, "redirect_uri": CALLBACK} | asked
        answer = await self.http.post("/sandbox/consents", json=body)
        assert answer.status_code == 200, answer.text
        return parameters(answer.json()["location"])

    async def token(self, **form: str) -> httpx.Response:
        return await self.http.post("/oauth/token", data=form, auth=(CLIENT_ID, CLIENT_SECRET))

    async def exchange(self, code: str, **form: str) -> httpx.Response:
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK} | form
        return await self.token(**fields)

    async def refresh(self, refresh_token: str) -> httpx.Response:
        return await self.token(grant_type="refresh_token", refresh_token=refresh_token)

    async def host(self, user_id: str = "host-1") -> Host:
        """Let a user in, through the OAuth flow."""
        answer = await self.exchange((await self.consent(user_id))["code"])
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        return Host(user_id, tokens["access_token"], tokens["refresh_token"], self.http)

    async def advance(self, **time: float) -> None:
        seconds = time.get("seconds", 0) + 60 * time.get("minutes", 0) + 86_400 * time.get("days", 0)
        await self.control("POST", "/clock", json={"advance_seconds": seconds})

    async def turn(self, **switches: Any) -> None:
        await self.control("PATCH", "/switches", json=switches)

    async def fault(self, operation: str, kind: str, **order: Any) -> str:
        answer = await self.control("POST", "/faults", json={"operation": operation, "kind": kind, **order})
        return str(answer["id"])

    async def meetings(self, host_id: str = "host-1") -> list[Json]:
        return list(await self.control("GET", "/meetings", params={"host_id": host_id}))

    async def control(self, method: str, path: str, **request: Any) -> Any:
        answer = await self.http.request(method, f"/sandbox{path}", **request)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


async def true_in_the_end(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what the sandbox does after it has closed the connection."""
    met: bool = await eventually(condition)
    assert met


def parameters(location: str) -> Json:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def refused(answer: httpx.Response) -> tuple[int, int, str]:
    """Return what a client can tell a refusal by."""
    return answer.status_code, answer.json()["code"], answer.json()["message"]
