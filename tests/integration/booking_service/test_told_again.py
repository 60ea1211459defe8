"""What booking-service published and the broker lost: told again as the booking is now, under the ids of before."""

from datetime import datetime
from typing import Any

from booking_service.app import outbox_replay
from booking_service.settings import Settings
from convoke.clock import utc_now
from convoke.messaging.cloudevents import Event
from convoke.messaging.outbox_replay import Wanted
from tests.integration.booking_service.conftest import StoredSessions
from tests.integration.booking_service.replicas import Wire
from tests.integration.booking_service.tenant import Tenant, hour
from tests.support.eventually import eventually

EVENTS = ("booking.created.v1", "booking.rescheduled.v1", "booking.canceled.v1")


async def told_again(settings: Settings, since: datetime, booking_id: str, number: int) -> list[Event[Any]]:
    async with outbox_replay(settings) as replay:

        async def all_counted() -> bool:
            return (await replay.count(Wanted(since))).total() >= number

        await eventually(all_counted)  # it reads what a majority has
        return [event async for event in replay.tell(Wanted(since)) if event.subject == booking_id]


async def test_a_booking_is_told_again_as_it_is_and_with_the_reason_of_its_last_change_first(
    tenant: Tenant, wire: Wire, settings: Settings, stored: StoredSessions
):
    since = utc_now()
    booking = await tenant.book(hour(9))
    await tenant.try_to_reschedule(booking["id"], hour(11), reason="Train strike")
    await tenant.try_to_cancel(booking["id"], reason="Ill")
    told = [await wire.told(booking["id"], event_type) for event_type in EVENTS]

    async def all_filed() -> bool:
        [session] = await stored(tenant)
        return not session["outbox"] and {event.id for event in told} == {one["id"] for one in session["published"]}

    await eventually(all_filed)
    before = wire.deliveries(booking["id"])  # an entry may be published twice, by a sweep too
    again = await told_again(settings, since, booking["id"], len(EVENTS))
    await eventually(lambda: wire.deliveries(booking["id"]) >= before + len(EVENTS))
    assert [(event.id, event.time) for event in again] == [(event.id, event.time) for event in reversed(told)]
    assert {(event.data.booking.status, event.data.booking.revision) for event in again} == {("canceled", 3)}
    assert (again[0].data.reason, again[1].data.reason) == ("Ill", "Train strike")


async def test_telling_again_leaves_the_booking_as_it_is(
    tenant: Tenant, wire: Wire, settings: Settings, stored: StoredSessions
):
    since = utc_now()
    booking = await tenant.book(hour(9))
    await wire.told(booking["id"])

    async def filed() -> bool:
        return "published" in (await stored(tenant))[0]

    await eventually(filed)
    before = await stored(tenant)
    for _ in range(2):
        assert len(await told_again(settings, since, booking["id"], 1)) == 1
    assert await stored(tenant) == before
