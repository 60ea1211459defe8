"""Asking for check-ups, and reading what they have found."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tests.integration.auth_service.replicas import Caller
from tests.integration.auth_service.zoom_app import Zoom

CheckedUp = Callable[..., Awaitable[dict[str, Any]]]


async def one(product: Caller, connection_id: str) -> dict[str, Any]:
    answer = await product.call("GET", f"/v1/zoom/connections/{connection_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def ask(product: Caller, connection_id: str) -> httpx.Response:
    return await product.call("POST", f"/v1/zoom/connections/{connection_id}/checkup")


def codes(connection: dict[str, Any]) -> set[str]:
    return {finding["code"] for finding in connection["findings"]}


async def looks(zoom: Zoom) -> int:
    """Return how often Zoom was asked for its user's settings, as only a check-up does."""
    return len((await zoom.http.get("/sandbox/calls", params={"operation": "get_user_settings"})).json())
