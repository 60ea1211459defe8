"""The composition root: one application with Zoom's own paths and the control API."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from fastapi import FastAPI

from zoom_sandbox.api import api_routes
from zoom_sandbox.clock import real_time
from zoom_sandbox.consent import consent_routes
from zoom_sandbox.control import control_routes
from zoom_sandbox.control_webhooks import webhook_control_routes
from zoom_sandbox.oauth import oauth_routes
from zoom_sandbox.sandbox import Sandbox
from zoom_sandbox.settings import Settings


def build_app(settings: Settings, *, clock: Callable[[], datetime] = real_time) -> FastAPI:
    """Build a sandbox with state of its own; `clock` tells the time that the control API advances from.

    To run it, use `zoom_sandbox.server`: closing a connection without an answer needs its protocol.
    """
    sandbox = Sandbox(settings, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        yield
        sandbox.stop()
        await sandbox.http.aclose()

    app = FastAPI(title="Zoom sandbox", lifespan=lifespan, docs_url="/sandbox/docs", redoc_url=None)
    app.state.sandbox = sandbox
    app.router.routes.extend([*oauth_routes(sandbox), *consent_routes(sandbox), *api_routes(sandbox)])
    app.include_router(control_routes(sandbox))
    app.include_router(webhook_control_routes(sandbox))
    return app
