"""Pausing a connection: creates stop, updates and deletes go on."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from auth_service.domain.connections import ConnectionUnknown, ZoomNotConnected
from auth_service.handlers.pausing import Pausing
from auth_service.http.connections import ConnectionAnswer, answer_of, changes, unknown
from auth_service.mongo.connections import Connections
from convoke.identity import Caller, Verifier
from convoke.openapi import problems
from convoke.problems import Problem


class SettingsOfConnection(BaseModel):
    model_config = ConfigDict(extra="forbid")
    enabled_for_new_bookings: Annotated[bool, Field(strict=True)]


def pausing_router(pausing: Pausing, connections: Connections, verifier: Verifier) -> APIRouter:
    router = APIRouter(prefix="/v1/zoom/connections", tags=["zoom"])
    allowed = Depends(changes(connections, verifier))

    @router.patch("/{connection_id}", responses=problems(404, 409), summary="Pause or resume a connection")
    async def change(
        connection_id: str, body: SettingsOfConnection, caller: Annotated[Caller, allowed]
    ) -> ConnectionAnswer:
        """Pause Zoom for new bookings, or switch it on again; then bookings that wait get their links.

        Meetings that exist are moved and deleted all the same.
        """
        try:
            switched = await pausing.switch(
                caller.organization_id, connection_id, caller.client_id, is_enabled=body.enabled_for_new_bookings
            )
            return answer_of(switched)
        except ConnectionUnknown:
            raise unknown() from None
        except ZoomNotConnected:
            raise Problem(
                409,
                "zoom-not-connected",
                "Zoom is disconnected",
                "There is nothing to pause. Connect Zoom again first; a pause from before is still on then.",
            ) from None

    return router
