"""Liveness, readiness and metrics: the three paths that every service has."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

Readiness = Callable[[], Awaitable[dict[str, bool]]]
Measure = Callable[[], Awaitable[None]]

_CHECKS: dict[str, Any] = {
    "model": dict[str, bool],
    "description": "Of each neighbour whether work can be done with it",
}


def health_router(readiness: Readiness, measure: Measure) -> APIRouter:
    """Return the routes.

    `readiness` tells of each neighbour whether work can be done with it; `measure` brings the metrics up to date.
    """
    router = APIRouter(tags=["health"])

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        """Answer while the event loop turns; never asks a neighbour, whose outage must not restart this service."""
        return {"status": "live"}

    @router.get("/health/ready", responses={200: _CHECKS, 503: _CHECKS})
    async def ready() -> JSONResponse:
        checks = await readiness()
        return JSONResponse(checks, status_code=200 if all(checks.values()) else 503)

    @router.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        await measure()
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return router
