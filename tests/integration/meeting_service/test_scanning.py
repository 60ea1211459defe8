"""The scan of a Zoom user's list: late twins swept (D5), what no webhook told noticed (B3), all counted (B21)."""

from datetime import timedelta
from typing import Any, cast

from convoke.due_work import DueWork
from meeting_service.auth import CACHED_FOR
from meeting_service.domain.differences import Difference
from meeting_service.scan.scans import AFTER_A_DOUBT, EVERY_WHILE_NEAR, Result, Scans
from tests.integration.meeting_service.world import World, at


async def later(world: World, time: timedelta) -> None:
    world.clock.now += time
    await world.app.advance(seconds=time.total_seconds())


async def scanned(world: World, after: timedelta = EVERY_WHILE_NEAR * 1.2) -> Result:
    """Scan once it is due, and return what was found."""
    await later(world, after)
    assert await world.scan() == 1
    ((_, result),) = await world.scans.results()
    assert result
    return result


async def kinds(world: World) -> list[str]:
    return [difference.kind for difference in (await scanned(world)).differences]


async def test_where_all_is_well_there_is_no_difference(world: World):
    session = await world.book()
    await world.work()
    await world.reschedule(session)
    await world.work()
    result = await scanned(world)
    assert (result.listed, result.compared, result.differences, result.failure) == (1, 1, (), None)


async def test_b4_a_twin_that_comes_to_light_after_the_doubt_is_gone_two_minutes_later(world: World):
    """D5: the first POST takes effect only after it was looked for and a second one was sent."""
    await world.app.fault("create_meeting", "status", status=503)
    session = await world.book()
    await world.work()
    await later(world, timedelta(seconds=16))
    await world.work()
    (kept,) = await world.at_zoom()
    await world.tokens.host.create(topic=session.title, start_time=at(session)[0], agenda=kept["agenda"])
    await later(world, AFTER_A_DOUBT[0])
    assert await world.scan() == 1
    await world.work()
    assert [meeting["id"] for meeting in await world.at_zoom()] == [kept["id"]]


async def test_a_twin_is_deleted_although_the_sessions_own_meeting_cannot_be_looked_at(world: World):
    scopes = ["meeting:write:meeting", "meeting:delete:meeting", "meeting:read:list_meetings"]
    await world.app.control("POST", "/users", json={"id": "host-1", "scopes": scopes})
    world.tokens.host = await world.app.host("host-1")
    session = await world.book()
    await world.work()
    (kept,) = await world.at_zoom()
    await world.nudges.look_again_at(session.id, world.clock())
    await world.work()
    await world.tokens.host.create(topic=session.title, start_time=at(session)[0], agenda=kept["agenda"])
    assert await kinds(world) == ["twin"]
    await world.work()
    assert [meeting["id"] for meeting in await world.at_zoom()] == [kept["id"]]


async def test_a_twin_that_comes_still_later_is_gone_after_a_quarter_of_an_hour(world: World):
    await world.app.fault("create_meeting", "answer_lost")
    session = await world.book()
    await world.work()
    await later(world, timedelta(seconds=16))
    await world.work()
    (kept,) = await world.at_zoom()
    await later(world, AFTER_A_DOUBT[0])
    assert await world.scan() == 1
    await world.tokens.host.create(topic=session.title, start_time=at(session)[0], agenda=kept["agenda"])
    await later(world, AFTER_A_DOUBT[1])
    assert await world.scan() == 1
    await world.work()
    assert [meeting["id"] for meeting in await world.at_zoom()] == [kept["id"]]


async def test_b3_what_zoom_deleted_without_a_word_is_made_anew(world: World):
    session = await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    await world.tokens.host.delete(meeting["id"])
    assert await kinds(world) == ["missing"]
    await world.work()
    (anew,) = await world.at_zoom()
    assert (anew["start_time"], anew["duration"]) == at(session)
    assert await kinds(world) == []


async def test_b3_what_was_moved_in_zoom_without_a_word_is_restored(world: World):
    session = await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    await world.tokens.host.change(meeting["id"], start_time="2029-03-09T09:00:00Z")
    assert await kinds(world) == ["changed"]
    await world.work()
    (restored,) = await world.at_zoom()
    assert restored["start_time"] == at(session)[0]
    assert await kinds(world) == []


async def test_a_canceled_session_whose_meeting_is_back_loses_it_again(world: World):
    session = await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    await world.cancel(session)
    await world.work()
    await world.tokens.host.create(topic="back", start_time=at(session)[0], agenda=meeting["agenda"])
    assert await kinds(world) == ["twin"]
    await world.work()
    assert await world.at_zoom() == []


async def test_meetings_made_by_hand_and_forged_marks_are_not_touched(world: World):
    session = await world.book()
    await world.work()
    forged = f"[ref:{session.id}.1.00000000] ours?"
    for agenda in ("", "our weekly talk", forged):
        await world.tokens.host.create(topic=session.title, start_time=at(session)[0], agenda=agenda)
    assert await kinds(world) == []
    await world.work()
    assert len(await world.at_zoom()) == 4


async def test_an_orphan_is_told_and_left(world: World):
    """A database restored from a backup may not know a session that has a meeting."""
    session = await world.book()
    await world.work()
    await world.meetings.collection.delete_one({"_id": session.id})
    (meeting,) = await world.at_zoom()
    (difference,) = (await scanned(world)).differences
    assert difference == Difference("orphan", meeting["id"], session.id)
    assert session.id in difference.words
    await world.work()
    assert len(await world.at_zoom()) == 1


async def test_what_a_session_that_wants_a_meeting_does_not_know_of_is_left_until_it_has_another(world: World):
    """A database restored from a backup may know the session, but not that its meeting was made."""
    session = await world.book()
    backup = await world.meetings.find(session.id)
    assert backup
    await world.work()
    (unclaimed,) = await world.at_zoom()
    await world.meetings.collection.replace_one({"_id": session.id}, backup)
    assert await kinds(world) == ["unclaimed"]
    assert [meeting["id"] for meeting in await world.at_zoom()] == [unclaimed["id"]]
    await world.work()
    await world.scans.make_due({}, world.clock())
    assert await kinds(world) == ["twin"]
    await world.work()
    state = await world.state(session)
    assert state.meeting
    assert [meeting["id"] for meeting in await world.at_zoom()] == [state.meeting.id]
    assert state.meeting.id != unclaimed["id"]


async def test_a_list_of_several_pages_is_compared_as_a_whole(world: World):
    await world.app.turn(rate_limits=False, host_daily_limit=None)
    session = await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    for number in range(310):
        await world.tokens.host.create(topic=f"by hand {number}", start_time=at(session)[0])
    await world.tokens.host.create(topic="twin", start_time=at(session)[0], agenda=meeting["agenda"])
    result = await scanned(world)
    assert result.listed == 312
    assert [difference.kind for difference in result.differences] == ["twin"]


async def test_a_create_under_way_is_no_twin(world: World):
    await world.app.fault("create_meeting", "answer_lost")
    await world.book()
    await world.work()
    await world.scans.make_due({}, world.clock())
    assert await world.scan() == 1
    ((_, result),) = await world.scans.results()
    assert result
    assert [difference.kind for difference in result.differences] == ["in_doubt"]
    await world.work()
    assert len(await world.at_zoom()) == 1


async def test_a_scan_that_cannot_be_made_is_made_later_and_says_why(world: World):
    await world.book()
    await world.work()
    await world.app.fault("list_meetings", "status", status=503)
    failed = await scanned(world)
    assert failed.failure == "Zoom answered 503"
    assert (await scanned(world, timedelta(minutes=5))).failure is None


async def test_what_was_asked_for_during_a_scan_is_not_forgotten(world: World):
    await world.book()
    await world.work()
    await later(world, EVERY_WHILE_NEAR * 1.2)
    ((user, _),) = await world.scans.results()
    due = DueWork(world.scans.collection, timedelta(minutes=5), world.clock)
    claim = await due.claim()
    assert claim
    began = world.clock()
    await later(world, timedelta(seconds=1))
    await world.scans.sweep_after_doubt(user, world.clock())
    await world.scans.finish(claim, Result(began), began + timedelta(days=1))
    await later(world, AFTER_A_DOUBT[0])
    assert await world.scan() == 1


async def test_a_scan_is_finished_in_one_write_so_that_no_crash_forgets_what_was_asked_for(world: World):
    await world.book()
    await world.work()
    await later(world, EVERY_WHILE_NEAR * 1.2)
    ((user, _),) = await world.scans.results()
    claim = await DueWork(world.scans.collection, timedelta(minutes=5), world.clock).claim()
    assert claim
    began = world.clock()
    await world.scans.sweep_after_doubt(user, began)
    writes: list[str] = []

    class Counted:
        def __getattr__(self, name: str) -> Any:
            writes.append(name)
            return getattr(world.scans.collection, name)

    scans = Scans(cast("Any", {"scans": Counted()}))
    await scans.finish(claim, Result(began, failure="$said"), began + timedelta(days=1))
    assert writes == ["find_one", "update_one"]
    stored = await world.scans.collection.find_one({"_id": user.key})
    assert stored
    assert (stored["due_at"], stored["lease"]) == (began + AFTER_A_DOUBT[0], None)
    ((_, result),) = await world.scans.results()
    assert result
    assert result.failure == "$said"


async def test_what_is_asked_for_just_as_a_scan_is_finished_is_not_forgotten(world: World):
    await world.book()
    await world.work()
    await later(world, EVERY_WHILE_NEAR * 1.2)
    ((user, _),) = await world.scans.results()
    claim = await DueWork(world.scans.collection, timedelta(minutes=5), world.clock).claim()
    assert claim
    began, asked = world.clock(), list[str]()

    class AskedAfterTheFirstRead:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.scans.collection, name)

        async def find_one(self, *arguments: Any) -> Any:
            found = await world.scans.collection.find_one(*arguments)
            if not asked:
                asked.append(user.key)
                await world.scans.sweep_after_doubt(user, began)
            return found

    await Scans(cast("Any", {"scans": AskedAfterTheFirstRead()})).finish(claim, Result(began), began + EVERY_WHILE_NEAR)
    stored = await world.scans.collection.find_one({"_id": user.key})
    assert stored
    assert (stored["due_at"], len(stored["asked_for"])) == (began + AFTER_A_DOUBT[0], 2)


async def test_another_zoom_user_whose_connecting_was_never_told_is_noticed_and_links_are_replaced(world: World):
    session = await world.book()
    await world.work()
    world.tokens.host = await world.app.host("host-2")
    assert (await scanned(world)).another_user == "host-2"
    await later(world, timedelta(seconds=CACHED_FOR))
    await world.work()
    meeting = (await world.state(session)).meeting
    assert meeting is not None
    assert meeting.zoom_user_id == "host-2"
