"""A create in doubt whose mark was edited away (D6): adopted where only one can be it, else parked, never doubled."""

import pytest

from tests.integration.meeting_service.world import World, at


async def in_doubt(world: World) -> dict[str, object]:
    """Book, lose the answer, and have the host overwrite the description; returns the meeting."""
    await world.app.fault("create_meeting", "answer_lost")
    await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    await world.tokens.host.change(meeting["id"], agenda="see you!")
    await world.told()
    world.clock.advance(seconds=16)
    return meeting


async def test_the_one_meeting_of_that_time_and_topic_is_adopted_and_marked_again(world: World):
    meeting = await in_doubt(world)
    await world.work()
    (adopted,) = await world.at_zoom()
    assert (adopted["id"], adopted["agenda"]) == (meeting["id"], meeting["agenda"])
    assert (await world.told())[-1].data.meeting.id == meeting["id"]
    assert await world.calls("create_meeting") == 1


async def test_where_two_may_be_it_nothing_is_guessed_and_the_mark_decides(world: World):
    meeting = await in_doubt(world)
    alike = {name: meeting[name] for name in ("topic", "start_time", "duration")}
    other = await world.tokens.host.create(**alike, agenda="made by hand")
    await world.work()
    (failed,) = await world.told()
    assert failed.data.reason.code == "zoom_not_unique"
    mark = str(meeting["agenda"]).partition("\n")[0]
    assert mark in failed.data.reason.detail
    await world.tokens.host.change(int(str(meeting["id"])), agenda=f"{mark} see you!")
    world.clock.advance(hours=2)
    await world.work()
    assert (await world.told())[-1].data.meeting.id == meeting["id"]
    assert {one["id"] for one in await world.at_zoom()} == {meeting["id"], other["id"]}
    assert await world.calls("create_meeting") == 2, "ours, and the host's own"


async def parked(world: World) -> tuple[str, int, int]:
    """Return the session that waits for a decision, its meeting, and one made by hand that looks like it."""
    meeting = await in_doubt(world)
    alike = {name: meeting[name] for name in ("topic", "start_time", "duration")}
    other = await world.tokens.host.create(**alike, agenda="made by hand")
    await world.work()
    assert (await world.told())[-1].data.reason.code == "zoom_not_unique"
    return world.session().id, int(str(meeting["id"])), int(other["id"])


async def test_an_operator_decides_which_one_it_is(world: World):
    session_id, ours, other = await parked(world)
    assert await world.meetings.decide(session_id, ours, world.clock())
    await world.work()
    (ready,) = await world.told()
    assert ready.data.meeting.id == ours
    assert {one["id"] for one in await world.at_zoom()} == {ours, other}
    assert not await world.meetings.decide(session_id, other, world.clock()), "there is nothing left to decide"


async def test_an_operator_decides_that_it_is_none_of_them(world: World):
    session_id, *others = await parked(world)
    assert await world.meetings.decide(session_id, None, world.clock())
    await world.work()
    (ready,) = await world.told()
    assert ready.data.meeting.id not in others
    assert len(await world.at_zoom()) == 3


async def test_a_decision_for_a_meeting_that_cannot_be_it_adopts_nothing(world: World):
    session_id, *others = await parked(world)
    stranger = await world.tokens.host.create(topic="Another")
    assert await world.meetings.decide(session_id, stranger["id"], world.clock())
    await world.work()
    state = await world.state(world.session())
    assert (state.meeting, state.reason and state.reason.code) == (None, "zoom_not_unique")
    assert {one["id"] for one in await world.at_zoom()} == {*others, stranger["id"]}


async def test_a_decision_on_an_earlier_attempt_is_not_taken_for_this_one(world: World):
    session_id, *others = await parked(world)
    assert await world.meetings.decide(session_id, None, world.clock())
    await world.meetings.collection.update_one({"_id": session_id}, {"$inc": {"intent.attempt": 1, "attempt": 1}})
    await world.work()
    assert {one["id"] for one in await world.at_zoom()} == set(others)


@pytest.mark.parametrize("other", [{"topic": "Another"}, {"duration": 50}, {"start_time": "2029-03-08T10:00:00Z"}])
async def test_a_meeting_that_says_something_else_is_not_taken_for_ours(world: World, other: dict[str, object]):
    await world.app.fault("create_meeting", "status", status=503)
    session = await world.book()
    await world.work()
    start, minutes = at(session)
    hand_made = {"topic": session.title, "start_time": start, "duration": minutes} | other
    stranger = await world.tokens.host.create(**hand_made)
    world.clock.advance(seconds=16)
    await world.work()
    ours = [meeting for meeting in await world.at_zoom() if meeting["id"] != stranger["id"]]
    assert [(meeting["start_time"], meeting["duration"]) for meeting in ours] == [at(session)]


async def test_a_meeting_from_before_the_intent_is_not_taken_for_ours(world: World):
    session = world.session()
    start, minutes = at(session)
    older = await world.tokens.host.create(topic=session.title, start_time=start, duration=minutes)
    await world.app.advance(minutes=10)
    world.clock.advance(minutes=10)
    await world.app.fault("create_meeting", "status", status=503)
    await world.meetings.desire(session, world.booking(), world.clock())
    await world.work()
    world.clock.advance(seconds=16)
    await world.work()
    made = (await world.state(session)).meeting
    assert made
    assert made.id != older["id"]


async def test_a_meeting_of_another_session_is_not_taken_for_ours(world: World):
    first = await world.book()
    await world.work()
    (taken,) = await world.at_zoom()
    await world.tokens.host.change(taken["id"], agenda="no mark")
    await world.app.fault("create_meeting", "status", status=503)
    same = first.model_copy(update={"id": "ses_another0session0of0the0same"})
    await world.meetings.desire(same, world.booking(), world.clock())
    await world.work()
    world.clock.advance(seconds=16)
    await world.work()
    assert len(await world.at_zoom()) == 2
