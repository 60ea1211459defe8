"""Runs the sandbox on uvicorn, with connections that can be closed instead of answered."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from zoom_sandbox.answers import HANG_UP


class HangUpProtocol(HttpToolsProtocol):
    """Gives each request the means to close its connection: the client sees a reset, not a 500."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {HANG_UP: {"close": self._hang_up}}

    def _hang_up(self) -> None:
        # Told before uvicorn is: it would log an error and write a 500 for a request without an answer.
        self.cycle.disconnected = True
        self.transport.abort()


class SandboxServer(uvicorn.Server):
    """A server that stops at once, whatever is under way, and leaves signals to whoever runs it."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=HangUpProtocol,
                log_level="warning",
                access_log=False,
                timeout_keep_alive=75,
            )
        )
        self._app = app

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.sandbox.stop()
        await super().shutdown(sockets)

    def stop(self) -> None:
        self.should_exit = True


@asynccontextmanager
async def serving(app: FastAPI, *, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[str]:
    """Serve the application inside the running event loop, and give its address; port 0 takes a free one."""
    with _listener(host, port) as listener:
        server = SandboxServer(app, host, port)
        running = asyncio.create_task(server.serve([listener]))
        try:
            # The socket listens already: a client that comes early waits in its queue.
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.stop()
            await running


def _listener(host: str, port: int) -> socket.socket:
    # Only with the protocol named does asyncio switch Nagle's delay off, 40 ms of every answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(128)
    return listener
