"""Connecting Zoom: the address to send the owner to, and the page that Zoom sends the owner back to."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict
from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.authorizations import AttemptOvertaken, StateExpired, StateReused, StateUnknown
from auth_service.domain.connections import Owner
from auth_service.handlers.connecting import Connecting
from auth_service.http.callers import tenant
from auth_service.http.pages import Page, connected, written
from auth_service.zoom import AccessRefused, AppRefused, GrantRefused, ZoomUnavailable
from convoke.contracts.wire import Id, Instant
from convoke.identity import Caller, Verifier
from convoke.vault import CannotDecrypt

log: BoundLogger = get_logger(__name__)

_AGAIN = "Go back to the product where you manage your bookings and choose “Connect Zoom” again."

FROM_ZOOM = Page(
    200,
    "One more step",
    "Zoom has added the app. To finish, start from the product where you manage your bookings: open its Zoom "
    "settings and choose “Connect Zoom”.",
)
DECLINED = Page(403, "Zoom was not connected", f"Zoom reports that access was not allowed. {_AGAIN}")
NO_CODE = Page(400, "Zoom was not connected", f"Zoom sent you back without an authorization. {_AGAIN}")

FAILURES: Mapping[type[Exception], Page] = {
    StateUnknown: Page(400, "This link is not ours", f"Nothing was connected. {_AGAIN}"),
    StateReused: Page(
        409,
        "This link was used already",
        f"If you have just connected Zoom, there is nothing left to do. Otherwise: {_AGAIN}",
    ),
    StateExpired: Page(410, "This took too long", f"The link is good for ten minutes. {_AGAIN}"),
    AttemptOvertaken: Page(
        409,
        "Something else was decided meanwhile",
        f"While Zoom was answering, Zoom was disconnected or another account connected; it stays like that. {_AGAIN}",
    ),
    GrantRefused: Page(400, "Zoom refused the authorization", f"It may have expired on the way. {_AGAIN}"),
    AccessRefused: Page(
        403,
        "A permission is missing",
        f"Without leave to see which Zoom account this is, it cannot be connected. {_AGAIN} Then allow every "
        "permission on Zoom's page.",
    ),
    AppRefused: Page(
        502, "Zoom refuses this installation", "Nothing was connected. Please tell the support of your product."
    ),
    CannotDecrypt: Page(
        500, "Something is wrong on our side", "Nothing was connected. Please tell the support of your product."
    ),
    ZoomUnavailable: Page(503, "Zoom does not answer just now", f"Nothing was connected. In a minute: {_AGAIN}"),
}


class AuthorizationRequest(BaseModel):
    """Whose Zoom account is to be connected: one host's, or the organization's where no host is named."""

    model_config = ConfigDict(extra="forbid")
    host_id: Id | None = None


class AuthorizationAnswer(BaseModel):
    authorization_url: str
    expires_at: Instant


def connect_router(connecting: Connecting, verifier: Verifier) -> APIRouter:
    router = APIRouter(prefix="/v1/zoom", tags=["zoom"])
    allowed = Depends(tenant(verifier, "zoom.connect"))

    @router.post("/authorizations", status_code=201)
    async def authorize(body: AuthorizationRequest, caller: Annotated[Caller, allowed]) -> AuthorizationAnswer:
        """Begin connecting: send the owner's browser to `authorization_url` within ten minutes."""
        owner = Owner(caller.organization_id, body.host_id)
        url, expires_at = await connecting.start(owner, requested_by=caller.client_id)
        return AuthorizationAnswer(authorization_url=url, expires_at=expires_at)

    @router.get("/callback", response_class=HTMLResponse)
    async def callback(
        code: Annotated[str, Query()] = "", state: Annotated[str, Query()] = "", error: Annotated[str, Query()] = ""
    ) -> HTMLResponse:
        """Take the owner back from Zoom. Without a state of ours no code is ever exchanged."""
        if not state:
            return written(DECLINED if error else FROM_ZOOM)
        try:
            page = await _outcome(connecting, state, code, error)
        except tuple(FAILURES) as failure:
            log.warning("zoom.not_connected", reason=type(failure).__name__, detail=str(failure))
            page = FAILURES[type(failure)]
        return written(page)

    return router


async def _outcome(connecting: Connecting, state: str, code: str, error: str) -> Page:
    if error or not code:
        await connecting.decline(state)
        return DECLINED if error else NO_CODE
    return connected(await connecting.finish(state, code))
