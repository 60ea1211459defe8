"""The operator's view: what became of the mails of a booking, without their content."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from convoke.contracts.notifications import NotificationKind, Recipient
from convoke.identity import Caller, TokenVerifier, requires
from convoke.openapi import problems
from convoke.problems import Problem
from notifier.domain.deliveries import CalendarMethod, State
from notifier.mongo.correspondence import Correspondences

SCOPE = "notifier.read"


class DeliveryView(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: str
    booking_revision: int
    meeting_revision: int
    kind: NotificationKind
    recipient: Recipient
    state: State
    calendar_method: CalendarMethod | None
    sequence: int
    changed_at: datetime
    reason: str | None


class DeliveriesView(BaseModel):
    """`due_at` and `reason` tell when the next attempt is made and why the last one ended without success."""

    booking_id: str
    organization_id: str
    due_at: datetime | None
    attempts: int
    reason: str | None
    deliveries: list[DeliveryView]


def deliveries_router(store: Correspondences, verifier: TokenVerifier) -> APIRouter:
    router = APIRouter(prefix="/internal/v1", tags=["deliveries"])

    @router.get("/deliveries", responses=problems(404))
    async def deliveries_of_a_booking(
        booking_id: Annotated[str, Query(min_length=1, max_length=100)],
        caller: Annotated[Caller, Depends(requires(verifier, SCOPE))],
    ) -> DeliveriesView:
        document = (
            await store.find(caller.organization_id, booking_id)
            if caller.organization_id
            else await store.find_for_operator(booking_id)
        )
        if document is None or "is_erased" in document:
            raise Problem(404, "not-found", "No mails for this booking", "No event of this booking has come here yet.")
        return DeliveriesView(
            booking_id=booking_id,
            organization_id=document["organization_id"],
            due_at=document.get("due_at"),
            attempts=document["attempts"],
            reason=document["reason"],
            deliveries=[DeliveryView(**delivery) for delivery in document["deliveries"]],
        )

    return router
