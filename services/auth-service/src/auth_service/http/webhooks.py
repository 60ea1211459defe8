"""Where Zoom reports what happened there: signed, stored, then answered; Zoom waits three seconds (zoom.md 4)."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import Counter
from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.webhooks import kind_of, proof_of, signer_of
from auth_service.handlers.relaying import Relaying
from convoke.openapi import problems
from convoke.problems import Problem
from convoke.rate_limits import RateLimit, client_of, too_many

log: BoundLogger = get_logger(__name__)

STORED_WITHIN = 2.0
"""Seconds. Zoom sends again what was answered with a 5xx."""

RECEIVED = Counter(
    "convoke_zoom_webhooks_total",
    "Webhooks by event, those that are not known together as other, and by what became of each",
    ["event", "outcome"],
)


_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The proof for `endpoint.url_validation`"},
    **problems(401, 429),
}


def webhooks_router(relaying: Relaying, secrets: Sequence[str], unsigned: RateLimit) -> APIRouter:
    router = APIRouter(prefix="/v1/zoom", tags=["zoom"])

    @router.post("/webhooks", status_code=204, responses=_ANSWERS, openapi_extra=_BODY)
    async def webhook(request: Request) -> Response:
        """Take a webhook that is signed with one of our secret tokens; whatever it is about, it is acknowledged."""
        body = await request.body()
        signer = _signer(secrets, request, body, unsigned)
        message = _read(body)
        if message.get("event") == "endpoint.url_validation":
            RECEIVED.labels(kind_of(message), "taken").inc()
            return _validated(signer, message)
        try:
            async with asyncio.timeout(STORED_WITHIN):
                RECEIVED.labels(kind_of(message), await relaying.relay(message)).inc()
        except TimeoutError:
            RECEIVED.labels(kind_of(message), "not_stored").inc()
            raise Problem(503, "temporarily-unavailable", "Not stored in time", "Send it again later.") from None
        return Response(status_code=204)

    return router


def _signer(secrets: Sequence[str], request: Request, body: bytes, unsigned: RateLimit) -> str:
    signature = request.headers.get("x-zm-signature", "")
    timestamp = request.headers.get("x-zm-request-timestamp", "")
    signer = signer_of(secrets, signature, timestamp, body)
    if signer is None:
        # What is signed is never limited. What is not fills no log.
        if wait := unsigned.take(client_of(request)):
            raise too_many(wait)
        RECEIVED.labels("other", "refused").inc()
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
