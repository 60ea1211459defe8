"""A booking, from the request to what the wire, the database and the next request say of it."""

from tests.integration.booking_service.replicas import PUBLIC_URL, Wire
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

    event = await wire.newest(booking["id"], 1)
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
