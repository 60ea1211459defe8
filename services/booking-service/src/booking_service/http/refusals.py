"""How each refusal reads over HTTP; every class of the tree in domain.refusals has a row or inherits one."""

from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from structlog.stdlib import BoundLogger, get_logger

from booking_service.domain import refusals
from booking_service.domain.refusals import Refused
from convoke.problems import CONTENT_TYPE, ProblemDocument

log: BoundLogger = get_logger(__name__)


@dataclass(frozen=True)
class Wording:
    status: int
    slug: str
    title: str
    advice: str


WORDINGS: dict[type[Refused], Wording] = {
    refusals.BookingNotFound: Wording(404, "not-found", "No such booking", "Take the id from the answer to POST."),
    refusals.HostNotFound: Wording(404, "not-found", "No such host", "GET /v1/hosts lists the hosts."),
    refusals.EventTypeNotFound: Wording(404, "not-found", "No such event type", "GET /v1/event-types lists them."),
    refusals.UnknownHost: Wording(422, "unknown-host", "The host is not known", "GET /v1/hosts lists the hosts."),
    refusals.UnknownEventType: Wording(
        422, "unknown-event-type", "The event type is not known", "GET /v1/event-types lists them."
    ),
    refusals.OffTheGrid: Wording(
        422, "off-the-grid", "The start is off the grid", "Bookings start at minutes 0, 5, 10 and so on."
    ),
    refusals.InThePast: Wording(422, "in-the-past", "The start is in the past", "Take a start that is still to come."),
    refusals.TooFarAhead: Wording(422, "too-far-ahead", "The start is too far ahead", "Take a start within ten years."),
    refusals.HostIsBooked: Wording(409, "host-is-booked", "The host is booked at that time", "Take another start."),
    refusals.BookingIsCanceled: Wording(409, "booking-is-canceled", "The booking is cancelled", "Book anew."),
    refusals.BookingHasEnded: Wording(409, "booking-has-ended", "The booking has ended", "Book anew."),
    refusals.ZoomNotConnected: Wording(
        409,
        "zoom-not-connected",
        "No host would get a Zoom link",
        "Mend that in the Zoom settings first, or send it without require_connection.",
    ),
    refusals.KeyReused: Wording(
        422, "idempotency-key-reused", "The Idempotency-Key was used before", "Use a new key for a new request."
    ),
    refusals.InvalidCursor: Wording(422, "invalid-cursor", "The cursor is not valid", "Or begin without a cursor."),
    refusals.TooManyInvitations: Wording(
        429,
        "too-many-invitations",
        "Too many invitations to one mail address",
        "Send it again after the seconds in Retry-After.",
    ),
    refusals.OutboxIsFull: Wording(
        503, "outbox-full", "The message broker is away for long", "Send it again later, with the same Idempotency-Key."
    ),
    refusals.TryAgainLater: Wording(
        503, "try-again-later", "Not just now", "Send it again shortly, with the same Idempotency-Key."
    ),
}


def answer_refusals(app: FastAPI) -> None:
    """Make every refusal of an app a problem document."""
    app.add_exception_handler(Refused, _refused)


def wording_of(refusal: type[Refused]) -> Wording:
    """Return a refusal's row, or the row of the class it inherits from."""
    return next(WORDINGS[each] for each in refusal.__mro__ if each in WORDINGS)


async def _refused(request: Request, refusal: Exception) -> JSONResponse:
    assert isinstance(refusal, Refused)  # noqa: S101 - Starlette's signature cannot say it
    wording = wording_of(type(refusal))
    if request.method == "POST" and request.url.path.startswith("/v1/bookings"):
        log.info("booking.refused", slug=wording.slug, **_ids(request, refusal))
    document = ProblemDocument(
        type=wording.slug,
        title=wording.title,
        status=wording.status,
        detail=f"{_sentence(str(refusal))} {wording.advice}",
    )
    headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else {}
    return JSONResponse(document.model_dump(exclude_none=True), wording.status, headers, CONTENT_TYPE)


def _ids(request: Request, refusal: Refused) -> dict[str, str]:
    """Return ids of ours only: what is in the path of a booking that is not found may be anything."""
    ids: dict[str, str] = {"organization_id": request.state.organization_id}
    if "booking_id" in request.path_params and not isinstance(refusal, refusals.NotFound):
        ids["booking"] = request.path_params["booking_id"]
    return ids


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
