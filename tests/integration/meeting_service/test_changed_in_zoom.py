"""What somebody changes or deletes inside Zoom (B3): noticed on a hint, pulled, restored, flagged or made anew."""

import pytest

from convoke.contracts import ZoomMeetingChanged, ZoomOptions
from convoke.messaging.cloudevents import Event
from tests.integration.convoke.conftest import sample
from tests.integration.meeting_service.test_overtaken import Interrupted, hours_later
from tests.integration.meeting_service.world import World, at

FLAG = ZoomOptions(when_changed="flag")


def changed(zoom_meeting_id: int, change: str = "updated", connection_id: str = "zcn_1") -> Event[ZoomMeetingChanged]:
    event: Event[ZoomMeetingChanged] = sample("zoom.meeting_changed.v1")
    fields = {"zoom_meeting_id": zoom_meeting_id, "change": change, "connection_ids": (connection_id,)}
    return Event(**vars(event) | {"data": event.data.model_copy(update=fields)})


async def hint(world: World, event: Event[ZoomMeetingChanged]) -> None:
    await world.handlers().look_on_zoom_meeting_changed(event)


async def test_b3_our_own_change_costs_one_look_however_often_it_is_reported_and_is_told_to_nobody(world: World):
    await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    await world.told()
    for _ in range(3):
        await hint(world, changed(meeting["id"]))
    await world.work()
    assert (await world.calls("get_meeting"), await world.calls("update_meeting")) == (1, 0)
    assert await world.told() == []
    assert await world.work() == 0


async def test_f49_b3_a_meeting_deleted_inside_zoom_is_made_anew_and_told_once(world: World):
    session = await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    await world.told()
    await world.tokens.host.delete(meeting["id"])
    await hint(world, changed(meeting["id"], "deleted"))
    await hint(world, changed(meeting["id"], "deleted"))
    await world.work()
    (anew,) = await world.at_zoom()
    assert (anew["start_time"], anew["duration"]) == at(session)
    (ready,) = await world.told()
    assert (ready.data.change, ready.data.meeting.id, ready.data.meeting.generation) == ("replaced", anew["id"], 2)


async def test_f49_b3_a_passcode_changed_inside_zoom_is_pulled_and_told_once(world: World):
    await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    await world.told()
    assert (await world.tokens.host.change(meeting["id"], password="n3w")).status_code == 204
    await hint(world, changed(meeting["id"]))
    await hint(world, changed(meeting["id"]))
    await world.work()
    (ready,) = await world.told()
    assert (ready.data.change, ready.data.meeting.passcode) == ("unchanged", "n3w")
    assert ready.data.meeting.join_url != meeting["join_url"], "the link carries the passcode"
    assert await world.calls("update_meeting") == 1, "the host's own call, and none of ours"


@pytest.mark.parametrize(
    "change", [{"start_time": "2029-03-09T09:00:00Z"}, {"topic": "Another talk"}, {"duration": 60}]
)
async def test_f49_b3_what_the_booking_owns_is_restored_in_zoom_and_told_to_nobody(
    world: World, change: dict[str, object]
):
    session = await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    await world.told()
    await world.tokens.host.change(meeting["id"], **change)
    await hint(world, changed(meeting["id"]))
    await world.work()
    (restored,) = await world.at_zoom()
    assert (restored["start_time"], restored["duration"], restored["topic"]) == (*at(session), session.title)
    assert await world.told() == []
    await hint(world, changed(meeting["id"]))
    await world.work()
    assert await world.calls("update_meeting") == 2, "the host's and ours: our own echo restores nothing again"


async def test_a_mark_that_the_host_removed_is_put_back(world: World):
    await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    await world.tokens.host.change(meeting["id"], agenda="our weekly talk")
    await hint(world, changed(meeting["id"]))
    await world.work()
    (restored,) = await world.at_zoom()
    assert restored["agenda"] == meeting["agenda"]


async def test_f49_b3_a_time_moved_inside_zoom_is_flagged_where_the_event_type_wants_it_until_the_booking_moves(
    world: World,
):
    session = await world.book(zoom=FLAG)
    await world.work()
    (meeting,) = await world.at_zoom()
    await world.told()
    await world.tokens.host.change(meeting["id"], start_time="2029-03-09T09:00:00Z")
    await hint(world, changed(meeting["id"]))
    await hint(world, changed(meeting["id"]))
    await world.work()
    (flagged,) = await world.told()
    assert flagged.data.meeting.changed_in_zoom.starts_at.isoformat() == "2029-03-09T09:00:00+00:00"
    assert flagged.data.session.starts_at == session.starts_at
    (left,) = await world.at_zoom()
    assert left["start_time"] == "2029-03-09T09:00:00Z"
    moved = await world.reschedule(session)
    await world.work()
    (ready,) = await world.told()
    assert ready.data.meeting.changed_in_zoom is None
    assert [at(moved)[0]] == [one["start_time"] for one in await world.at_zoom()]


async def test_a_flagged_time_that_the_host_takes_back_is_told_as_settled(world: World):
    session = await world.book(zoom=FLAG)
    await world.work()
    (meeting,) = await world.at_zoom()
    for start in ("2029-03-09T09:00:00Z", at(session)[0]):
        await world.tokens.host.change(meeting["id"], start_time=start)
        await hint(world, changed(meeting["id"]))
        await world.work()
    assert (await world.told())[-1].data.meeting.changed_in_zoom is None
    assert (await world.state(session)).differs is None


async def test_only_404_with_code_3001_counts_as_deleted(world: World):
    session = await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    await world.told()
    await world.app.fault("get_meeting", "status", status=404)
    await hint(world, changed(meeting["id"], "deleted"))
    await world.work()
    assert [one["id"] for one in await world.at_zoom()] == [meeting["id"]]
    assert await world.told() == [], "nobody is told that a look failed"
    world.clock.advance(hours=2)
    await world.work()
    assert (await world.state(session)).must_look is False


async def test_a_hint_about_a_meeting_of_somebody_else_costs_nothing(world: World):
    await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    await hint(world, changed(meeting["id"] + 1, "deleted"))
    await hint(world, changed(meeting["id"], "deleted", connection_id="zcn_other"))
    assert await world.work() == 0
    assert await world.calls("get_meeting") == 0


async def test_a_change_during_an_update_is_looked_at_afterwards(world: World):
    session = await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    await world.reschedule(session)
    claim = await world.due().claim()
    assert claim
    await hint(world, changed(meeting["id"]))
    await world.reconciler().reconcile(claim)
    assert (await world.state(session)).must_look is False
    assert await world.calls("get_meeting") == 2


async def test_a_meeting_that_is_deleted_while_it_is_adopted_is_made_anew(world: World):
    await world.app.fault("create_meeting", "answer_lost")
    await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    world.clock.advance(seconds=16)
    deleted: list[int] = []

    async def the_host_deletes_it() -> None:
        if not deleted:
            deleted.append(meeting["id"])
            await world.app.control("DELETE", f"/meetings/{meeting['id']}")

    await world.work(Interrupted(world.zoom, "get", the_host_deletes_it))
    await hours_later(world)
    (ours,) = await world.at_zoom()
    assert ours["id"] != meeting["id"]


async def test_a_meeting_that_is_moved_inside_zoom_during_a_reschedule_has_the_bookings_time(world: World):
    session = await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    moved = await world.reschedule(session)
    starts = ["2029-03-09T09:00:00Z"]

    async def the_host_moves_it_once() -> None:
        if starts:
            await world.tokens.host.change(meeting["id"], start_time=starts.pop())

    await world.work(Interrupted(world.zoom, "get", the_host_moves_it_once))
    assert [at(moved)[0]] == [one["start_time"] for one in await world.at_zoom()]
    assert (await world.told_types())[-1] == "meeting.ready.v1"
