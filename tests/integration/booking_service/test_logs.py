"""What happens to bookings stands in the log, by ids and never with what people entered."""

from structlog.testing import capture_logs

from tests.integration.booking_service.tenant import HOST, INVITEE, Tenant, hour


async def test_what_happens_to_a_booking_is_logged_once_with_its_ids(tenant: Tenant) -> None:
    with capture_logs() as lines:
        booking = await tenant.book(hour(9), key="k")
        await tenant.book(hour(9), key="k")
        await tenant.try_to_reschedule(booking["id"], hour(11), reason="a secret canary")
        await tenant.try_to_reschedule(booking["id"], hour(11))
        await tenant.try_to_cancel(booking["id"], reason="a secret canary")

    happened = [line for line in lines if line.get("booking") == booking["id"]]
    assert [(line["event"], line["revision"]) for line in happened] == [
        ("booking.created", 1),
        ("booking.rescheduled", 2),
        ("booking.canceled", 3),
    ]
    for line in happened:
        assert line["organization_id"] == tenant.organization_id
        assert (line["session"], line["host"]) == (booking["session_id"], tenant.host_id)
    personal = (HOST["name"], HOST["email"], INVITEE["name"], INVITEE["email"], "canary", booking["join_address"])
    assert not [word for word in personal if word in str(happened)]


async def test_a_refusal_is_logged_with_its_slug(tenant: Tenant) -> None:
    booking = await tenant.book(hour(9))
    await tenant.try_to_cancel(booking["id"])
    with capture_logs() as lines:
        await tenant.try_to_reschedule(booking["id"], hour(11))
        await tenant.try_to_reschedule("grace@example.org", hour(11))
        await tenant.call("GET", "/v1/bookings/bkg_none")

    mine = [line for line in lines if line.get("organization_id") == tenant.organization_id]
    shared = {"event": "booking.refused", "organization_id": tenant.organization_id, "log_level": "info"}
    assert mine == [
        {**shared, "slug": "booking-is-canceled", "booking": booking["id"]},
        {**shared, "slug": "not-found"},
    ]
