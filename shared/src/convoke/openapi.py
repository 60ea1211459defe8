"""OpenAPI that tells every answer: what follows from a route's form is added here, the rest each route tells itself."""

from typing import Any

from fastapi import FastAPI

from convoke.problems import CONTENT_TYPE, ProblemDocument

Json = dict[str, Any]

_SCHEMA = {"$ref": "#/components/schemas/ProblemDocument"}
_SURPLUS = ("HTTPValidationError", "ValidationError")
_TITLES = {
    400: "The body cannot be read",
    401: "No valid token",
    403: "The token does not allow this",
    404: "There is no such thing in this organization",
    409: "The present state does not allow it",
    413: "The body is too large",
    422: "The request is not valid; `errors` names the fields",
    429: "Too many requests; again after the seconds in Retry-After",
    503: "Not just now; again after the seconds in Retry-After",
}


def problems(*statuses: int) -> dict[int | str, Json]:
    """Return what a route gives as `responses`, for the problems that do not follow from its form."""
    return {status: _problem(status) for status in statuses}


def pages(*statuses: int) -> dict[int | str, Json]:
    """Return the same for a route that people look at, whose answers are pages."""
    return {status: {"description": "A page that says what to do next", "content": _PAGE} for status in statuses}


def tell_every_answer(app: FastAPI) -> None:
    """Have the app's OpenAPI name each status that a path can answer, with the document or the page it comes with."""
    generate = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            description = generate()
            for path, operations in description["paths"].items():
                for operation in operations.values():
                    _complete(operation, is_health=path.startswith("/health/"))
            _add_schema(description)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]


_PAGE: Json = {"text/html": {"schema": {"type": "string"}}}


def _problem(status: int) -> Json:
    description = _TITLES.get(status, "See the document's detail")
    return {"description": description, "content": {CONTENT_TYPE: {"schema": _SCHEMA}}}


def _complete(operation: Json, *, is_health: bool) -> None:
    answers: Json = operation["responses"]
    if "security" in operation:
        operation["security"] = _with_any_scope(operation["security"])
    answers.update({str(status): _problem(status) for status in _checked(operation)})
    page = any("text/html" in answer.get("content", {}) for answer in answers.values())
    if not is_health:
        answers.setdefault("503", _problem(503))
    for status in {"429", "503"} & answers.keys() if page else ():
        answers[status] = pages(int(status))[int(status)]


def _with_any_scope(security: list[dict[str, list[str]]]) -> list[dict[str, list[str]]]:
    """Return one requirement for each scope, of which any is enough: a token has one of those that a route wants."""
    alternatives = []
    for requirement in security:
        for scheme, scopes in requirement.items():
            alternatives += [{scheme: [scope]} for scope in scopes] or [{scheme: []}]
    return alternatives


def _checked(operation: Json) -> set[int]:
    """Return what is answered before a route's own code begins."""
    found: set[int] = set()
    if "security" in operation:
        found |= {401, 403}
    if "requestBody" in operation:
        found |= {400, 413}
    if "422" in operation["responses"]:
        found.add(422)
    return found - {int(status) for status in operation["responses"] if status not in ("default", "422")}


def _add_schema(description: Json) -> None:
    schemas = description.setdefault("components", {}).setdefault("schemas", {})
    for surplus in _SURPLUS:
        schemas.pop(surplus, None)
    document = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(document.pop("$defs"))
    schemas["ProblemDocument"] = document
