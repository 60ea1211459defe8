"""Connecting Zoom, for a product's back end: whether it can be, and the address to send the owner's browser to."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from auth_service.domain.authorizations import Authorization
from auth_service.domain.connections import Owner
from auth_service.domain.organizations import OrganizationUnknown, ReturnNotAllowed, ZoomIsOff
from auth_service.domain.return_addresses import LONGEST, NotAReturnAddress
from auth_service.domain.scopes import ASKED_SCOPES, OPTIONAL_SCOPES
from auth_service.handlers.connecting import Connecting
from auth_service.http.callers import check_may_change, connects
from auth_service.mongo.organizations import Organizations
from convoke.contracts.wire import Id, Instant
from convoke.identity import Caller, Verifier
from convoke.problems import FieldError, Problem


class AuthorizationRequest(BaseModel):
    """Whose Zoom account is to be connected: one host's, or the organization's where no host is named.

    The owner comes back to `return_to` with `zoom=connected|kept|declined|expired|failed` in the query, and with
    `connection_id` or `reason`. It must lie below an address that was registered for the organization; without it a
    page of ours says what happened.
    """

    model_config = ConfigDict(extra="forbid")
    host_id: Id | None = None
    return_to: str | None = Field(default=None, min_length=1, max_length=LONGEST)


class AuthorizationAnswer(BaseModel):
    authorization_url: str
    expires_at: Instant


class NeededPermission(BaseModel):
    """Without one that `is_optional` everything works, and less can be told of."""

    scope: str
    purpose: str
    is_optional: bool


class ZoomAnswer(BaseModel):
    """`reason` says why Zoom cannot be connected, where `enabled` is false."""

    enabled: bool
    reason: str | None
    needed_scopes: tuple[NeededPermission, ...]
    support_url: str | None


def connect_router(
    connecting: Connecting, organizations: Organizations, verifier: Verifier, public_url: str, support_url: str | None
) -> APIRouter:
    router = APIRouter(prefix="/v1/zoom", tags=["zoom"])
    allowed = Depends(connects(verifier))

    @router.post("/authorizations", status_code=201)
    async def authorize(body: AuthorizationRequest, caller: Annotated[Caller, allowed]) -> AuthorizationAnswer:
        """Begin connecting: send the owner's browser to `authorization_url` within ten minutes.

        It shows what Zoom will be asked for, and leads on to Zoom. The organization's own connection is for its
        administrators: that needs the scope `zoom.administer`.
        """
        owner = Owner(caller.organization_id, body.host_id)
        check_may_change(caller, owner)
        attempt = Authorization(owner, requested_by=caller.client_id, return_to=body.return_to)
        try:
            link, expires_at = await connecting.start(attempt)
        except (OrganizationUnknown, ZoomIsOff) as refused:
            raise _zoom_off(str(refused)) from None
        except (NotAReturnAddress, ReturnNotAllowed) as refused:
            raise _return_not_allowed(str(refused)) from None
        return AuthorizationAnswer(
            authorization_url=f"{public_url}/v1/zoom/authorizations/{link}", expires_at=expires_at
        )

    @router.get("", response_model_exclude_none=False)
    async def zoom(caller: Annotated[Caller, allowed]) -> ZoomAnswer:
        """Say whether Zoom can be connected, so that a product offers it or says why not, and what it will ask for."""
        try:
            reason = (await organizations.find(caller.organization_id)).zoom_off_because
        except OrganizationUnknown:
            reason = "The organization no longer exists."
        return ZoomAnswer(
            enabled=reason is None,
            reason=reason,
            needed_scopes=tuple(
                NeededPermission(scope=scope.name, purpose=scope.purpose, is_optional=scope in OPTIONAL_SCOPES)
                for scope in ASKED_SCOPES
            ),
            support_url=support_url,
        )

    return router


def _zoom_off(reason: str) -> Problem:
    return Problem(
        403, "zoom-off", "Zoom cannot be connected here", f"{reason} GET /v1/zoom says whether it can be.".strip()
    )


def _return_not_allowed(why: str) -> Problem:
    advice = "an operator registers it with 'organizations allow-return'"
    message = why or f"it lies below no address that is registered: {advice}"
    return Problem(
        422,
        "return-not-allowed",
        "Owners cannot be sent back to this address",
        f"Choose another return_to: {message}.",
        errors=[FieldError(field="body.return_to", message=message)],
    )
