"""HTTP: one way to build and to run the app of a service."""

import asyncio
import signal
import socket
import sys
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.stdlib import BoundLogger, get_logger

from convoke.health import health_router
from convoke.lifecycle import Lifecycle
from convoke.openapi import tell_every_answer
from convoke.problems import answer_with_problems, internal_error, unavailable
from convoke.settings import ServiceSettings
from convoke.tracing import traced

log: BoundLogger = get_logger(__name__)

FINISH_REQUESTS_WITHIN = 2
LARGEST_REQUEST = 100_000
LOOK_EVERY = 1.0
"""Seconds."""
RENEWS_DATE = 0
"""A tick of uvicorn's that renews the Date header, as every tenth does."""
KEEP_ALIVE = 75
"""Seconds an idle connection stays open: longer than callers keep theirs (httpx 5, nginx 60), or one of their requests
meets the very end of it and is lost."""
ANSWER_WITHIN = 8.0
"""Seconds. A primary is looked for 5 s, but one that is connected and says nothing would be waited for much longer."""


def http_app(title: str, lifecycle: Lifecycle, *, answer_within: float = ANSWER_WITHIN) -> FastAPI:
    """Return an app with problem documents, health paths, a trace per request, and bounds on its body and its time.

    `lifecycle` starts and stops with it. A request is cut short after `answer_within` seconds and answered 503.
    """
    app = FastAPI(
        title=title,
        version="1.0",
        lifespan=lambda _: lifecycle,
        redoc_url=None,
    )
    app.state.lifecycle = lifecycle
    answer_with_problems(app)
    tell_every_answer(app)
    app.include_router(health_router(lifecycle.is_ready, lifecycle.measure))
    app.add_middleware(_Bounded)
    app.add_middleware(_Answered, within=answer_within)
    app.add_middleware(_Traced)
    return app


class _Traced:
    """Runs each request under the caller's trace, or a new one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # the lifespan: what runs in it all day is no one trace
            await self._app(scope, receive, send)
            return
        with traced(Headers(scope=scope).get("traceparent")):
            await self._app(scope, receive, send)


class _Answered:
    """Answers 503 to what takes too long, and 500 to what nobody foresaw, which it logs once.

    Starlette's own handler raises it again after answering, and uvicorn would log it a second time.
    """

    def __init__(self, app: ASGIApp, within: float) -> None:
        self._app = app
        self._within = within

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False
        patience = asyncio.timeout(self._within)

        async def watched_send(message: Message) -> None:
            nonlocal begun
            if not begun:
                begun = True
                patience.reschedule(None)
            await send(message)

        try:
            async with patience:
                await self._app(scope, receive, watched_send)
        except Exception:
            if begun:
                raise
            if patience.expired():
                log.warning("request.timed_out", **_asked(scope))
                answer = unavailable(Request(scope), "The service did not finish in time")
            else:
                log.exception("request.failed", **_asked(scope))
                answer = internal_error(Request(scope))
            await answer(scope, receive, send)


def _asked(scope: Scope) -> dict[str, str | None]:
    # Not the path itself: who knows a join address is let in.
    return {"method": scope["method"], "route": getattr(scope.get("route"), "path", None)}


class _Bounded:
    """Answers 413 to a body that is larger than any of ours, before anybody reads it whole."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken = 0

        async def bounded_receive() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > LARGEST_REQUEST:
                raise HTTPException(413, f"A body may have {LARGEST_REQUEST} bytes")
            return message

        await self._app(scope, bounded_receive, send)


class QuietServer(uvicorn.Server):
    """Looks once a second whether there is a reason to stop, and at once after a signal.

    uvicorn's own looks ten times a second (Server.main_loop), which was a third of what an idle service costs.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._signalled = asyncio.Event()

    async def main_loop(self) -> None:
        """Return once the server is to stop; the Date header is renewed meanwhile."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(RENEWS_DATE):
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._signalled.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop in order; a signal comes between any two instructions."""
        super().handle_exit(sig, frame)
        if self._loop:
            self._loop.call_soon_threadsafe(self._signalled.set)


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT; open requests get two seconds, then the lifespan ends.

    Ends the process with status 1 where the service could not start, with 0 where it was asked to stop.
    """
    # uvicorn raises the signal again once it has stopped in order; by default SIGTERM would then kill the process.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    listening = _listening(settings.http_host, settings.http_port)
    server = QuietServer(server_config(app, settings))
    with listening, suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
    if app.state.lifecycle.failed or not server.started:
        sys.exit(1)


def server_config(app: FastAPI, settings: ServiceSettings) -> uvicorn.Config:
    """Return how a service is served: which proxies it believes, and how long it keeps what is open."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        server_header=False,
        timeout_graceful_shutdown=FINISH_REQUESTS_WITHIN,
        timeout_keep_alive=KEEP_ALIVE,
        loop="uvloop",
        http="httptools",
    )


def _listening(host: str, port: int) -> socket.socket:
    """Return the socket to serve on. Ends the process with status 1 where there is none to be had."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = f"HTTP_PORT={port}, HTTP_HOST={host}: {error.strerror}"
        log.error("http.cannot_listen", reason=reason)  # noqa: TRY400 - the trace tells nothing more
        sys.exit(1)
