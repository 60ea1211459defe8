"""A subscriber to the sandbox's webhooks, as a real HTTP server."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.contract.zoom_sandbox.app_at_zoom import WEBHOOK_SECRET, Json


@dataclass(frozen=True)
class Received:
    body: bytes
    signature: str
    timestamp: str

    @property
    def event(self) -> Json:
        return dict(json.loads(self.body))

    @property
    def is_signed(self) -> bool:
        """Compute what Zoom documents: HMAC-SHA256 over `v0:{timestamp}:{raw body}`."""
        message = b"v0:" + self.timestamp.encode() + b":" + self.body
        digest = hmac.new(WEBHOOK_SECRET.encode(), message, hashlib.sha256).hexdigest()
        return self.signature == f"v0={digest}"


@dataclass
class Receiver:
    """Keeps what comes in, and answers 200 or the next of the statuses it was told to answer."""

    address: str = ""
    arrivals: asyncio.Queue[Received] = field(default_factory=asyncio.Queue)
    statuses: list[int] = field(default_factory=list)
    secret: str = WEBHOOK_SECRET

    async def next(self) -> Received:
        return await asyncio.wait_for(self.arrivals.get(), timeout=10)

    async def receive(self, request: Request) -> Response:
        received = Received(
            await request.body(), request.headers["x-zm-signature"], request.headers["x-zm-request-timestamp"]
        )
        self.arrivals.put_nowait(received)
        if received.event["event"] == "endpoint.url_validation":
            plain = received.event["payload"]["plainToken"]
            proof = hmac.new(self.secret.encode(), plain.encode(), hashlib.sha256).hexdigest()
            return JSONResponse({"plainToken": plain, "encryptedToken": proof})
        return Response(status_code=self.statuses.pop(0) if self.statuses else 200)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def receiving() -> AsyncGenerator[Receiver]:
    receiver = Receiver()
    app = Starlette(routes=[Route("/hook", receiver.receive, methods=["POST"])])
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning")
    server, listener = _Server(config), config.bind_socket()
    receiver.address = f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
    running = asyncio.create_task(server.serve([listener]))
    try:
        yield receiver
    finally:
        server.should_exit = True
        await running
