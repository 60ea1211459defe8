"""A booking, from the request to what the wire, the database and the next request say of it."""

import asyncio

import pytest

from booking_service.settings import Settings
from tests.integration.booking_service.conftest import NewTenant, StoredSessions
from tests.integration.booking_service.replicas import PUBLIC_URL, MovableClock, Wire, replica
from tests.integration.booking_service.tenant import HOST, INVITEE, Tenant, hour


async def test_a_booking_reads_as_the_design_says_and_its_event_tells_the_whole_snapshot(
    tenant: Tenant, wire: Wire
) -> None:
    booking = await tenant.book(hour(9))

    assert booking["status"] == "confirmed"
    assert booking["revision"] == 1
    assert booking["meeting"] == {"status": "pending"}
    assert booking["invitee"] == INVITEE
    assert booking["host"] == {"id": tenant.host_id, **HOST}
    assert booking["location"] == {"kind": "zoom"}
    assert booking["join_address"].startswith(f"{PUBLIC_URL}/j/")
    assert booking["manage_address"].startswith(f"{PUBLIC_URL}/manage/")
    assert booking == await tenant.booking(booking["id"])

    event = await wire.told(booking["id"])
    assert event.data.event_type == "booking.created.v1"
    assert event.organization_id == tenant.organization_id
    told = event.data.model_dump(mode="json", exclude_none=True)
    assert told["booking"] == {
        "id": booking["id"],
        "revision": 1,
        "status": "confirmed",
        "invitee": INVITEE,
        "join_address": booking["join_address"],
        "manage_address": booking["manage_address"],
    }
    assert told["session"]["starts_at"] == booking["starts_at"]
    assert told["session"]["host"] == {"id": tenant.host_id, **HOST}


async def test_moving_a_booking_raises_both_revisions_and_tells_the_time_before(tenant: Tenant, wire: Wire) -> None:
    booking = await tenant.book(hour(9))

    moved = await tenant.try_to_reschedule(booking["id"], hour(11), reason="a train is late")

    assert moved.status_code == 200
    assert moved.json()["revision"] == 2
    assert moved.json()["join_address"] == booking["join_address"]
    assert moved.json() == await tenant.booking(booking["id"])
    event = await wire.told(booking["id"], "booking.rescheduled.v1")
    assert (event.data.booking.revision, event.data.session.revision) == (2, 2)
    assert event.data.previous_starts_at.isoformat() == hour(9)
    assert event.data.session.starts_at.isoformat() == hour(11)
    assert event.data.reason == "a train is late"


async def test_cancelling_a_booking_gives_up_its_seat_and_tells_why(tenant: Tenant, wire: Wire) -> None:
    booking = await tenant.book(hour(9))

    canceled = await tenant.try_to_cancel(booking["id"], reason="no need any more")

    assert canceled.status_code == 200
    assert (canceled.json()["status"], canceled.json()["revision"]) == ("canceled", 2)
    event = await wire.told(booking["id"], "booking.canceled.v1")
    assert (event.data.booking.status, event.data.session.status) == ("canceled", "canceled")
    assert event.data.session.seats_taken == 0
    assert event.data.reason == "no need any more"
    assert await tenant.timeline(booking["id"]) == ["booked", "canceled"]


async def test_a_change_to_what_already_is_changes_and_tells_nothing(tenant: Tenant, wire: Wire) -> None:
    booking = await tenant.book(hour(9))

    same_time = await tenant.try_to_reschedule(booking["id"], hour(9))
    assert (same_time.status_code, same_time.json()["revision"]) == (200, 1)

    await tenant.try_to_cancel(booking["id"])
    again = await tenant.try_to_cancel(booking["id"])
    assert (again.status_code, again.json()["revision"]) == (200, 2)

    await wire.told(booking["id"], "booking.canceled.v1")
    assert wire.types(booking["id"]) == ["booking.created.v1", "booking.canceled.v1"]
    assert await tenant.timeline(booking["id"]) == ["booked", "canceled"]


async def test_a_cancelled_booking_cannot_be_moved(tenant: Tenant) -> None:
    booking = await tenant.book(hour(9))
    await tenant.try_to_cancel(booking["id"])

    refused = await tenant.try_to_reschedule(booking["id"], hour(11))

    assert (refused.status_code, refused.json()["type"]) == (409, "booking-is-canceled")


async def test_a_booking_that_has_ended_can_be_neither_moved_nor_cancelled(
    settings: Settings, new_tenant: NewTenant, clock: MovableClock
) -> None:
    async with replica(settings, clock) as http:
        tenant = await new_tenant(http)
        booking = await tenant.book(hour(9))
        clock.advance(days=3)

        moved = await tenant.try_to_reschedule(booking["id"], hour(200))
        canceled = await tenant.try_to_cancel(booking["id"])

    assert (moved.status_code, moved.json()["type"]) == (409, "booking-has-ended")
    assert (canceled.status_code, canceled.json()["type"]) == (409, "booking-has-ended")


async def test_hosts_and_event_types_are_a_snapshot_in_the_booking_and_can_be_read_again(tenant: Tenant) -> None:
    event_type_id = await tenant.add_event_type(
        title="Long talk",
        duration_minutes=90,
        buffer_before_minutes=10,
        zoom={"waiting_room": True, "alternative_hosts": ["b@example.com"], "when_changed": "flag"},
    )

    event_type = await tenant.get(f"/v1/event-types/{event_type_id}")
    host = await tenant.get(f"/v1/hosts/{tenant.host_id}")

    assert (event_type["duration_minutes"], event_type["buffer_before_minutes"]) == (90, 10)
    assert event_type["zoom"] == {
        "waiting_room": True,
        "alternative_hosts": ["b@example.com"],
        "when_changed": "flag",
    }
    assert host == {"id": tenant.host_id, **HOST}


@pytest.mark.parametrize("text", ["2031-05-04T14:00:00+02:00", "2031-05-04T12:00:00Z", "2031-05-04t17:30:00.0+05:30"])
async def test_the_offset_of_a_start_does_not_matter(tenant: Tenant, text: str) -> None:
    booking = await tenant.book(text)

    assert booking["starts_at"] == "2031-05-04T12:00:00Z"
    assert booking["ends_at"] == "2031-05-04T12:30:00Z"


async def test_changes_at_the_same_moment_happen_one_after_the_other(tenant: Tenant, stored: StoredSessions) -> None:
    booking = await tenant.book(hour(9))

    moves = await asyncio.gather(*(tenant.try_to_reschedule(booking["id"], hour(10 + index)) for index in range(8)))

    assert [answer.status_code for answer in moves] == [200] * 8
    assert sorted(answer.json()["revision"] for answer in moves) == list(range(2, 10))
    last = max((answer.json() for answer in moves), key=lambda answer: int(answer["revision"]))
    assert await tenant.booking(booking["id"]) == last
    assert len((await stored(tenant))[0]["claims"]) == 6


async def test_the_api_describes_itself(tenant: Tenant) -> None:
    described = (await tenant.http.get("/openapi.json")).json()["paths"]

    assert {"/v1/bookings", "/v1/bookings/{booking_id}/reschedule", "/v1/event-types", "/v1/hosts"} <= described.keys()
