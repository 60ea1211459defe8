"""An organization's Zoom connections, as its product may show them: never a token."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict

from auth_service.domain.connections import (
    Connection,
    ConnectionUnknown,
    Ending,
    Plan,
    ReauthorizationRequired,
    Severity,
    Status,
)
from auth_service.domain.findings import findings_of
from auth_service.domain.scopes import NEEDED_SCOPES, OPTIONAL_SCOPES, NeededScope, missing_scopes
from auth_service.handlers.disconnecting import Disconnecting
from auth_service.http.callers import CallerOf, check_may_change, connects
from auth_service.http.paging import PageIn
from auth_service.mongo.connections import Connections
from convoke.contracts.wire import Instant
from convoke.identity import Caller, Verifier
from convoke.openapi import problems
from convoke.problems import Problem


class MissingScope(BaseModel):
    scope: str
    purpose: str


class NeededScopeAnswer(BaseModel):
    """What is optional is missed by check-ups only."""

    scope: str
    purpose: str
    is_granted: bool
    is_optional: bool


class FindingAnswer(BaseModel):
    """An error keeps meetings from being made, moved or deleted, a warning deserves a decision."""

    model_config = ConfigDict(from_attributes=True)
    code: str
    severity: Severity
    title: str
    detail: str
    next_step: str


class EndingAnswer(BaseModel):
    """A disconnect that has the future meetings deleted first: `left` of `asked` are still in Zoom.

    Both are absent before they are counted. It ends at `until`, whatever is left.
    """

    by: str
    began_at: Instant
    until: Instant
    asked: int | None
    left: int | None


class HistoryLine(BaseModel):
    """What happened to the connection: `by` is an API client's id, `zoom` or `erasure`."""

    at: Instant
    what: str
    by: str
    detail: str


class ConnectionAnswer(BaseModel):
    """`next_step` is what the first error among the findings asks for, `checked_at` when Zoom was asked last."""

    id: str
    host_id: str | None
    status: Status | Literal["disconnecting"]
    email: str
    zoom_user_id: str
    zoom_account_id: str
    plan: Plan
    scopes: tuple[str, ...]
    missing_scopes: tuple[MissingScope, ...]
    needed_scopes: tuple[NeededScopeAnswer, ...]
    connected_at: Instant
    enabled_for_new_bookings: bool
    checked_at: Instant | None
    findings: tuple[FindingAnswer, ...]
    next_step: str | None
    disconnecting: EndingAnswer | None
    history: tuple[HistoryLine, ...]


class ConnectionPage(BaseModel):
    """`next_cursor` is absent on the last page."""

    items: list[ConnectionAnswer]
    next_cursor: str | None = None


def connections_router(connections: Connections, disconnecting: Disconnecting, verifier: Verifier) -> APIRouter:
    router = APIRouter(prefix="/v1/zoom/connections", tags=["zoom"])
    allowed, may_change = Depends(connects(verifier)), Depends(changes(connections, verifier))

    @router.get("", response_model_exclude_none=False, summary="List the organization's connections")
    async def page(caller: Annotated[Caller, allowed], asked: Annotated[PageIn, Query()]) -> ConnectionPage:
        found = await connections.page(caller.organization_id, asked.cursor, asked.limit + 1)
        shown = found[: asked.limit]
        return ConnectionPage(
            items=[answer_of(connection) for connection in shown],
            next_cursor=shown[-1].id if len(found) > asked.limit else None,
        )

    @router.get("/{connection_id}", responses=problems(404), summary="Get a connection")
    async def one(connection_id: str, caller: Annotated[Caller, allowed]) -> ConnectionAnswer:
        found = await connections.find(caller.organization_id, connection_id)
        if found is None:
            raise unknown()
        return answer_of(found)

    @router.delete(
        "/{connection_id}",
        status_code=204,
        response_model=None,
        responses=problems(404, 409) | {202: {"model": ConnectionAnswer, "description": "Meetings are deleted first"}},
    )
    async def disconnect(
        connection_id: str,
        caller: Annotated[Caller, may_change],
        future_meetings: Annotated[Literal["keep", "delete"], Query()] = "keep",
    ) -> Response:
        """Erase the connection's tokens and revoke them at Zoom; connecting again gives it the same id.

        Meetings at Zoom stay as they are. What is owed to them waits until Zoom is connected again. With
        `future_meetings=delete` those that have not begun are deleted first: the answer is a 202, and the connection
        `disconnecting` until that is done, an hour at most; its history tells what could not be deleted. The
        organization's own connection is for its administrators: that needs the scope `zoom.administer`.
        """
        try:
            if future_meetings == "keep":
                await disconnecting.disconnect(caller.organization_id, connection_id, caller.client_id)
                return Response(status_code=204)
            left = await disconnecting.delete_meetings_first(caller.organization_id, connection_id, caller.client_id)
        except ConnectionUnknown:
            raise unknown() from None
        except ReauthorizationRequired:
            raise _cannot_delete() from None
        return Response(answer_of(left).model_dump_json(), 202, media_type="application/json")

    return router


def changes(connections: Connections, verifier: Verifier) -> CallerOf:
    """Return a dependency that gives whoever may change the connection in the path, or answers with a problem."""
    permitted = connects(verifier)

    async def client(connection_id: str, caller: Annotated[Caller, Depends(permitted)]) -> Caller:
        found = await connections.find(caller.organization_id, connection_id)
        if found is None:
            raise unknown()
        check_may_change(caller, found.owner)
        return caller

    return client


def unknown() -> Problem:
    return Problem(404, "not-found", "No such connection", "GET /v1/zoom/connections lists those there are.")


def _cannot_delete() -> Problem:
    return Problem(
        409,
        "zoom-reauthorization-required",
        "Zoom no longer accepts this connection",
        "No meeting can be deleted through it. Connect Zoom again first, or disconnect with future_meetings=keep.",
    )


def answer_of(connection: Connection) -> ConnectionAnswer:
    findings = findings_of(connection)
    return ConnectionAnswer(
        id=connection.id,
        host_id=connection.owner.host_id,
        status="disconnecting" if connection.is_being_left else connection.status,
        email=connection.user.email,
        zoom_user_id=connection.user.id,
        zoom_account_id=connection.user.account_id,
        plan=connection.user.plan,
        scopes=connection.scopes,
        missing_scopes=tuple(
            MissingScope(scope=scope.name, purpose=scope.purpose) for scope in missing_scopes(connection.scopes)
        ),
        needed_scopes=tuple(_needed(scope, connection) for scope in (*NEEDED_SCOPES, *OPTIONAL_SCOPES)),
        connected_at=connection.connected_at,
        enabled_for_new_bookings=connection.enabled_for_new_bookings,
        checked_at=connection.checked_at,
        findings=tuple(FindingAnswer.model_validate(finding) for finding in findings),
        next_step=next((finding.next_step for finding in findings if finding.severity == "error"), None),
        disconnecting=_ending(connection.ending) if connection.ending and connection.is_being_left else None,
        history=tuple(
            HistoryLine(at=line.at, what=line.what, by=line.by, detail=line.detail) for line in connection.history
        ),
    )


def _ending(ending: Ending) -> EndingAnswer:
    return EndingAnswer(
        by=ending.by, began_at=ending.began_at, until=ending.until, asked=ending.asked, left=ending.left
    )


def _needed(scope: NeededScope, connection: Connection) -> NeededScopeAnswer:
    return NeededScopeAnswer(
        scope=scope.name,
        purpose=scope.purpose,
        is_granted=scope.is_granted_by(frozenset(connection.scopes)),
        is_optional=scope in OPTIONAL_SCOPES,
    )
