"""What cannot be booked is refused with a problem document that says why, and leaves nothing behind."""

from typing import Any

import pytest

from tests.integration.booking_service.conftest import NewTenant, StoredSessions
from tests.integration.booking_service.tenant import EVENT_TYPE, HOST, INVITEE, Tenant, hour

REFUSED_ORDERS: dict[str, tuple[dict[str, Any], int, str]] = {
    "in the past": ({"starts_at": "2020-01-01T10:00:00Z"}, 422, "in-the-past"),
    "off the grid by a minute": ({"starts_at": "2031-01-01T10:01:00Z"}, 422, "off-the-grid"),
    "off the grid by a millisecond": ({"starts_at": "2031-01-01T10:00:00.001Z"}, 422, "off-the-grid"),
    "too far ahead": ({"starts_at": "2126-01-01T10:00:00Z"}, 422, "too-far-ahead"),
    "without an offset": ({"starts_at": "2031-01-01T10:00:00"}, 422, "invalid-request"),
    "at a number": ({"starts_at": 1924941600}, 422, "invalid-request"),
    "beyond the calendar": ({"starts_at": "9999-12-31T23:55:00-23:00"}, 422, "invalid-request"),
    "before the calendar": ({"starts_at": "0001-01-01T00:00:00+23:00"}, 422, "invalid-request"),
    "for an unknown host": ({"host_id": "hst_nobody"}, 422, "unknown-host"),
    "for an unknown event type": ({"event_type_id": "ety_nothing"}, 422, "unknown-event-type"),
    "for an invitee without a name": ({"invitee": INVITEE | {"name": " "}}, 422, "invalid-request"),
    "for a name of two lines": ({"invitee": INVITEE | {"name": "A\nBcc: b@example.com"}}, 422, "invalid-request"),
    "for an address of two lines": ({"invitee": INVITEE | {"email": "a@example.com\n"}}, 422, "invalid-request"),
    "in no zone": ({"invitee": INVITEE | {"timezone": "Mars/Olympus"}}, 422, "invalid-request"),
    "in the zone of the machine": ({"invitee": INVITEE | {"timezone": "localtime"}}, 422, "invalid-request"),
    "with a field that is not ours": ({"capacity": 20}, 422, "invalid-request"),
}


@pytest.mark.parametrize("case", REFUSED_ORDERS)
async def test_a_booking_is_refused(tenant: Tenant, stored: StoredSessions, case: str) -> None:
    change, status, slug = REFUSED_ORDERS[case]

    refused = await tenant.call("POST", "/v1/bookings", json=tenant.order(hour(9)) | change, key="k")

    assert (refused.status_code, refused.json()["type"]) == (status, slug)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["detail"]
    assert await stored(tenant) == []
    assert (await tenant.try_to_book(hour(9), key="k")).status_code == 201


@pytest.mark.parametrize(
    "change",
    [
        {"duration_minutes": 0},
        {"duration_minutes": 7},
        {"duration_minutes": 1445},
        {"duration_minutes": "30"},
        {"buffer_before_minutes": -5},
        {"buffer_after_minutes": 3},
        {"title": "x" * 201},
        {"title": ""},
        {"location": {"kind": "phone"}},
        {"location": {"kind": "zoom", "detail": "room 5"}},
        {"location": {"kind": "link", "detail": "javascript:alert(1)"}},
        {"location": {"kind": "link", "detail": "http://["}},
        {"location": {"kind": "link", "detail": "https://"}},
        {"location": {"kind": "link", "detail": "https:///room"}},
        {"location": {"kind": "link", "detail": 'https://a b"><x'}},
        {"location": {"kind": "link", "detail": "https://meet.example/a room"}},
        {"location": {"kind": "link", "detail": "https://meet.example/'x"}},
        {"location": {"kind": "link", "detail": "https://meet.example:99999/"}},
        {"location": {"kind": "link", "detail": "https:meet.example"}},
        {"location": {"kind": "carrier pigeon"}},
        {"location": {"kind": "phone", "detail": "+49 30 1"}, "zoom": {"waiting_room": True}},
        {"zoom": {"waiting_room": "perhaps"}},
        {"zoom": {"recording": "cloud"}},
    ],
)
async def test_an_event_type_is_refused(tenant: Tenant, change: dict[str, Any]) -> None:
    refused = await tenant.call("POST", "/v1/event-types", json=EVENT_TYPE | change)

    assert (refused.status_code, refused.json()["type"]) == (422, "invalid-request")
    assert len((await tenant.get("/v1/event-types"))["items"]) == 1


@pytest.mark.parametrize(
    "link",
    [
        "https://meet.example",
        "HTTP://Meet.Example:8443/Room?a=b&c=%20d#e",
        "https://bücher.example/räume",
        "http://[2001:db8::1]/x",
        "http://127.0.0.1",
    ],
)
async def test_a_link_is_kept_as_it_was_given(tenant: Tenant, link: str) -> None:
    location = {"kind": "link", "detail": link}

    taken = await tenant.call("POST", "/v1/event-types", json=EVENT_TYPE | {"location": location})

    assert taken.status_code == 201, taken.text
    assert taken.json()["location"] == location


async def test_a_host_in_no_zone_is_refused(tenant: Tenant) -> None:
    refused = await tenant.call("POST", "/v1/hosts", json=HOST | {"timezone": "+01:00"})

    assert refused.json()["errors"][0]["field"] == "body.timezone"
    assert len((await tenant.get("/v1/hosts"))["items"]) == 1


async def test_api1_another_organizations_host_and_event_type_cannot_be_booked(
    tenant: Tenant, new_tenant: NewTenant, stored: StoredSessions
) -> None:
    other = await new_tenant(tenant.http)

    with_its_host = await tenant.try_to_book(hour(9), host_id=other.host_id)
    with_its_event_type = await tenant.try_to_book(hour(9), event_type_id=other.event_type_id)

    assert with_its_host.json()["type"] == "unknown-host"
    assert with_its_event_type.json()["type"] == "unknown-event-type"
    assert await stored(tenant) == await stored(other) == []


async def test_a_booking_is_not_moved_to_where_none_could_be_made(tenant: Tenant, stored: StoredSessions) -> None:
    booking = await tenant.book(hour(9))
    before = await stored(tenant)

    past = await tenant.try_to_reschedule(booking["id"], "2020-01-01T10:00:00Z", key="k1")
    off_the_grid = await tenant.try_to_reschedule(booking["id"], "2031-01-01T10:02:00Z", key="k2")

    assert [past.json()["type"], off_the_grid.json()["type"]] == ["in-the-past", "off-the-grid"]
    after = await stored(tenant)
    for session in (*before, *after):
        for meanwhile_published in ("outbox", "published"):
            session.pop(meanwhile_published, None)
    assert after == before


async def test_a_body_that_is_not_json_is_refused(tenant: Tenant) -> None:
    refused = await tenant.call("POST", "/v1/bookings", content=b"{", key="k")

    assert (refused.status_code, refused.json()["type"]) == (400, "invalid-json")


@pytest.mark.parametrize(
    "email", ["ada", "ada@example", "ada@exa mple.com", "ada@example.com\n", "@example.com", "a@b..c"]
)
async def test_what_is_no_mail_address_is_called_so(tenant: Tenant, email: str) -> None:
    refused = await tenant.call("POST", "/v1/hosts", json=HOST | {"email": email})

    assert refused.status_code == 422
    [error] = refused.json()["errors"]
    assert error == {"field": "body.email", "message": "is no mail address; one looks like 'ada@example.com'"}


async def test_a_time_whose_plus_came_as_a_blank_says_how_to_write_it(tenant: Tenant) -> None:
    refused = await tenant.call("GET", "/v1/bookings?from=2031-01-01T00:00:00+01:00")

    assert refused.status_code == 422
    [error] = refused.json()["errors"]
    assert error["field"] == "query.from"
    assert "%2B" in error["message"]
    assert (await tenant.call("GET", "/v1/bookings?from=2031-01-01T00:00:00%2B01:00")).status_code == 200


@pytest.mark.parametrize("path", ["/v1/hosts", "/v1/event-types", "/v1/bookings"])
async def test_api3_a_question_with_a_name_that_is_not_known_is_refused(tenant: Tenant, path: str) -> None:
    refused = await tenant.call("GET", path, params={"host": "hst_1", "limit": 5})

    assert (refused.status_code, refused.json()["type"]) == (422, "invalid-request")
    assert [error["field"] for error in refused.json()["errors"]] == ["query.host"]
