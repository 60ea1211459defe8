"""What the last scan of each Zoom user's list found."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from convoke.identity import Caller, TokenVerifier, requires
from meeting_service.scan.scans import Result, Scans, ZoomUser


class DifferenceView(BaseModel):
    kind: str
    zoom_meeting_id: int
    session_id: str
    text: str


class ScanView(BaseModel):
    connection_id: str
    zoom_user_id: str
    scanned_at: datetime | None
    listed: int
    compared: int
    differences: list[DifferenceView]
    failure: str | None


class AuditView(BaseModel):
    """`differences` is the one number: 0 where all of Zoom's lists say what our sessions say."""

    differences: int
    scans: list[ScanView]


def audit_router(scans: Scans, verifier: TokenVerifier) -> APIRouter:
    """Return the operator's route, for tokens with the scope `meetings.read`; a tenant sees its own scans only."""
    routes = APIRouter(prefix="/internal/v1", tags=["operator"])
    reader = Depends(requires(verifier, "meetings.read"))

    @routes.get("/audit")
    async def get_audit(caller: Annotated[Caller, reader]) -> AuditView:
        views = [_view(user, result) for user, result in await scans.results(caller.organization_id or None)]
        return AuditView(differences=sum(len(view.differences) for view in views), scans=views)

    return routes


def _view(user: ZoomUser, result: Result | None) -> ScanView:
    found = [
        DifferenceView(kind=one.kind, zoom_meeting_id=one.zoom_meeting_id, session_id=one.session_id, text=one.words)
        for one in (result.differences if result else ())
    ]
    return ScanView(
        connection_id=user.connection_id,
        zoom_user_id=user.zoom_user_id,
        scanned_at=result.at if result else None,
        listed=result.listed if result else 0,
        compared=result.compared if result else 0,
        differences=found,
        failure=result.failure if result else "not scanned yet",
    )
