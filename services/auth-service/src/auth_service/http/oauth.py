"""The token endpoint and the published keys; errors are those of RFC 6749, section 5.2."""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.clients import AUDIENCES
from auth_service.handlers.issuing import InvalidClient, InvalidScope, InvalidTarget, IssuedToken, Issuing
from auth_service.signing import SigningKeys
from convoke.mongo import DATABASE_AWAY
from convoke.problems import TRY_AGAIN_AFTER
from convoke.rate_limits import RateLimit, client_of, too_many

log: BoundLogger = get_logger(__name__)

KEYS_MAY_BE_CACHED_FOR = 300
MOST_FIELDS = 20
ISSUE_WITHIN = 6.0
"""Seconds; a service that needs the token waits no longer itself."""

_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type", "audience"],
                    "properties": {
                        "grant_type": {"type": "string", "enum": ["client_credentials"]},
                        "audience": {"type": "string", "enum": list(AUDIENCES)},
                        "scope": {"type": "string", "description": "Space separated; absent for all the client has"},
                        "client_id": {"type": "string", "description": "Where no Basic credentials are sent"},
                        "client_secret": {"type": "string"},
                    },
                }
            }
        },
    }
}

_ANSWERS = {
    InvalidClient: (401, "invalid_client", "The client id or secret is wrong, or the client is revoked."),
    InvalidTarget: (400, "invalid_target", f"Send audience, one of: {', '.join(AUDIENCES)}."),
    InvalidScope: (400, "invalid_scope", "The client does not have every scope that was asked for."),
}


class TokenAnswer(BaseModel):
    access_token: str
    token_type: str
    expires_in: int
    scope: str


class ErrorAnswer(BaseModel):
    """RFC 6749, section 5.2."""

    error: str
    error_description: str


_REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": ErrorAnswer} for status in (400, 401, 503)}


class _Refused(Exception):
    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.answer = (status, error, description)


def oauth_router(issuing: Issuing, keys: SigningKeys, failed: RateLimit) -> APIRouter:
    """Return the routes. Beyond `failed` attempts of a client none of its attempts is looked at."""
    router = APIRouter(tags=["tokens"])

    @router.post("/oauth/token", response_model=TokenAnswer, responses=_REFUSALS, openapi_extra=_FORM)
    async def token(request: Request) -> JSONResponse:
        """Give a token for one audience to a client that shows its id and secret, by Basic or in the form."""
        try:
            form = await _form_of(request)
            client_id, secret = _credentials(request, form)
            async with _counted(failed, client_of(request)), asyncio.timeout(ISSUE_WITHIN):
                issued = await issuing.issue(client_id, secret, form.get("audience", ""), form.get("scope", ""))
        except _Refused as refusal:
            return _error(*refusal.answer)
        except (InvalidClient, InvalidTarget, InvalidScope) as refusal:
            return _error(*_ANSWERS[type(refusal)])
        except (TimeoutError, *DATABASE_AWAY) as away:
            log.warning("database.unreachable", error=type(away).__name__)
            return _error(503, "temporarily_unavailable", "The service cannot reach its database; ask again shortly.")
        return _answer(200, _granted(issued))

    @router.get("/.well-known/jwks.json")
    async def published_keys() -> JSONResponse:
        """Give the public keys that all tokens are checked with (RFC 7517)."""
        fresh = {"Cache-Control": f"public, max-age={KEYS_MAY_BE_CACHED_FOR}"}
        return JSONResponse(keys.published(), headers=fresh)

    return router


@asynccontextmanager
async def _counted(failed: RateLimit, client: str) -> AsyncIterator[None]:
    """Count what fails for its credentials. Taken before they are looked at, so that none slip by side by side."""
    if wait := failed.take(client):
        log.warning("client.guesses")
        raise too_many(wait)
    try:
        yield
    except InvalidClient:
        raise
    except BaseException:
        failed.give_back(client)
        raise
    failed.give_back(client)


async def _form_of(request: Request) -> dict[str, str]:
    body = await request.body()
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise _Refused("invalid_request", "Send an application/x-www-form-urlencoded body.") from None
    twice = [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]
    if twice:
        raise _Refused("invalid_request", "A parameter is there more than once.")
    form = dict(pairs)
    if "grant_type" not in form:
        raise _Refused("invalid_request", "Send grant_type=client_credentials as a form.")
    if form["grant_type"] != "client_credentials":
        raise _Refused("unsupported_grant_type", "Only client_credentials is supported.")
    return form


def _credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    if "client_secret" in form:
        raise _Refused("invalid_request", "Send the credentials once, by Basic or in the form.")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        raise _Refused("invalid_client", "The Basic credentials cannot be read.", 401) from None
    return client_id, secret


def _granted(issued: IssuedToken) -> dict[str, Any]:
    return {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "scope": " ".join(issued.scopes),
    }


def _error(status: int, error: str, description: str) -> JSONResponse:
    return _answer(status, {"error": error, "error_description": description})


def _answer(status: int, body: dict[str, Any]) -> JSONResponse:
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="auth-service"'
    if status == 503:
        headers |= TRY_AGAIN_AFTER
    return JSONResponse(body, status, headers=headers)
