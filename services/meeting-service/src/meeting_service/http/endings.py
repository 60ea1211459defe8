"""What the end of a Zoom connection would mean, and deleting its meetings first, for auth-service to end it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from convoke.identity import Caller, TokenVerifier, requires
from convoke.openapi import problems
from convoke.problems import Problem
from meeting_service.domain.endings import Consequences
from meeting_service.endings import ConnectionUnknown, Endings
from meeting_service.ports import Refused


class WhoseIn(BaseModel):
    """The organization whose connection it is."""

    model_config = ConfigDict(extra="forbid")
    organization_id: str = Field(min_length=1, max_length=100)


class ConsequencesView(BaseModel):
    """`future_meetings` are at Zoom and have not begun; the others are sessions that wait for Zoom."""

    future_meetings: int
    owed_creates: int
    owed_updates: int
    owed_deletes: int


class WithdrawalView(BaseModel):
    """How many meetings are still to be deleted, those in doubt included."""

    left: int


def endings_router(endings: Endings, verifier: TokenVerifier) -> APIRouter:
    """Return the routes, for services with the scope `zoom.endings`."""
    routes = APIRouter(prefix="/internal/v1/zoom/connections", tags=["internal"])
    service = Depends(requires(verifier, "zoom.endings"))

    @routes.get("/{connection_id}/consequences", responses=problems(404))
    async def consequences(
        connection_id: str, asked: Annotated[WhoseIn, Query()], caller: Annotated[Caller, service]
    ) -> ConsequencesView:
        """Count what is at Zoom through a connection, and what waits for it; nothing is changed."""
        with _as_problems(caller):
            return _view(await endings.consequences(asked.organization_id, connection_id))

    @routes.post("/{connection_id}/withdrawal", responses=problems(404))
    async def withdraw(connection_id: str, asked: WhoseIn, caller: Annotated[Caller, service]) -> WithdrawalView:
        """Have the future meetings of a connection deleted that is being left; ask again until none is left."""
        with _as_problems(caller):
            return WithdrawalView(left=await endings.withdraw(asked.organization_id, connection_id))

    return routes


@contextmanager
def _as_problems(caller: Caller) -> Iterator[None]:
    if caller.organization_id:
        raise Problem(403, "service-required", "Only a service can do this", "This path is internal.")
    try:
        yield
    except ConnectionUnknown:
        raise Problem(
            404, "unknown-connection", "No such connection", "The organization has none of this id."
        ) from None
    except Refused as refused:
        raise Problem(
            503, "auth-service-unavailable", "The connections to Zoom are not known just now", refused.detail
        ) from None


def _view(found: Consequences) -> ConsequencesView:
    return ConsequencesView(
        future_meetings=found.future_meetings,
        owed_creates=found.owed.creates,
        owed_updates=found.owed.updates,
        owed_deletes=found.owed.deletes,
    )
