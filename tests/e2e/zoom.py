"""The control side of the Zoom sandbox: faults, the log of calls, and the meetings that are really there."""

from typing import Any, Self

import httpx

Json = dict[str, Any]


class Zoom:
    """Talks to `/sandbox`, behind the back of the system under test."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/sandbox", trust_env=False, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def add_user(self, user_id: str) -> None:
        self._post("/users", {"id": user_id, "email": f"{user_id}@example.com"})

    def fault(self, operation: str, kind: str, **details: Any) -> None:
        """Order a fault; `times=None` holds until `heal`."""
        self._post("/faults", {"operation": operation, "kind": kind, **details})

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

    def _get(self, path: str, query: dict[str, str]) -> list[Json]:
        return list(self._http.get(path, params=query).raise_for_status().json())

    def _post(self, path: str, body: Json) -> None:
        self._http.post(path, json=body).raise_for_status()
