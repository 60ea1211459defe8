"""Zoom as the tests see it: the sandbox's pages as a browser walks through them, and its control API."""

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx

_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@dataclass(frozen=True)
class Zoom:
    """`address` is where the sandbox serves; `http` speaks to it."""

    address: str
    http: httpx.AsyncClient

    async def consent(self, authorization_url: str, user_id: str = "host-1", decision: str = "allow") -> str:
        """Read the consent page and press a button on it; returns the address that Zoom redirects to."""
        page = await self.http.get(authorization_url)
        assert page.status_code == 200, page.text
        form = {name: unescape(value) for name, value in _HIDDEN.findall(page.text)}
        answer = await self.http.post("/oauth/authorize", data={**form, "user_id": user_id, "decision": decision})
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    async def install(self, user_id: str = "host-1") -> str:
        """Add the app from the Marketplace, which knows no state."""
        answer = await self.http.post("/marketplace/install", data={"user_id": user_id, "decision": "allow"})
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    async def calls(self, operation: str) -> list[dict[str, Any]]:
        return list((await self.http.get("/sandbox/calls", params={"operation": operation})).json())

    async def token_calls(self) -> list[dict[str, Any]]:
        return await self.calls("token")

    async def revocations(self) -> list[tuple[str | None, int | None]]:
        """Return whose tokens were to be revoked, and what was answered."""
        return [(call["user_id"], call["status"]) for call in await self.calls("revoke")]

    async def forget_calls(self) -> None:
        await self.http.delete("/sandbox/calls")

    async def fault(self, operation: str, kind: str, **order: Any) -> None:
        answer = await self.http.post("/sandbox/faults", json={"operation": operation, "kind": kind, **order})
        assert answer.status_code == 201, answer.text

    async def heal(self) -> None:
        await self.http.delete("/sandbox/faults")

    async def turn(self, **switches: Any) -> None:
        assert (await self.http.patch("/sandbox/switches", json=switches)).is_success

    async def user(self, user_id: str, **fields: Any) -> None:
        assert (await self.http.post("/sandbox/users", json={"id": user_id, **fields})).is_success

    async def accepts(self, access_token: str) -> bool:
        headers = {"authorization": f"Bearer {access_token}"}
        return (await self.http.get("/v2/users/me", headers=headers)).status_code == 200
