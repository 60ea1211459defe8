"""The control side of the Zoom sandbox: faults, the log of calls, and the meetings that are really there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx

Json = dict[str, Any]


class Zoom:
    """Talks to `/sandbox`, behind the back of the system under test."""

    def __init__(self, url: str) -> None:
        # None is kept open: the server closes idle ones after seconds, perhaps just as the next request is sent.
        one_each = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(base_url=f"{url}/sandbox", trust_env=False, timeout=30, limits=one_each)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def add_user(self, user_id: str, **details: Any) -> None:
        self._post("/users", {"id": user_id, "email": f"{user_id}@example.com", **details})

    def deauthorize(self, user_id: str) -> None:
        """Remove the app as that user does inside Zoom: every token of theirs is dead at once."""
        self._post("/deauthorize", {"user_id": user_id})

    def fault(self, operation: str, kind: str, **details: Any) -> str:
        """Order a fault and return its id; `times=None` holds until `heal`."""
        return str(self._post("/faults", {"operation": operation, "kind": kind, **details}).json()["id"])

    def hits(self, fault: str) -> int:
        """Return how many calls have met a fault."""
        return sum(each["hits"] for each in self._get("/faults", {}) if each["id"] == fault)

    def forget(self, fault: str) -> None:
        """Let nothing more run into a fault."""
        self._http.delete(f"/faults/{fault}").raise_for_status()

    def heal(self) -> None:
        self._http.delete("/faults").raise_for_status()

    def advance_clock(self, seconds: float) -> None:
        self._post("/clock", {"advance_seconds": seconds})

    def calls(self, operation: str | None = None, user_id: str | None = None) -> list[Json]:
        found = self._get("/calls", {"operation": operation} if operation else {})
        return [call for call in found if user_id in (None, call["user_id"])]

    def unanswered(self, operation: str, user_id: str) -> bool:
        """Tell whether Zoom has such a call and has done nothing about it yet."""
        return any(call["status"] is None for call in self.calls(operation, user_id))

    def meetings(self) -> list[Json]:
        """Return all meetings that ever were, with `deleted`."""
        return self._get("/meetings", {})

    def meetings_of(self, session_id: str) -> list[Json]:
        return [meeting for meeting in self.meetings() if session_id in meeting["agenda"]]

    def change(self, meeting_id: int, **fields: Any) -> None:
        """Edit a meeting as its host does inside Zoom."""
        self._http.patch(f"/meetings/{meeting_id}", json=fields).raise_for_status()

    def delete(self, meeting_id: int) -> None:
        """Delete a meeting as its host does inside Zoom."""
        self._http.delete(f"/meetings/{meeting_id}").raise_for_status()

    @contextmanager
    def webhooks_held(self) -> Iterator[None]:
        """Let Zoom tell nobody of what happens meanwhile."""
        self._http.patch("/switches", json={"webhooks_held": True}).raise_for_status()
        try:
            yield
        finally:
            self._http.patch("/switches", json={"webhooks_held": False}).raise_for_status()

    def switch(self, **switches: Any) -> None:
        """Turn switches of the sandbox (`switches.py`)."""
        self._http.patch("/switches", json=switches).raise_for_status()

    def secrets(self) -> dict[str, list[str]]:
        """Return by kind every secret there has been, spent ones too."""
        return dict(self._http.get("/secrets").raise_for_status().json())

    def webhooks(self) -> list[Json]:
        """Return all webhooks that were to be sent, with the status of each attempt."""
        return self._get("/webhooks/deliveries", {})

    def repeat_webhook(self, delivery: str) -> None:
        self._post(f"/webhooks/deliveries/{delivery}/repeat", {})

    def release_webhooks(self) -> int:
        """Send what the switch `webhooks_held` kept back, the latest first; returns how many."""
        return int(self._post("/webhooks/release", {"reverse": True}).json()["released"])

    def _get(self, path: str, query: dict[str, str]) -> list[Json]:
        return list(self._http.get(path, params=query).raise_for_status().json())

    def _post(self, path: str, body: Json) -> httpx.Response:
        return self._http.post(path, json=body).raise_for_status()
