"""What was lost with the broker, at meeting-service: its own news told again, and the bookings' news heard again."""

from typing import Any

from convoke.contracts import BookingCreated, BookingRescheduled, Session
from convoke.messaging.broker import publishing_broker
from convoke.messaging.cloudevents import Event
from convoke.messaging.outbox_replay import OutboxReplay, Source, Wanted
from meeting_service.events import expand
from tests.contract.zoom_sandbox.app_at_zoom import NOON
from tests.integration.meeting_service.world import MARKER_KEY, World, at
from tests.support.eventually import eventually


async def told_again(world: World, vhost: str) -> list[Event[Any]]:
    await eventually(lambda: nothing_left(world))
    broker = publishing_broker(vhost)
    replay = OutboxReplay([Source(world.meetings.collection, expand(world.meetings.read, MARKER_KEY))], broker)
    events = [event async for event in replay.tell(Wanted(NOON))]
    await broker.stop()
    return events


async def nothing_left(world: World) -> bool:
    return await world.meetings.collection.find_one({"outbox.0": {"$exists": True}}) is None


async def test_a_link_is_told_again_under_its_own_id_with_what_changed_last_first(world: World, rabbitmq_url: str):
    session = await world.book()
    await world.work()
    [created] = await world.told()
    await world.reschedule(session)
    world.clock.advance(seconds=1)
    await world.work()
    [moved] = await world.told()
    again = await told_again(world, rabbitmq_url)
    assert [event.id for event in again] == [moved.id, created.id]
    assert again[0].data == moved.data
    assert again[1].data.meeting == moved.data.meeting
    assert {event.id for event in await world.told()} == {moved.id, created.id}


async def test_of_a_meeting_that_is_gone_only_its_end_is_told_again(world: World, rabbitmq_url: str):
    session = await world.book()
    await world.work()
    await world.cancel(session)
    await world.work()
    told = await world.told()
    assert [event.data.event_type for event in told] == ["meeting.ready.v1", "meeting.canceled.v1"]
    [again] = await told_again(world, rabbitmq_url)
    assert (again.id, again.data) == (told[1].id, told[1].data)


async def test_a_booking_that_is_heard_again_makes_no_second_meeting_and_tells_nobody(world: World):
    session = await world.book()
    await world.work()
    await world.told()
    await world.handlers().desire_meeting(booked(world, session))
    assert await world.work() == 0
    assert await world.calls("create_meeting") == 1
    assert await world.told() == []


async def test_a_booking_that_was_lost_is_made_up_for_by_whichever_event_comes_first(world: World):
    """The newest change comes first; those before it carry the same snapshot and change nothing more."""
    session = world.session(revision=2)
    for event in (moved_to(world, session), booked(world, session)):
        await world.handlers().desire_meeting(event)
    await world.work()
    [meeting] = await world.at_zoom()
    assert (meeting["start_time"], meeting["duration"]) == at(session)
    assert await world.told_types() == ["meeting.ready.v1"]
    assert (await world.state(session)).desired_at == moved_to(world, session).time


def booked(world: World, session: Session) -> Event[BookingCreated]:
    data = BookingCreated(booking=world.booking(session.revision), session=session)
    return Event("evt_1", "/booking-service", data.booking.id, NOON, session.organization_id, data)


def moved_to(world: World, session: Session) -> Event[BookingRescheduled]:
    data = BookingRescheduled(booking=world.booking(session.revision), session=session)
    later = NOON.replace(minute=30)
    return Event("evt_2", "/booking-service", data.booking.id, later, session.organization_id, data)
