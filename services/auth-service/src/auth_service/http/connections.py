"""An organization's Zoom connections, as its product may show them: never a token."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from auth_service.domain.connections import Connection, ConnectionUnknown, Plan, Status
from auth_service.domain.scopes import missing_scopes
from auth_service.handlers.disconnecting import Disconnecting
from auth_service.http.callers import tenant
from auth_service.mongo.connections import Connections
from convoke.contracts.wire import Instant
from convoke.identity import Caller, Verifier
from convoke.problems import Problem

LARGEST_PAGE = 100


class PageIn(BaseModel):
    """What the list can be asked."""

    model_config = ConfigDict(extra="forbid")
    cursor: str = Field(default="", max_length=100)
    limit: int = Field(default=50, ge=1, le=LARGEST_PAGE)


class MissingScope(BaseModel):
    scope: str
    purpose: str


class ConnectionAnswer(BaseModel):
    id: str
    host_id: str | None
    status: Status
    email: str
    zoom_user_id: str
    zoom_account_id: str
    plan: Plan
    scopes: tuple[str, ...]
    missing_scopes: tuple[MissingScope, ...]
    connected_at: Instant
    enabled_for_new_bookings: bool


class ConnectionPage(BaseModel):
    """`next_cursor` is absent on the last page."""

    items: list[ConnectionAnswer]
    next_cursor: str | None = None


def connections_router(connections: Connections, disconnecting: Disconnecting, verifier: Verifier) -> APIRouter:
    router = APIRouter(prefix="/v1/zoom/connections", tags=["zoom"])
    allowed = Depends(tenant(verifier, "zoom.connect"))

    @router.get("", response_model_exclude_none=False)
    async def page(caller: Annotated[Caller, allowed], asked: Annotated[PageIn, Query()]) -> ConnectionPage:
        found = await connections.page(caller.organization_id, asked.cursor, asked.limit + 1)
        shown = found[: asked.limit]
        return ConnectionPage(
            items=[_answer(connection) for connection in shown],
            next_cursor=shown[-1].id if len(found) > asked.limit else None,
        )

    @router.get("/{connection_id}")
    async def one(connection_id: str, caller: Annotated[Caller, allowed]) -> ConnectionAnswer:
        found = await connections.find(caller.organization_id, connection_id)
        if found is None:
            raise _unknown()
        return _answer(found)

    @router.delete("/{connection_id}", status_code=204)
    async def disconnect(connection_id: str, caller: Annotated[Caller, allowed]) -> None:
        """Erase the connection's tokens and revoke them at Zoom; connecting again gives it the same id.

        Meetings at Zoom stay as they are. What is owed to them waits until Zoom is connected again.
        """
        try:
            await disconnecting.disconnect(caller.organization_id, connection_id)
        except ConnectionUnknown:
            raise _unknown() from None

    return router


def _unknown() -> Problem:
    return Problem(404, "not-found", "No such connection", "GET /v1/zoom/connections lists those there are.")


def _answer(connection: Connection) -> ConnectionAnswer:
    return ConnectionAnswer(
        id=connection.id,
        host_id=connection.owner.host_id,
        status=connection.status,
        email=connection.user.email,
        zoom_user_id=connection.user.id,
        zoom_account_id=connection.user.account_id,
        plan=connection.user.plan,
        scopes=connection.scopes,
        missing_scopes=tuple(
            MissingScope(scope=scope.name, purpose=scope.purpose) for scope in missing_scopes(connection.scopes)
        ),
        connected_at=connection.connected_at,
        enabled_for_new_bookings=connection.enabled_for_new_bookings,
    )
