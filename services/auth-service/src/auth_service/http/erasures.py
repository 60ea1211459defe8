"""/v1/erasures: data that are to go, and the receipt that adds up what each service has removed."""

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from auth_service.domain.erasures import NOTES, ErasureKeyReused, ErasureRequest, Receipt, ShareOfService
from auth_service.handlers.erasing import Erasing
from auth_service.http.callers import tenant
from auth_service.http.paging import PageIn
from auth_service.mongo.erasures import Erasures
from convoke.contracts.wire import Instant
from convoke.identity import Caller, Verifier
from convoke.openapi import problems
from convoke.problems import Problem

SCOPE = "privacy.erase"

_LOCATION: dict[int | str, dict[str, Any]] = {
    202: {"headers": {"Location": {"description": "The receipt's address", "schema": {"type": "string"}}}}
}

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x20-\x7e]+$",
        description="The same key and body give the first answer again.",
    ),
]


class ErasureIn(BaseModel):
    """`zoom_data`: connections, meetings and links; `organization`: everything; `person`: one mail address."""

    model_config = ConfigDict(extra="forbid")
    scope: Literal["zoom_data", "person", "organization"]
    person: str | None = Field(default=None, min_length=3, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")

    @model_validator(mode="after")
    def _names_a_person(self) -> "ErasureIn":
        if (self.scope == "person") != (self.person is not None):
            raise ValueError("name a person's mail address with the scope person, and only with that")
        return self


class ShareAnswer(BaseModel):
    """What one service has removed, by kind, and what is left because it is still needed or cannot be read."""

    service: str
    status: Literal["waiting", "running", "done"]
    removed: dict[str, int]
    left: dict[str, int]
    answered_at: Instant | None


class ErasureAnswer(BaseModel):
    id: str
    scope: Literal["zoom_data", "person", "organization"]
    status: Literal["running", "done"]
    requested_at: Instant
    done_at: Instant | None
    services: list[ShareAnswer]
    notes: tuple[str, ...]


class ErasurePage(BaseModel):
    """`next_cursor` is absent on the last page."""

    items: list[ErasureAnswer]
    next_cursor: str | None = None


def erasures_router(erasing: Erasing, erasures: Erasures, verifier: Verifier) -> APIRouter:
    router = APIRouter(prefix="/v1/erasures", tags=["privacy"])
    allowed = Depends(tenant(verifier, SCOPE))

    @router.post("", status_code=202, responses=_LOCATION)
    async def erase(
        body: ErasureIn, response: Response, caller: Annotated[Caller, allowed], key: IdempotencyKey = None
    ) -> ErasureAnswer:
        """Begin an erasure; the address in `Location` says how far it is."""
        try:
            receipt = await erasing.request(_request(body, caller, key))
        except ErasureKeyReused:
            raise Problem(
                422, "idempotency-key-reused", "The Idempotency-Key was used before", "Use a new key for a new request."
            ) from None
        response.headers["Location"] = f"/v1/erasures/{receipt.id}"
        return _answer(receipt)

    @router.get("", summary="List erasures")
    async def page(caller: Annotated[Caller, allowed], asked: Annotated[PageIn, Query()]) -> ErasurePage:
        found = await erasures.page(caller.organization_id, asked.cursor, asked.limit + 1)
        shown = found[: asked.limit]
        return ErasurePage(
            items=[_answer(receipt) for receipt in shown],
            next_cursor=shown[-1].id if len(found) > asked.limit else None,
        )

    @router.get("/{erasure_id}", responses=problems(404), summary="Get an erasure's receipt")
    async def one(erasure_id: str, caller: Annotated[Caller, allowed]) -> ErasureAnswer:
        found = await erasures.find(caller.organization_id, erasure_id)
        if found is None:
            raise Problem(404, "not-found", "No such erasure", "GET /v1/erasures lists those there are.")
        return _answer(found)

    return router


def _request(body: ErasureIn, caller: Caller, key: str | None) -> ErasureRequest:
    return ErasureRequest(
        organization_id=caller.organization_id,
        requested_by=caller.client_id,
        scope=body.scope,
        person=body.person,
        key=sha256(key.encode()).digest() if key else None,
    )


def _answer(receipt: Receipt) -> ErasureAnswer:
    return ErasureAnswer(
        id=receipt.id,
        scope=receipt.scope,
        status=receipt.status,
        requested_at=receipt.requested_at,
        done_at=receipt.done_at,
        services=[_share(share) for share in receipt.shares],
        notes=NOTES[receipt.scope],
    )


def _share(share: ShareOfService) -> ShareAnswer:
    answered: datetime | None = share.at
    status: Literal["waiting", "running", "done"] = "done" if share.is_done else "running" if answered else "waiting"
    return ShareAnswer(
        service=share.service,
        status=status,
        removed=dict(share.removed),
        left=dict(share.left),
        answered_at=answered,
    )
