"""Zoom access tokens for meeting-service: the only path on which one leaves the vault."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.connections import (
    Connection,
    ConnectionPaused,
    Plan,
    ReauthorizationRequired,
    ZoomNeverConnected,
    ZoomNotConnected,
)
from auth_service.handlers.access_tokens import AccessTokens, RefreshPending
from auth_service.http.callers import service
from auth_service.mongo.sealed_tokens import SealedTokens
from convoke.contracts.wire import Instant
from convoke.identity import Caller, Verifier
from convoke.openapi import problems
from convoke.problems import Problem
from convoke.vault import CannotDecrypt

log: BoundLogger = get_logger(__name__)

_PROBLEMS: Mapping[type[Exception], tuple[int, str, str, str]] = {
    ZoomNeverConnected: (404, "zoom-never-connected", "Zoom was never connected", "Its owner must connect Zoom."),
    ZoomNotConnected: (404, "zoom-not-connected", "Zoom is not connected", "Its owner must connect Zoom again."),
    ReauthorizationRequired: (
        409,
        "zoom-reauthorization-required",
        "Zoom no longer accepts this connection",
        "Its owner must connect Zoom again.",
    ),
    ConnectionPaused: (
        409,
        "zoom-paused",
        "Zoom is switched off for new bookings",
        "Its owner can switch it on again in the Zoom settings; meetings that exist go on.",
    ),
    CannotDecrypt: (
        500,
        "secret-unreadable",
        "The stored token cannot be opened",
        "An operator must look: the log names the key or the row.",
    ),
}


class AccessTokenRequest(BaseModel):
    """With `connection_id` a token of that connection; with `host_id` one of whichever makes that host's meetings.

    `rejected` is the fingerprint of a token that Zoom refused.
    """

    model_config = ConfigDict(extra="forbid")
    organization_id: str = Field(min_length=1, max_length=100)
    host_id: str | None = Field(default=None, min_length=1, max_length=100)
    connection_id: str | None = Field(default=None, min_length=1, max_length=100)
    rejected: str | None = Field(default=None, pattern="^[0-9a-f]{16}$")

    @model_validator(mode="after")
    def _names_one(self) -> "AccessTokenRequest":
        if (self.host_id is None) == (self.connection_id is None):
            raise ValueError("name either host_id or connection_id")
        return self


class AccessTokenAnswer(BaseModel):
    """`connected_since`: when Zoom was first connected for whom the request names, whatever broke since.

    `connected_at`: when the owner of this connection connected it last.
    """

    connection_id: str
    access_token: str
    expires_at: Instant
    api_url: str
    zoom_user_id: str
    zoom_account_id: str
    plan: Plan
    email: str
    scopes: tuple[str, ...]
    connected_since: Instant
    connected_at: Instant
    is_left: bool
    """Its owner is disconnecting: the future meetings are to be deleted first."""


def access_tokens_router(access_tokens: AccessTokens, tokens: SealedTokens, verifier: Verifier) -> APIRouter:
    router = APIRouter(prefix="/internal/v1/zoom", tags=["internal"])
    allowed = Depends(service(verifier, "zoom.access-tokens"))

    @router.post("/access-tokens", responses=problems(404, 409, 500))
    async def access_token(
        body: AccessTokenRequest, response: Response, _: Annotated[Caller, allowed]
    ) -> AccessTokenAnswer:
        """Give an access token that is good for some minutes at least."""
        response.headers["Cache-Control"] = "no-store"
        with _as_problems():
            connection = await _resolved(access_tokens, body)
            return _answer(connection, tokens.access_token(connection))

    return router


async def _resolved(access_tokens: AccessTokens, body: AccessTokenRequest) -> Connection:
    if body.connection_id is not None:
        return await access_tokens.of(body.organization_id, body.connection_id, body.rejected)
    return await access_tokens.to_make_meetings(body.organization_id, body.host_id, body.rejected)


@contextmanager
def _as_problems() -> Iterator[None]:
    try:
        yield
    except tuple(_PROBLEMS) as error:
        if isinstance(error, CannotDecrypt):
            log.error("vault.secret_unreadable", detail=str(error))  # noqa: TRY400 - the trace tells nothing more
        raise Problem(*_PROBLEMS[type(error)]) from None
    except RefreshPending as pending:
        raise Problem(
            503,
            "zoom-unavailable",
            "Zoom's token endpoint does not answer",
            "The token is being renewed; ask again after the time in Retry-After.",
            headers={"Retry-After": str(math.ceil(pending.retry_after))},
        ) from None


def _answer(connection: Connection, access_token: str) -> AccessTokenAnswer:
    return AccessTokenAnswer(
        connection_id=connection.id,
        access_token=access_token,
        expires_at=connection.expires_at,
        api_url=connection.api_url,
        zoom_user_id=connection.user.id,
        zoom_account_id=connection.user.account_id,
        plan=connection.user.plan,
        email=connection.user.email,
        scopes=connection.scopes,
        connected_since=connection.connected_since,
        connected_at=connection.connected_at,
        is_left=connection.is_being_left,
    )
