"""What an operator may see of a session's meeting: where it stands and why, never the way in."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from convoke.contracts import FailureReason
from convoke.identity import Caller, TokenVerifier, requires
from convoke.openapi import problems
from convoke.problems import Problem
from meeting_service.domain.meeting import SessionMeeting
from meeting_service.mongo.meetings import THERE, Meetings


class MeetingView(BaseModel):
    session_id: str
    session_revision: int
    is_wanted: bool
    outcome: str
    in_doubt_since: datetime | None
    zoom_meeting_id: int | None
    generation: int
    meeting_revision: int
    failures: int
    reason: FailureReason | None
    retry_at: datetime | None
    to_delete: int


def meetings_router(meetings: Meetings, verifier: TokenVerifier) -> APIRouter:
    """Return the operator's routes, for tokens with the scope `meetings.read`."""
    routes = APIRouter(prefix="/internal/v1", tags=["operator"])
    reader = Depends(requires(verifier, "meetings.read"))

    @routes.get("/meetings/{session_id}", responses=problems(404))
    async def get_meeting(session_id: str, caller: Annotated[Caller, reader]) -> MeetingView:
        document = await meetings.find(session_id, THERE)
        if document is None or caller.organization_id not in {"", document["organization_id"]}:
            raise Problem(404, "unknown-session", "No such session", f"There is no session '{session_id[:64]}' here.")
        return _view(meetings.read(document))

    return routes


def _view(state: SessionMeeting) -> MeetingView:
    return MeetingView(
        session_id=state.session.id,
        session_revision=state.session.revision,
        is_wanted=state.is_wanted,
        outcome=state.outcome,
        in_doubt_since=state.intent.started_at if state.intent else None,
        zoom_meeting_id=state.meeting.id if state.meeting else None,
        generation=state.generation,
        meeting_revision=state.meeting_revision,
        failures=state.failures,
        reason=state.reason,
        retry_at=state.retry_at,
        to_delete=len(state.condemned),
    )
