"""Without its database the service says so soon, to programs and to people, and promises nothing."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from booking_service.settings import Settings
from convoke.serving import ANSWER_WITHIN
from tests.integration.booking_service.cable import Cable, cable_to
from tests.integration.booking_service.conftest import NewTenant
from tests.integration.booking_service.replicas import replica
from tests.integration.booking_service.tenant import hour


@pytest.fixture
async def to_mongodb(mongodb_url: str) -> AsyncIterator[Cable]:
    async with cable_to(mongodb_url) as cable:
        yield cable


@pytest.fixture
async def service_on_cable(settings: Settings, fresh_vhost: str, to_mongodb: Cable) -> AsyncIterator[httpx.AsyncClient]:
    # Without directConnection the driver takes the server's own address, past the cable.
    url = f"{to_mongodb.url.partition('?')[0]}?directConnection=true"
    mine = {"mongodb_url": SecretStr(url), "rabbitmq_url": SecretStr(fresh_vhost)}
    async with replica(settings.model_copy(update=mine)) as http:
        yield http


async def test_whoever_asks_a_database_that_says_nothing_is_told_within_seconds(
    service_on_cable: httpx.AsyncClient, to_mongodb: Cable, new_tenant: NewTenant
) -> None:
    tenant = await new_tenant(service_on_cable)
    booking = await tenant.book(hour(9))
    to_mongodb.hush()

    begin = time.monotonic()
    listed, booked, *pages = await asyncio.gather(
        tenant.call("GET", "/v1/bookings"),
        tenant.try_to_book(hour(11), key="k"),
        *(service_on_cable.get(booking[kind]) for kind in ("join_address", "manage_address")),
    )
    waited = time.monotonic() - begin
    await to_mongodb.cut()

    assert waited < ANSWER_WITHIN + 1
    assert "Nothing was changed" in detail_of(listed)
    assert "is not known. Send it again with the same Idempotency-Key" in detail_of(booked)
    for page in pages:
        assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")


def detail_of(answer: httpx.Response) -> str:
    assert (answer.status_code, answer.json()["type"]) == (503, "temporarily-unavailable")
    return str(answer.json()["detail"])
