"""What the sandbox answers: a status with a body, Zoom's error bodies, and no answer at all."""

from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

HANG_UP = "zoom_sandbox.hang_up"
Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One HTTP answer before it is written down."""

    status: int
    body: Json | str | None = None
    headers: dict[str, str] = field(default_factory=dict)


class RefusalError(Exception):
    """Zoom says no; carries the answer that says so."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"refused with {answer.status}")
        self.answer = answer


class NoAnswer(Response):
    """Closes the connection instead of answering, as a network does that loses the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        scope["extensions"][HANG_UP]["close"]()


def refusal(status: int, code: int, message: str, headers: dict[str, str] | None = None) -> RefusalError:
    return RefusalError(Answer(status, {"code": code, "message": message}, headers or {}))


def validation_failed(errors: list[Json]) -> RefusalError:
    """Name every field at once (Zoom: API reference, Errors)."""
    return RefusalError(Answer(400, {"code": 300, "message": "Validation Failed.", "errors": errors}))


def oauth_refusal(status: int, reason: str, error: str) -> RefusalError:
    """Refuse a token call in the shape of Zoom's token endpoint, which has no `error_description`."""
    return RefusalError(Answer(status, {"reason": reason, "error": error}))


def gateway_page(status: int) -> Answer:
    """Answer as a proxy in front of Zoom does: a status and a page of HTML, not Zoom's JSON."""
    page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
    return Answer(status, page, {"content-type": "text/html"})


def as_xml(answer: Answer) -> Answer:
    """Rewrite an error body the way some of Zoom's endpoints do when JSON was not asked for."""
    body = answer.body if isinstance(answer.body, dict) else {}
    fields = "".join(f"<{name}>{escape(str(body.get(name, '')))}</{name}>" for name in ("code", "message"))
    page = f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><result>{fields}</result>'
    return Answer(answer.status, page, {**answer.headers, "content-type": "application/xml;charset=UTF-8"})


def written(answer: Answer) -> Response:
    if isinstance(answer.body, dict):
        return JSONResponse(answer.body, answer.status, answer.headers)
    return Response(answer.body, answer.status, answer.headers)
