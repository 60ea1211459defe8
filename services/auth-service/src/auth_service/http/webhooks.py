"""Where Zoom reports what happened there: signed, stored, then answered; Zoom waits three seconds (zoom.md 4)."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.webhooks import proof_of, signer_of
from auth_service.handlers.relaying import Relaying
from convoke.problems import Problem

log: BoundLogger = get_logger(__name__)

STORED_WITHIN = 2.5
"""Seconds. Zoom sends again what was answered with a 5xx."""


def webhooks_router(relaying: Relaying, secrets: Sequence[str]) -> APIRouter:
    router = APIRouter(prefix="/v1/zoom", tags=["zoom"])

    @router.post("/webhooks", status_code=204)
    async def webhook(request: Request) -> Response:
        """Take a webhook that is signed with one of our secret tokens; whatever it is about, it is acknowledged."""
        body = await request.body()
        signer = _signer(secrets, request, body)
        message = _read(body)
        if message.get("event") == "endpoint.url_validation":
            return _validated(signer, message)
        try:
            async with asyncio.timeout(STORED_WITHIN):
                await relaying.relay(message)
        except TimeoutError:
            raise Problem(503, "temporarily-unavailable", "Not stored in time", "Send it again later.") from None
        return Response(status_code=204)

    return router


def _signer(secrets: Sequence[str], request: Request, body: bytes) -> str:
    signature = request.headers.get("x-zm-signature", "")
    timestamp = request.headers.get("x-zm-request-timestamp", "")
    signer = signer_of(secrets, signature, timestamp, body)
    if signer is None:
        log.warning("zoom.webhook_refused", signed=bool(signature))
        raise Problem(
            401,
            "invalid-signature",
            "The signature is not Zoom's",
            "Only Zoom calls this path. Is ZOOM_WEBHOOK_SECRET_TOKEN the app's secret token?",
        )
    return signer


def _read(body: bytes) -> dict[str, Any]:
    """Return the message, empty where it is none: what Zoom has signed is not refused for its form."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _validated(signer: str, message: dict[str, Any]) -> Response:
    payload = message.get("payload")
    plain = str(payload.get("plainToken", "")) if isinstance(payload, dict) else ""
    if not plain.isascii():
        plain = ""
    return JSONResponse({"plainToken": plain, "encryptedToken": proof_of(signer, plain)})
