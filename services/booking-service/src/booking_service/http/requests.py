"""What the routes have in common: keyed requests, and answers that are given as they were stored."""

from typing import Annotated

from fastapi import Header, Response
from pydantic import BaseModel

from booking_service.domain.answers import Answer, Request

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x20-\x7e]+$",
        description="The same key and body give the first answer again, for 48 hours.",
    ),
]


def keyed(organization_id: str, key: str | None, path: str, body: BaseModel | None) -> Request:
    return Request.of(organization_id, key, path, body.model_dump_json() if body else "")


def answer_with(status: int, view: BaseModel) -> Answer:
    return Answer(status, view.model_dump_json(exclude_none=True))


def response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, media_type="application/json")
