"""/v1/bookings."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from booking_service.addresses import Addresses
from booking_service.domain.answers import Answer
from booking_service.domain.refusals import BookingNotFound
from booking_service.domain.session import Invitee, Seat, Session
from booking_service.handlers.bookings import AnswerFor, Bookings, Order
from booking_service.http.models import BookingIn, BookingsIn, CancelIn, RescheduleIn
from booking_service.http.requests import IdempotencyKey, answer_with, keyed, response
from booking_service.http.tenants import Tenants
from booking_service.http.views import BookingView, ListView, TimelineEntryView, TimelineView
from booking_service.mongo.sessions import Sessions, Stored
from convoke.openapi import problems

PREFIX = "/v1/bookings"


def bookings_router(bookings: Bookings, sessions: Sessions, addresses: Addresses, tenants: Tenants) -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["bookings"])
    _changing(router, bookings, addresses, tenants)
    _reading(router, sessions, addresses, tenants)
    return router


def _changing(router: APIRouter, bookings: Bookings, addresses: Addresses, tenants: Tenants) -> None:
    tenant = tenants.with_scope("bookings.write")
    changed, booked = _answering(200, addresses), _answering(201, addresses)

    @router.post("", status_code=201, responses={201: {"model": BookingView}, **problems(409, 429)})
    async def book(
        body: BookingIn, organization_id: Annotated[str, Depends(tenant)], key: IdempotencyKey = None
    ) -> Response:
        request = keyed(organization_id, key, "bookings", body)
        order = Order(body.event_type_id, body.host_id, body.starts_at, Invitee(**vars(body.invitee)))
        return response(await bookings.book(order, request, booked))

    @router.post("/{booking_id}/reschedule", responses={200: {"model": BookingView}, **problems(404, 409, 429)})
    async def reschedule(
        booking_id: str,
        body: RescheduleIn,
        organization_id: Annotated[str, Depends(tenant)],
        key: IdempotencyKey = None,
    ) -> Response:
        request = keyed(organization_id, key, f"bookings/{booking_id}/reschedule", body)
        return response(await bookings.reschedule(booking_id, body.starts_at, body.reason, request, changed))

    @router.post("/{booking_id}/cancel", responses={200: {"model": BookingView}, **problems(404, 409)})
    async def cancel(
        booking_id: str,
        organization_id: Annotated[str, Depends(tenant)],
        body: CancelIn | None = None,
        key: IdempotencyKey = None,
    ) -> Response:
        wish = body or CancelIn()
        request = keyed(organization_id, key, f"bookings/{booking_id}/cancel", wish)
        return response(await bookings.cancel(booking_id, wish.reason, request, changed))


def _reading(router: APIRouter, sessions: Sessions, addresses: Addresses, tenants: Tenants) -> None:
    tenant = tenants.with_scope("bookings.read")

    async def found(booking_id: str, organization_id: Annotated[str, Depends(tenant)]) -> Stored:
        stored = await sessions.find(organization_id, booking_id)
        if stored is None:
            raise BookingNotFound("this organization has no booking with this id")
        return stored

    @router.get("", response_model_exclude_none=True)
    async def list_bookings(
        organization_id: Annotated[str, Depends(tenant)], asked: Annotated[BookingsIn, Query()]
    ) -> ListView[BookingView]:
        """List bookings by their start, from `from` on and before `to`."""
        page = await sessions.page(
            organization_id,
            host_id=asked.host_id,
            status=asked.status,
            starting=(asked.starting_from, asked.starting_before),
            limit=asked.limit,
            cursor=asked.cursor,
        )
        items = [BookingView.of(session, seat, addresses) for session in page.items for seat in session.seats]
        return ListView[BookingView](items=items, next_cursor=page.next_cursor)

    @router.get("/{booking_id}", response_model_exclude_none=True, responses=problems(404))
    async def get_booking(booking_id: str, stored: Annotated[Stored, Depends(found)]) -> BookingView:
        return BookingView.of(stored.session, stored.session.seat(booking_id), addresses)

    @router.get("/{booking_id}/timeline", responses=problems(404))
    async def get_timeline(stored: Annotated[Stored, Depends(found)]) -> TimelineView:
        return TimelineView(items=[TimelineEntryView.model_validate(entry) for entry in stored.timeline])


def _answering(status: int, addresses: Addresses) -> AnswerFor:
    def answer_for(session: Session, seat: Seat) -> Answer:
        return answer_with(status, BookingView.of(session, seat, addresses))

    return answer_for
