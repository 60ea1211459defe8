"""A session's meeting follows the session: one meeting, moved when it moves, gone when it goes."""

from datetime import timedelta

from tests.integration.meeting_service.world import MARKER_KEY, World, at


async def test_f26_f30_f32_a_booking_gets_one_meeting_of_its_own_and_everybody_is_told(world: World):
    session = await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    assert (meeting["start_time"], meeting["duration"]) == at(session)
    assert meeting["topic"] == session.title
    reference = MARKER_KEY.find(meeting["agenda"])
    assert reference is not None
    assert (reference.session_id, reference.generation) == (session.id, 1)
    (ready,) = await world.told()
    assert ready.data.event_type == "meeting.ready.v1"
    assert ready.data.change == "created"
    assert ready.data.session == session
    assert (ready.data.meeting.id, ready.data.meeting.join_url) == (meeting["id"], meeting["join_url"])
    assert ready.data.meeting.passcode == meeting["password"]
    assert ready.data.meeting.dial_in


async def test_f69_a_link_is_told_with_when_zoom_was_connected_for_it(world: World):
    connected_at = world.clock() - timedelta(days=3)
    world.tokens.connected_at = connected_at
    session = await world.book()
    await world.work()
    world.tokens.connected_at = world.clock()
    await world.reschedule(session)
    await world.work()
    assert [told.data.meeting.connected_at for told in await world.told()] == [connected_at, connected_at]


async def test_f45_f46_a_reschedule_moves_the_meeting_and_keeps_the_link(world: World):
    session = await world.book()
    await world.work()
    (before,) = await world.told()
    moved = await world.reschedule(session)
    await world.work()
    (meeting,) = await world.at_zoom()
    assert (meeting["start_time"], meeting["duration"]) == at(moved)
    (after,) = await world.told()
    assert after.data.change == "rescheduled"
    assert after.data.session.starts_at == moved.starts_at
    assert after.data.meeting.join_url == before.data.meeting.join_url
    assert after.data.meeting.revision > before.data.meeting.revision


async def test_b13_reschedules_that_arrive_together_are_one_update(world: World):
    session = await world.book()
    await world.work()
    for _ in range(5):
        session = await world.reschedule(session)
    await world.work()
    assert await world.calls("update_meeting") == 1
    (meeting,) = await world.at_zoom()
    assert (meeting["start_time"], meeting["duration"]) == at(session)


async def test_f48_a_cancel_deletes_the_meeting_and_says_so(world: World):
    session = await world.book()
    await world.work()
    (ready,) = await world.told()
    await world.cancel(session)
    await world.work()
    assert await world.at_zoom() == []
    (canceled,) = await world.told()
    assert canceled.data.event_type == "meeting.canceled.v1"
    assert canceled.data.meeting.id == ready.data.meeting.id


async def test_b5_a_cancel_that_comes_first_makes_the_late_booking_a_no_op(world: World):
    session = world.session()
    await world.cancel(session)
    assert not await world.meetings.desire(session, world.booking(session.revision), world.clock())
    await world.work()
    assert await world.calls("create_meeting") == 0


async def test_b5_old_and_repeated_events_change_nothing(world: World):
    session = await world.book()
    moved = await world.reschedule(session)
    await world.work()
    await world.told()
    for old in (session, moved):
        assert not await world.meetings.desire(old, world.booking(old.revision), world.clock())
    assert await world.work() == 0
    assert await world.told() == []


async def test_f25_a_session_without_zoom_makes_no_call(world: World):
    location = world.session().location.model_copy(update={"kind": "phone", "detail": "+49 30 1234"})
    await world.book(location=location)
    await world.work()
    assert await world.calls("create_meeting") == 0
    assert await world.told() == []


async def test_a_meeting_that_the_host_deleted_is_never_updated_but_replaced(world: World):
    session = await world.book()
    await world.work()
    (first,) = await world.at_zoom()
    await world.told()
    await world.app.control("DELETE", f"/meetings/{first['id']}")
    await world.reschedule(session)
    await world.work()
    (second,) = await world.at_zoom()
    assert second["id"] != first["id"]
    (ready,) = await world.told()
    assert (ready.data.change, ready.data.meeting.generation) == ("replaced", 2)


async def test_f48_deleting_what_the_host_deleted_already_is_done(world: World):
    session = await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    await world.app.control("DELETE", f"/meetings/{meeting['id']}")
    await world.cancel(session)
    await world.work()
    assert (await world.told_types())[-1] == "meeting.canceled.v1"


async def test_a_raised_generation_makes_a_new_meeting_and_removes_the_old_one(world: World):
    session = await world.book()
    await world.work()
    (old,) = await world.at_zoom()
    await world.told()
    await world.book(revision=2, starts_at=session.starts_at, ends_at=session.ends_at, wanted_generation=2)
    await world.work()
    (new,) = await world.at_zoom()
    assert new["id"] != old["id"]
    (ready,) = await world.told()
    assert (ready.data.change, ready.data.meeting.id) == ("replaced", new["id"])


async def test_a_session_that_has_ended_gets_no_meeting(world: World):
    await world.book()
    world.clock.advance(days=2)
    await world.work()
    assert await world.calls("create_meeting") == 0


async def test_what_is_stored_shows_no_way_in_and_no_person_in_the_clear(world: World):
    session = await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    stored = repr(await world.meetings.find(session.id))
    for secret in (meeting["join_url"], meeting["password"], world.booking().invitee.email, "/j/"):
        assert secret not in stored


async def test_a_change_that_arrives_while_zoom_is_called_is_carried_out_after_it(world: World):
    session = await world.book()
    claim = await world.due().claim()
    assert claim
    moved = await world.reschedule(session)
    await world.reconciler().reconcile(claim)
    await world.work()
    (meeting,) = await world.at_zoom()
    assert (meeting["start_time"], meeting["duration"]) == at(moved)


async def test_b5_rapid_reschedules_cost_two_updates_and_end_at_the_last_time(world: World):
    session = await world.book()
    await world.work()
    moved = session
    for _ in range(5):
        moved = await world.reschedule(moved)
        await world.work()
        world.clock.advance(seconds=0.5)
    assert await world.calls("update_meeting") == 1
    world.clock.advance(seconds=5)
    await world.work()
    assert await world.calls("update_meeting") == 2
    (meeting,) = await world.at_zoom()
    assert (meeting["start_time"], meeting["duration"]) == at(moved)


async def test_what_starts_soon_is_updated_at_once(world: World):
    starts_at = world.clock.now + timedelta(minutes=5)
    moved = await world.book(starts_at=starts_at, ends_at=starts_at + timedelta(minutes=45))
    await world.work()
    for _ in range(2):
        moved = await world.reschedule(moved, by=timedelta(minutes=5))
        await world.work()
    assert await world.calls("update_meeting") == 2
