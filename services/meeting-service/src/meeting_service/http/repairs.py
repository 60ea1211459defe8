"""Repair for operators: first the plan, then having it carried out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from structlog.stdlib import BoundLogger, get_logger

from convoke.contracts.meetings import FailureCode
from convoke.identity import Caller, TokenVerifier, requires
from convoke.openapi import problems
from convoke.problems import Problem
from meeting_service.domain.repairs import RepairPlan
from meeting_service.ports import Refused
from meeting_service.repairs import Repairs, Scope

log: BoundLogger = get_logger(__name__)


class RepairIn(BaseModel):
    """Whose sessions: all of an organization, or those of one host."""

    model_config = ConfigDict(extra="forbid")
    organization_id: str = Field(min_length=1, max_length=100)
    host_id: str | None = Field(default=None, min_length=1, max_length=100)

    @property
    def scope(self) -> Scope:
        return Scope(self.organization_id, self.host_id)


class RunIn(RepairIn):
    include_earlier: bool = False


class PlanView(BaseModel):
    """The fields are those of RepairPlan; `earlier_links` are made only where they are included."""

    model_config = ConfigDict(from_attributes=True)
    links_to_add: int
    links_to_replace: int
    times_to_fix: int
    details_to_fix: int
    meetings_to_delete: int
    meetings_left_behind: int
    creates_in_doubt: int
    people_to_mail: int
    earlier_links: int
    people_to_mail_about_earlier: int
    lacking: dict[FailureCode, int]
    parked: dict[FailureCode, int]


class BegunView(BaseModel):
    plan: PlanView
    nudged: int
    included: int


def repairs_router(repairs: Repairs, verifier: TokenVerifier) -> APIRouter:
    """Return the routes: the plan for the scope `meetings.read`, carrying it out for `meetings.write`."""
    routes = APIRouter(prefix="/internal/v1/repairs", tags=["operator"])
    reader = Depends(requires(verifier, "meetings.read"))
    writer = Depends(requires(verifier, "meetings.write"))

    @routes.get("/plan", responses=problems(404))
    async def plan(asked: Annotated[RepairIn, Query()], caller: Annotated[Caller, reader]) -> PlanView:
        """Count what is owed; nothing is changed."""
        _check_tenant(caller, asked.organization_id)
        with _as_problem():
            return _view(await repairs.plan(asked.scope))

    @routes.post("", status_code=202, responses=problems(404))
    async def run(asked: RunIn, caller: Annotated[Caller, writer]) -> BegunView:
        """Make due now what is owed; safe to repeat."""
        _check_tenant(caller, asked.organization_id)
        with _as_problem():
            begun = await repairs.run(asked.scope, include_earlier=asked.include_earlier)
        log.info("repair.begun", client=caller.client_id, organization_id=asked.organization_id, sessions=begun.nudged)
        return BegunView(plan=_view(begun.plan), nudged=begun.nudged, included=begun.included)

    return routes


def _view(plan: RepairPlan) -> PlanView:
    return PlanView.model_validate(asdict(plan))


def _check_tenant(caller: Caller, organization_id: str) -> None:
    if caller.organization_id not in {"", organization_id}:
        raise Problem(404, "unknown-organization", "No such organization", "Name the organization of your own client.")


@contextmanager
def _as_problem() -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        raise Problem(
            503,
            "auth-service-unavailable",
            "The connections to Zoom are not known just now",
            f"{refused.detail}; again shortly.",
        ) from None
