"""The way from a replica to Zoom: a request stands at three gates, and the ledger hears of what is sent."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import httpx

from tests.faults.crashes.neighbours import Clock
from tests.faults.races.gates import OPERATION, Operation, Process
from tests.faults.races.ledger import Ledger

LOST: dict[str, type[httpx.TransportError]] = {"request": httpx.ConnectError, "answer": httpx.ReadError}


@dataclass
class Wire:
    """`consented` is told of each code that Zoom has exchanged, `lost` of who gets no answer."""

    clock: Clock
    ledger: Ledger
    consented: Callable[[Operation], None]
    lost: Callable[[Operation, str], None]


class BetweenUsAndZoom(httpx.AsyncBaseTransport):
    def __init__(self, to_zoom: httpx.AsyncBaseTransport, wire: Wire, process: Process) -> None:
        self._to_zoom = to_zoom
        self._wire = wire
        self._process = process

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        operation, (what, secret) = OPERATION.get(), _content(request)
        await self._on_the_way("send", what, operation)
        if what in ("refresh", "exchange"):
            operation.has_asked_for_tokens = True
        if what != "revoke" and operation.what != "revoke":  # what has expired is renewed to be revoked
            self._wire.ledger.was_used(what, secret, operation)
        await self._on_the_way("request", what, operation)
        answer = await self._to_zoom.handle_async_request(request)
        if what == "exchange" and answer.is_success:
            self._wire.consented(operation)
        await self._on_the_way("answer", what, operation)
        return answer

    async def _on_the_way(self, where: str, what: str, operation: Operation) -> None:
        try:
            how = await self._process.wait(f"{where} {what}", may_be_lost=where in LOST)
        except BaseException:  # its time was up, or the process died
            self._wire.lost(operation, f"{where} {what} came to no end")
            raise
        if how == "lost":
            self._wire.lost(operation, f"{where} {what} was lost")
            raise LOST[where](f"the {where} was lost")


def _content(request: httpx.Request) -> tuple[str, str]:
    """Return what is asked, and the secret that it is asked with."""
    if request.method == "GET":
        return "me", request.headers["Authorization"].removeprefix("Bearer ")
    form: dict[str, Any] = parse_qs(request.content.decode())
    [secret] = form.get("refresh_token") or form.get("code") or form["token"]
    if request.url.path.endswith("revoke"):
        return "revoke", secret
    return ("refresh" if "refresh_token" in form else "exchange"), secret
