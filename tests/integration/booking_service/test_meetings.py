"""What a booking shows of its meeting and its mails: the newest that was said, whatever comes twice or late."""

import secrets
from datetime import UTC, datetime

import pytest

from convoke.contracts import ChangedInZoom
from convoke.messaging.cloudevents import Event
from tests.integration.booking_service.neighbours import JOIN_URL, REASON, Neighbours
from tests.integration.booking_service.replicas import Wire
from tests.integration.booking_service.tenant import Tenant, hour
from tests.support.eventually import eventually

LINK = {
    "id": 123,
    "join_url": JOIN_URL,
    "passcode": "canary-passcode",
    "dial_in": [{"country": "DE", "number": "+49 69 1234", "type": "toll"}],
}


async def settle(tenant: Tenant, neighbours: Neighbours, wire: Wire) -> None:
    """Return once all that was published before is handled: a queue keeps its order, and so does one handler."""
    tenant.host_id = await tenant.add_host(name=secrets.token_hex(4))
    other = await tenant.book(hour(9))
    for _ in range(3):
        # More than one, since a queue's messages are handled side by side.
        told = await wire.told(other["id"])
        await neighbours.ready(told, 1)
    await eventually(lambda: has_entries(tenant, other["id"], 2))


async def has_entries(tenant: Tenant, booking_id: str, count: int) -> bool:
    return len(await tenant.timeline(booking_id)) >= count


async def shows(tenant: Tenant, booking_id: str, **meeting: object) -> None:
    """Return once the booking shows that meeting and nothing else."""

    async def does() -> bool:
        found = (await tenant.booking(booking_id))["meeting"]
        assert found == meeting
        return True

    await eventually(does)


async def test_f33_f41_a_ready_meeting_gives_the_booking_its_link(
    tenant: Tenant, wire: Wire, neighbours: Neighbours
) -> None:
    booking = await tenant.book(hour(9))

    await neighbours.ready(await wire.told(booking["id"]), 1)

    await shows(tenant, booking["id"], status="ready", **LINK)
    assert await tenant.timeline(booking["id"]) == ["booked", "meeting_ready"]
    assert (await tenant.booking(booking["id"]))["revision"] == 1


async def test_f81_a_failed_meeting_gives_its_reason_and_a_later_success_replaces_it(
    tenant: Tenant, wire: Wire, neighbours: Neighbours
) -> None:
    booking = await tenant.book(hour(9))
    told = await wire.told(booking["id"])

    await neighbours.failed(told, 1)
    await shows(tenant, booking["id"], status="failed", reason=REASON.model_dump(exclude={"retry_at"}))

    await neighbours.ready(told, 2)
    await shows(tenant, booking["id"], status="ready", **LINK)
    assert await tenant.timeline(booking["id"]) == ["booked", "meeting_failed", "meeting_ready"]


async def test_a_link_that_still_holds_is_shown_beside_the_reason(
    tenant: Tenant, wire: Wire, neighbours: Neighbours
) -> None:
    booking = await tenant.book(hour(9))

    await neighbours.failed(await wire.told(booking["id"]), 1, still_holds=True)

    await shows(tenant, booking["id"], status="failed", reason=REASON.model_dump(exclude={"retry_at"}), **LINK)


async def test_what_somebody_changed_inside_zoom_is_shown_with_what_to_do_until_the_booking_moves(
    tenant: Tenant, wire: Wire, neighbours: Neighbours
) -> None:
    tenant.event_type_id = await tenant.add_event_type(zoom={"when_changed": "flag"})
    booking = await tenant.book(hour(9))
    told = await wire.told(booking["id"])
    assert told.data.session.zoom.when_changed == "flag"
    changed = ChangedInZoom(topic="Later", starts_at=datetime(2030, 1, 2, 9, tzinfo=UTC), duration_minutes=45)

    await neighbours.ready(told, 1, change="unchanged", changed_in_zoom=changed)

    action = "Move the booking to what Zoom says, or change it back in Zoom: the booking's data hold."
    shown = {"topic": "Later", "starts_at": "2030-01-02T09:00:00Z", "duration_minutes": 45, "action": action}
    await shows(tenant, booking["id"], status="ready", changed_in_zoom=shown, **LINK)
    entries = (await tenant.get(f"/v1/bookings/{booking['id']}/timeline"))["items"]
    text = f'somebody changed it inside Zoom to "Later" at 2030-01-02T09:00:00Z for 45 minutes. {action}'
    assert (entries[-1]["what"], entries[-1]["detail"]) == ("meeting_changed_in_zoom", text)

    await tenant.try_to_reschedule(booking["id"], hour(11))
    await shows(tenant, booking["id"], status="pending", **LINK)


async def test_b5_what_is_said_twice_or_late_changes_nothing(
    tenant: Tenant, wire: Wire, neighbours: Neighbours
) -> None:
    booking = await tenant.book(hour(9))
    told = await wire.told(booking["id"])
    await neighbours.ready(told, 3)
    await shows(tenant, booking["id"], status="ready", **LINK)

    await neighbours.ready(told, 3, join_url="https://zoom.example/j/doubled")
    await neighbours.failed(told, 2)
    await neighbours.canceled(told, 1)
    await settle(tenant, neighbours, wire)

    await shows(tenant, booking["id"], status="ready", **LINK)
    assert await tenant.timeline(booking["id"]) == ["booked", "meeting_ready"]


async def test_after_a_move_the_link_is_kept_but_pending_until_zoom_has_the_new_time(
    tenant: Tenant, wire: Wire, neighbours: Neighbours
) -> None:
    booking = await tenant.book(hour(9))
    created = await wire.told(booking["id"])
    await neighbours.ready(created, 1)
    await shows(tenant, booking["id"], status="ready", **LINK)

    await tenant.try_to_reschedule(booking["id"], hour(11))
    await shows(tenant, booking["id"], status="pending", **LINK)

    await neighbours.ready(created, 2, change="unchanged")
    await eventually(lambda: has_entries(tenant, booking["id"], 4))
    await shows(tenant, booking["id"], status="pending", **LINK)

    await neighbours.ready(await wire.told(booking["id"], "booking.rescheduled.v1"), 3, change="rescheduled")
    await shows(tenant, booking["id"], status="ready", **LINK)


async def test_a_cancelled_booking_shows_no_link_and_says_when_the_meeting_is_gone(
    tenant: Tenant, wire: Wire, neighbours: Neighbours
) -> None:
    booking = await tenant.book(hour(9))
    await neighbours.ready(await wire.told(booking["id"]), 1)
    await shows(tenant, booking["id"], status="ready", **LINK)

    await tenant.try_to_cancel(booking["id"])
    await shows(tenant, booking["id"], status="pending")

    await neighbours.canceled(await wire.told(booking["id"], "booking.canceled.v1"), 2)
    await shows(tenant, booking["id"], status="canceled")
    assert (await tenant.timeline(booking["id"]))[-2:] == ["canceled", "meeting_canceled"]


@pytest.mark.parametrize("kind", ["phone", "in_person", "link"])
async def test_f25_a_booking_without_zoom_has_no_meeting(tenant: Tenant, kind: str) -> None:
    location = {"kind": kind, "detail": "https://meet.example/room"}
    tenant.event_type_id = await tenant.add_event_type(location=location)

    booking = await tenant.book(hour(9))

    assert booking["meeting"] == {"status": "none"}
    assert booking["location"] == location


async def test_b7_the_timeline_tells_of_each_mail_once(tenant: Tenant, wire: Wire, neighbours: Neighbours) -> None:
    booking = await tenant.book(hour(9))
    told = await wire.told(booking["id"])

    await neighbours.mailed(told, "host", refused="the mailbox is full")
    await eventually(lambda: has_entries(tenant, booking["id"], 2))
    for recipient in ("invitee", "invitee", "host", "host"):
        await neighbours.mailed(told, recipient)
    await eventually(lambda: has_entries(tenant, booking["id"], 4))
    entries = (await tenant.get(f"/v1/bookings/{booking['id']}/timeline"))["items"]

    assert sorted((entry["what"], entry["detail"]) for entry in entries) == [
        ("booked", f"for {booking['starts_at']}"),
        ("mail_accepted", "the confirmation to the host was accepted by the mail server"),
        ("mail_accepted", "the confirmation to the invitee was accepted by the mail server"),
        ("mail_failed", "the confirmation to the host was not accepted: the mailbox is full"),
    ]


async def test_a_meeting_event_of_another_organization_does_not_reach_the_booking(
    tenant: Tenant, wire: Wire, neighbours: Neighbours
) -> None:
    booking = await tenant.book(hour(9))
    told = await wire.told(booking["id"])
    stranger = Event(told.id, told.source, told.subject, told.time, "org_stranger", told.data)

    await neighbours.ready(stranger, 1)
    await settle(tenant, neighbours, wire)

    assert (await tenant.booking(booking["id"]))["meeting"] == {"status": "pending"}


async def test_a_link_that_no_browser_should_follow_is_not_stored(
    tenant: Tenant, wire: Wire, neighbours: Neighbours
) -> None:
    booking = await tenant.book(hour(9))

    await neighbours.ready(await wire.told(booking["id"]), 1, join_url="javascript:alert(1)")
    await settle(tenant, neighbours, wire)

    assert (await tenant.booking(booking["id"]))["meeting"] == {"status": "pending"}
