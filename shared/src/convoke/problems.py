"""Errors over HTTP: RFC 9457 problem documents with a stable type slug and a detail that says what to do."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from structlog.stdlib import BoundLogger, get_logger

from convoke.mongo import DATABASE_AWAY

log: BoundLogger = get_logger(__name__)

CONTENT_TYPE = "application/problem+json"
TRY_AGAIN_AFTER = {"Retry-After": "2"}

_ADVICE = {
    400: ("invalid-json", "Send JSON in UTF-8."),
    404: ("not-found", "See /docs for the paths."),
    405: ("method-not-allowed", "See /docs for the paths."),
    413: ("too-large", "Send a smaller one."),
}
"""The slug and the advice for what the framework refuses by itself."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Not just now</title>
</head>
<body>
<main>
<h1>This page cannot be shown just now</h1>
<p>The service behind it has a disturbance, or too much to do. Please open it again in a minute.</p>
</main>
</body>
</html>
"""
_PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class FieldError(BaseModel):
    field: str
    message: str


class ProblemDocument(BaseModel):
    """The body of every answer that is not a success."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = None


class Problem(Exception):
    """An answer that is not a success; raised by HTTP routes only."""

    def __init__(
        self,
        status: int,
        slug: str,
        title: str,
        detail: str,
        *,
        errors: list[FieldError] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.document = ProblemDocument(type=slug, title=title, status=status, detail=detail, errors=errors)
        self.headers = dict(headers or {})


def answer_with_problems(app: FastAPI) -> None:
    """Make every error of an app a problem document."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_exception)
    for away in DATABASE_AWAY:
        app.add_exception_handler(away, _database_away)


def internal_error(request: Request) -> Response:
    """Return the answer to a request that failed for a reason nobody foresaw; what it was stands in the log only."""
    document = ProblemDocument(
        type="internal-error",
        title="The request failed unexpectedly",
        status=500,
        detail=f"The failure has been logged. {_outcome(request)}",
    )
    return _failure(request, document)


def unavailable(request: Request, title: str) -> Response:
    """Return the answer to a request that a neighbour's absence ended; it says what is known of the outcome."""
    document = ProblemDocument(type="temporarily-unavailable", title=title, status=503, detail=_outcome(request))
    return _failure(request, document, TRY_AGAIN_AFTER)


def _outcome(request: Request) -> str:
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return "Nothing was changed. Send it again in a few seconds."
    if "idempotency-key" in request.headers:
        return "Whether the change was made is not known. Send it again with the same Idempotency-Key."
    return "Whether the change was made is not known. Look whether it was before you send it again."


def _failure(request: Request, document: ProblemDocument, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document, or a page where a person looks at what the route answers."""
    if getattr(request.scope.get("route"), "response_class", None) is HTMLResponse:
        return HTMLResponse(_PAGE, document.status, headers={**_PAGE_HEADERS, **(headers or {})})
    return _answer(document, headers)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - Starlette's signature cannot say it
    return _failure(request, error.document, error.headers)


async def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - Starlette's signature cannot say it
    problems = error.errors()
    not_json = any(problem["type"] == "json_invalid" for problem in problems)
    document = ProblemDocument(
        type="invalid-json" if not_json else "invalid-request",
        title="The request is not valid",
        status=400 if not_json else 422,
        detail="The body is not JSON." if not_json else _how_to_correct(request, problems),
        errors=[FieldError(field=_field(problem), message=_message(problem)) for problem in problems],
    )
    return _answer(document)


async def _http_exception(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette's signature cannot say it
    slug, advice = _ADVICE.get(error.status_code, ("http-error", "See /docs for what can be asked."))
    document = ProblemDocument(
        type=slug, title=str(error.detail), status=error.status_code, detail=f"{error.detail}. {advice}"
    )
    return _answer(document, dict(error.headers or {}))


async def _database_away(request: Request, error: Exception) -> Response:
    log.warning("database.unreachable", error=type(error).__name__)
    return unavailable(request, "The service cannot reach its database")


def _answer(document: ProblemDocument, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        document.model_dump(exclude_none=True),
        document.status,
        headers=dict(headers or {}),
        media_type=CONTENT_TYPE,
    )


def _how_to_correct(request: Request, problems: Sequence[Any]) -> str:
    is_unread = any(problem["loc"] == ("body",) for problem in problems)
    if is_unread and "json" not in request.headers.get("content-type", ""):
        return "Send the body as JSON, with the header 'Content-Type: application/json'."
    return "Correct the fields named in errors and send it again."


def _message(problem: Any) -> str:
    return str(problem["msg"]).removeprefix("Value error, ")


def _field(problem: Any) -> str:
    return ".".join(str(part) for part in problem["loc"])
