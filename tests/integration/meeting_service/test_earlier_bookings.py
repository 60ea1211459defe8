"""What was booked before Zoom was first connected gets its link on request only; what came after, by itself."""

from datetime import timedelta

from convoke.contracts import BookingCreated
from convoke.messaging.cloudevents import Event
from meeting_service.ports import Refused
from tests.integration.convoke.conftest import sample
from tests.integration.meeting_service.test_failures import connected, handlers
from tests.integration.meeting_service.world import World


async def connect_for_the_first_time(world: World) -> None:
    world.clock.advance(hours=1)
    world.tokens.refusal, world.tokens.connected_since = None, world.clock()
    await handlers(world).resume_on_zoom_connected(connected())
    await world.work()


async def booked_too_early(world: World) -> None:
    world.tokens.refusal = Refused("zoom_never_connected", "Its owner must connect Zoom.")


async def test_f50_b2_a_booking_from_before_the_first_connection_is_told_how_to_ask_for_its_link(world: World):
    await booked_too_early(world)
    await world.book()
    await world.work()
    (never,) = await world.told()
    assert never.data.reason.title == "Zoom was never connected"
    await connect_for_the_first_time(world)
    (told,) = await world.told()
    assert (told.data.event_type, told.data.reason.code) == ("meeting.failed.v1", "zoom_not_connected")
    assert told.data.reason.title == "This booking is from before Zoom was connected"
    assert "--include-earlier" in told.data.reason.action
    assert told.data.reason.retry_at is None, "no time is promised for what does not come by itself"
    assert await world.at_zoom() == []


async def test_moving_such_a_booking_gets_it_its_link(world: World):
    await booked_too_early(world)
    session = await world.book()
    await world.work()
    await connect_for_the_first_time(world)
    await world.reschedule(session)
    await world.work()
    assert len(await world.at_zoom()) == 1
    assert (await world.told_types())[-1] == "meeting.ready.v1"


async def test_a_booking_made_right_after_connecting_is_no_earlier_one_by_a_clock_that_is_behind(world: World):
    world.tokens.connected_since = world.clock() + timedelta(seconds=5)
    await world.book()
    await world.work()
    assert await world.told_types() == ["meeting.ready.v1"]


async def test_a_booking_that_came_late_to_us_counts_from_when_it_was_booked(world: World):
    booked = sample("booking.created.v1")
    world.clock.advance(hours=1)
    world.tokens.connected_since = booked.time.replace(year=booked.time.year + 1)
    session = world.session()
    data = BookingCreated(booking=world.booking(), session=session)
    await handlers(world).desire_meeting(Event(**vars(booked) | {"data": data}))
    await world.work()
    assert await world.calls("create_meeting") == 0
    assert (await world.state(session)).desired_at == booked.time


async def test_a_booking_made_while_zoom_is_disconnected_gets_its_link_by_itself_afterwards(world: World):
    world.tokens.connected_since = world.clock()
    world.clock.advance(days=1)
    world.tokens.refusal = Refused("zoom_not_connected", "Its owner must connect Zoom again.")
    await world.book()
    await world.work()
    world.tokens.refusal = None
    await handlers(world).resume_on_zoom_connected(connected())
    await world.work()
    assert len(await world.at_zoom()) == 1
    assert await world.told_types() == ["meeting.failed.v1", "meeting.ready.v1"]


async def test_a_meeting_that_was_once_made_is_replaced_whenever_zoom_was_connected(world: World):
    """Say its connection was erased and made anew: the people of this booking have had a link."""
    session = await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    await world.app.control("DELETE", f"/meetings/{meeting['id']}")
    world.tokens.connected_since = world.clock()
    moved = session.model_copy(update={"revision": 2, "title": "Another title"})
    await world.meetings.desire(moved, world.booking(2), world.clock(), world.clock.now.replace(year=2020))
    await world.work()
    assert len(await world.at_zoom()) == 1
