"""Lists come in pages that neither skip nor double."""

from typing import Any

import pytest

from tests.integration.booking_service.tenant import Tenant, hour


async def pages(tenant: Tenant, path: str, **parameters: Any) -> list[list[dict[str, Any]]]:
    found, cursor = [], None
    while True:
        page = await tenant.get(path, **parameters, **({"cursor": cursor} if cursor else {}))
        found.append(page["items"])
        cursor = page.get("next_cursor")
        if cursor is None:
            return found


async def test_bookings_come_by_their_start_in_full_pages(tenant: Tenant) -> None:
    hours = [14, 9, 12, 10, 16]
    ids = {at: (await tenant.book(hour(at)))["id"] for at in hours}

    found = await pages(tenant, "/v1/bookings", limit=2)

    assert [len(page) for page in found] == [2, 2, 1]
    assert [booking["id"] for page in found for booking in page] == [ids[at] for at in sorted(hours)]


async def test_bookings_at_the_same_moment_are_neither_skipped_nor_doubled(tenant: Tenant) -> None:
    ids = [(await tenant.book(hour(9), host_id=await tenant.add_host()))["id"] for _ in range(5)]

    found = await pages(tenant, "/v1/bookings", limit=2)

    assert sorted(booking["id"] for page in found for booking in page) == sorted(ids)


async def test_bookings_are_filtered_by_host_time_and_status(tenant: Tenant) -> None:
    early, late = await tenant.book(hour(9)), await tenant.book(hour(12))
    canceled = await tenant.book(hour(15))
    await tenant.try_to_cancel(canceled["id"])
    other_host = await tenant.add_host(name="Charles")
    others = await tenant.book(hour(12), host_id=other_host)

    async def ids(**filters: str) -> list[str]:
        return [booking["id"] for booking in (await tenant.get("/v1/bookings", **filters))["items"]]

    assert await ids(host_id=other_host) == [others["id"]]
    assert await ids(host_id=tenant.host_id, status="confirmed") == [early["id"], late["id"]]
    assert await ids(status="canceled") == [canceled["id"]]
    assert await ids(host_id=tenant.host_id, **{"from": hour(12), "to": hour(15)}) == [late["id"]]


@pytest.mark.parametrize(("path", "add"), [("/v1/hosts", "add_host"), ("/v1/event-types", "add_event_type")])
async def test_hosts_and_event_types_come_in_the_order_they_were_added(tenant: Tenant, path: str, add: str) -> None:
    first = (await tenant.get(path))["items"][0]["id"]
    ids = [first, *[await getattr(tenant, add)() for _ in range(4)]]

    found = await pages(tenant, path, limit=2)

    assert [len(page) for page in found] == [2, 2, 1]
    assert {item["id"] for page in found for item in page} == set(ids)


@pytest.mark.parametrize(
    "parameters",
    [
        {"cursor": "nonsense"},
        {"cursor": "OTk5OTk5OTk5OTk5OTk5OTk5OTkvYQ=="},
        {"cursor": "é"},
        {"limit": "0"},
        {"limit": "101"},
        {"from": "yesterday"},
        {"to": "2031-01-01T00:00:00"},
        {"from": "0001-01-01T00:00:00+23:59"},
        {"status": "perhaps"},
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(tenant: Tenant, parameters: dict[str, str]) -> None:
    refused = await tenant.call("GET", "/v1/bookings", params=parameters)

    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
