"""How an organization's connections stand, for meeting-service to plan by: whose they are and whether they work."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from auth_service.domain.connections import Connection, Status
from auth_service.http.callers import service
from auth_service.mongo.connections import Connections
from convoke.contracts.wire import Instant
from convoke.identity import Caller, Verifier

PAGE = 500


class StandingsIn(BaseModel):
    """What the list can be asked."""

    model_config = ConfigDict(extra="forbid")
    organization_id: str = Field(min_length=1, max_length=100)
    cursor: str = Field(default="", max_length=100)


class Standing(BaseModel):
    """`connected_since` is when the connection was first made, whatever broke since."""

    id: str
    host_id: str | None
    status: Status
    enabled_for_new_bookings: bool
    zoom_user_id: str
    connected_since: Instant


class StandingsPage(BaseModel):
    """`next_cursor` is absent on the last page."""

    items: list[Standing]
    next_cursor: str | None = None


def standings_router(connections: Connections, verifier: Verifier) -> APIRouter:
    router = APIRouter(prefix="/internal/v1/zoom", tags=["internal"])
    allowed = Depends(service(verifier, "zoom.access-tokens"))

    @router.get("/connections")
    async def page(asked: Annotated[StandingsIn, Query()], _: Annotated[Caller, allowed]) -> StandingsPage:
        """List connections, also those that are broken or were ended; no token is looked at."""
        found = await connections.page(asked.organization_id, asked.cursor, PAGE + 1)
        return StandingsPage(
            items=[_standing(connection) for connection in found[:PAGE]],
            next_cursor=found[PAGE - 1].id if len(found) > PAGE else None,
        )

    return router


def _standing(connection: Connection) -> Standing:
    return Standing(
        id=connection.id,
        host_id=connection.owner.host_id,
        status="disconnected" if connection.is_being_left else connection.status,
        enabled_for_new_bookings=connection.enabled_for_new_bookings,
        zoom_user_id=connection.user.id,
        connected_since=connection.connected_since,
    )
