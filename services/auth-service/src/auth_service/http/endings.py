"""What ending a connection would mean, told to its owner before it is decided."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from auth_service.domain.connections import Owner
from auth_service.domain.consequences import Consequences
from auth_service.http.callers import connects
from auth_service.mongo.connections import Connections
from auth_service.ports import Meetings
from convoke.identity import Caller, Verifier
from convoke.openapi import problems
from convoke.problems import Problem


class ConsequencesAnswer(BaseModel):
    """`known` is false, and the numbers are absent, where meeting-service does not answer; one may disconnect anyway.

    `future_meetings` are in Zoom and have not begun. `waiting` are bookings whose link is owed, or whose change has not
    reached Zoom.
    """

    known: bool
    future_meetings: int | None = None
    waiting: int | None = None
    if_kept: str
    if_deleted: str
    always: str


def endings_router(connections: Connections, meetings: Meetings, verifier: Verifier) -> APIRouter:
    router = APIRouter(prefix="/v1/zoom/connections", tags=["zoom"])
    allowed = Depends(connects(verifier))

    @router.get("/{connection_id}/consequences", responses=problems(404))
    async def consequences(connection_id: str, caller: Annotated[Caller, allowed]) -> ConsequencesAnswer:
        """Tell what disconnecting would mean now, to be shown before it is confirmed; nothing is changed."""
        found = await connections.find(caller.organization_id, connection_id)
        if found is None:
            raise Problem(404, "not-found", "No such connection", "GET /v1/zoom/connections lists those there are.")
        shared = await connections.owned_by(Owner(caller.organization_id)) if found.owner.host_id else None
        told = await meetings.consequences(caller.organization_id, connection_id)
        return _answer(told, has_stand_in=shared is not None and shared.may_make_meetings)

    return router


def _answer(found: Consequences | None, *, has_stand_in: bool) -> ConsequencesAnswer:
    future = found.future_meetings if found else None
    whose, link = (
        ("Its booking stays", "it gets a new one") if future == 1 else ("Their bookings stay", "each gets a new one")
    )
    after_deleting = (
        "and the organization's Zoom account makes new meetings, whose links host and guest are mailed."
        if has_stand_in
        else f"without a link until Zoom is connected again; then {link}."
    )
    return ConsequencesAnswer(
        known=found is not None,
        future_meetings=future,
        waiting=found.waiting if found else None,
        if_kept=f"{_meetings(future, 'stays', 'stay')} in Zoom, and can be joined as before. What is moved or "
        "cancelled from then on has to be changed in Zoom by hand, or waits until Zoom is connected again.",
        if_deleted=f"{_meetings(future, 'is', 'are')} deleted in Zoom first, which may take some minutes. "
        f"{whose}, {after_deleting}",
        always=_always(found.waiting if found else None, has_stand_in=has_stand_in),
    )


def _always(waiting: int | None, *, has_stand_in: bool) -> str:
    whose = "What is booked, moved or cancelled" if waiting is None else _counted(waiting, "booking")
    if has_stand_in:
        whose = "New bookings get their meetings from the organization's Zoom account. " + (
            "What is moved or cancelled" if waiting is None else whose
        )
    return f"{whose} would wait for Zoom until it is connected again. Bookings and their history stay."


def _meetings(number: int | None, one: str, many: str) -> str:
    if number is None:
        return f"All future meetings {many}"
    return f"{_counted(number, 'future meeting')} {one if number == 1 else many}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
