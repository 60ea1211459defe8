"""/v1/hosts and /v1/event-types."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from booking_service.domain.catalog import EventType, Host, Location, ZoomOptions
from booking_service.domain.refusals import HostNotFound
from booking_service.handlers.event_types import EventTypes
from booking_service.http.models import EventTypeIn, PageIn, PersonIn
from booking_service.http.requests import IdempotencyKey, answer_with, keyed, response
from booking_service.http.tenants import Tenants
from booking_service.http.views import EventTypeView, HostView, ListView
from booking_service.mongo.catalog import Catalog
from convoke.clock import Clock
from convoke.ids import new_id
from convoke.openapi import problems

SCOPE = "hosts.manage"


def hosts_router(hosts: Catalog[Host], tenants: Tenants, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/hosts", tags=["hosts"])
    tenant = tenants.with_scope(SCOPE)

    @router.post("", status_code=201, responses={201: {"model": HostView}})
    async def add_host(
        body: PersonIn, organization_id: Annotated[str, Depends(tenant)], key: IdempotencyKey = None
    ) -> Response:
        host = Host(new_id("hst"), body.name, body.email, body.timezone, body.locale)
        request = keyed(organization_id, key, "hosts", body)
        return response(await hosts.add(host, request, answer_with(201, HostView.model_validate(host)), clock()))

    @router.get("", response_model_exclude_none=True)
    async def list_hosts(
        organization_id: Annotated[str, Depends(tenant)], asked: Annotated[PageIn, Query()]
    ) -> ListView[HostView]:
        page = await hosts.page(organization_id, limit=asked.limit, cursor=asked.cursor)
        return ListView[HostView].model_validate(page)

    @router.get("/{host_id}", responses=problems(404))
    async def get_host(host_id: str, organization_id: Annotated[str, Depends(tenant)]) -> HostView:
        host = await hosts.get(organization_id, host_id)
        if host is None:
            raise HostNotFound("this organization has no host with this id")
        return HostView.model_validate(host)

    return router


def event_types_router(event_types: EventTypes, tenants: Tenants) -> APIRouter:
    router = APIRouter(prefix="/v1/event-types", tags=["event types"])
    tenant = tenants.with_scope(SCOPE)

    @router.post("", status_code=201, responses={201: {"model": EventTypeView}})
    async def add_event_type(
        body: EventTypeIn, organization_id: Annotated[str, Depends(tenant)], key: IdempotencyKey = None
    ) -> Response:
        request = keyed(organization_id, key, "event-types", body)
        return response(
            await event_types.add(
                _event_type(body),
                request,
                lambda shown: answer_with(201, EventTypeView.of(shown)),
                require_connection=body.require_connection,
            )
        )

    @router.get("", response_model_exclude_none=True)
    async def list_event_types(
        organization_id: Annotated[str, Depends(tenant)], asked: Annotated[PageIn, Query()]
    ) -> ListView[EventTypeView]:
        page = await event_types.page(organization_id, limit=asked.limit, cursor=asked.cursor)
        return ListView(items=[EventTypeView.of(shown) for shown in page.items], next_cursor=page.next_cursor)

    @router.get("/{event_type_id}", response_model_exclude_none=True, responses=problems(404))
    async def get_event_type(event_type_id: str, organization_id: Annotated[str, Depends(tenant)]) -> EventTypeView:
        return EventTypeView.of(await event_types.get(organization_id, event_type_id))

    return router


def _event_type(body: EventTypeIn) -> EventType:
    return EventType(
        id=new_id("ety"),
        title=body.title,
        description=body.description,
        duration_minutes=body.duration_minutes,
        buffer_before_minutes=body.buffer_before_minutes,
        buffer_after_minutes=body.buffer_after_minutes,
        location=Location(body.location.kind, body.location.detail),
        zoom=ZoomOptions(**dict(body.zoom)),
    )
