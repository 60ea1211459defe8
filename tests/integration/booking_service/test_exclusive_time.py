"""A host is in one place at a time, however many ask at once."""

from collections import Counter

from tests.integration.booking_service.conftest import StoredSessions
from tests.integration.booking_service.tenant import Tenant, hour


async def test_f30_fifty_requests_for_one_slot_make_one_booking(tenant: Tenant, stored: StoredSessions) -> None:
    answers = await tenant.at_once(50, hour(9))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 49}
    assert {answer.json()["type"] for answer in answers if answer.status_code == 409} == {"host-is-booked"}
    assert len(await stored(tenant)) == 1


async def test_a_session_may_begin_when_another_ends(tenant: Tenant) -> None:
    await tenant.book(hour(9))
    await tenant.book(hour(9.5))

    assert (await tenant.try_to_book(hour(9.25))).status_code == 409


async def test_buffers_are_kept_free_on_both_sides(tenant: Tenant) -> None:
    tenant.event_type_id = await tenant.add_event_type(buffer_before_minutes=15, buffer_after_minutes=10)
    await tenant.book(hour(9))
    tenant.event_type_id = await tenant.add_event_type()

    assert (await tenant.try_to_book(hour(8.5))).status_code == 409
    assert (await tenant.try_to_book(hour(9.5))).status_code == 409
    assert (await tenant.try_to_book(hour(8.25))).status_code == 201
    assert (await tenant.try_to_book(hour(9.5 + 1 / 6))).status_code == 201


async def test_another_host_is_free_at_that_time(tenant: Tenant) -> None:
    await tenant.book(hour(9))

    await tenant.book(hour(9), host_id=await tenant.add_host(name="Charles"))


async def test_cancelling_frees_the_time_and_several_cancelled_bookings_do_not_collide(tenant: Tenant) -> None:
    for _ in range(3):
        booking = await tenant.book(hour(9))
        await tenant.try_to_cancel(booking["id"])

    await tenant.book(hour(9))


async def test_moving_frees_the_old_time_and_takes_the_new_one(tenant: Tenant) -> None:
    booking = await tenant.book(hour(9))

    await tenant.try_to_reschedule(booking["id"], hour(11))

    await tenant.book(hour(9))
    assert (await tenant.try_to_book(hour(11))).status_code == 409


async def test_a_booking_may_move_onto_a_part_of_its_own_time(tenant: Tenant) -> None:
    booking = await tenant.book(hour(9))

    assert (await tenant.try_to_reschedule(booking["id"], hour(9.25))).status_code == 200


async def test_a_booking_cannot_move_onto_another_and_stays_as_it_is(tenant: Tenant) -> None:
    booking = await tenant.book(hour(9))
    await tenant.book(hour(11))

    refused = await tenant.try_to_reschedule(booking["id"], hour(11.25), key="k")

    assert (refused.status_code, refused.json()["type"]) == (409, "host-is-booked")
    assert await tenant.booking(booking["id"]) == booking
    assert await tenant.timeline(booking["id"]) == ["booked"]
