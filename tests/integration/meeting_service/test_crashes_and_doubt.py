"""Exactly one meeting, whatever is lost on the way: the answer, the process, the lease."""

from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import pytest

from meeting_service.domain.at_zoom import Condemned
from meeting_service.domain.meeting import DOUBT_LASTS
from meeting_service.ports import Access, InDoubt, Zoom
from tests.integration.meeting_service.world import MARKER_KEY, Crash, Dying, World, at
from tests.support.eventually import eventually


@dataclass(frozen=True)
class DyingAfterDelete:
    zoom: Zoom

    async def delete(self, access: Access, zoom_id: int) -> None:
        with suppress(InDoubt):
            await self.zoom.delete(access, zoom_id)
        raise Crash

    def __getattr__(self, name: str) -> Any:
        return getattr(self.zoom, name)


async def past_the_doubt(world: World) -> None:
    world.clock.advance(seconds=DOUBT_LASTS.total_seconds() + 1)


async def test_b4_a_create_whose_answer_is_lost_is_adopted_and_never_posted_again(world: World):
    await world.app.fault("create_meeting", "answer_lost")
    session = await world.book()
    await world.work()
    (failed,) = await world.told()
    assert failed.data.reason.code == "zoom_unavailable"
    assert (await world.state(session)).intent is not None
    assert await world.work() == 0, "a create in doubt is left alone until it can no longer take effect"
    await past_the_doubt(world)
    await world.work()
    (meeting,) = await world.at_zoom()
    (ready,) = await world.told()
    assert (ready.data.meeting.id, ready.data.meeting.join_url) == (meeting["id"], meeting["join_url"])
    assert await world.calls("create_meeting") == 1


async def test_b4_a_create_that_zoom_commits_late_is_adopted(world: World):
    await world.app.fault("create_meeting", "late_commit", delay_seconds=5)
    await world.book()
    await world.work()
    assert await world.at_zoom() == []
    await world.app.advance(seconds=6)
    await past_the_doubt(world)
    await world.work()
    assert len(await world.at_zoom()) == 1
    assert await world.calls("create_meeting") == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_5xx_is_in_doubt_and_posted_again_only_after_looking(world: World, status: int):
    await world.app.fault("create_meeting", "status", status=status)
    await world.book()
    await world.work()
    assert await world.calls("list_meetings") == 0
    await past_the_doubt(world)
    await world.work()
    assert len(await world.at_zoom()) == 1
    assert (await world.calls("list_meetings"), await world.calls("create_meeting")) == (1, 2)


@pytest.mark.parametrize("after", [False, True], ids=["before the post", "after the post"])
async def test_b4_a_process_that_dies_around_the_create_leaves_one_meeting(world: World, *, after: bool):
    session = await world.book()
    with pytest.raises(Crash):
        await world.work(Dying(world.zoom, after=after))
    assert await world.work() == 0, "the lease still holds"
    world.clock.advance(seconds=21)
    await world.work()
    (meeting,) = await world.at_zoom()
    assert (meeting["start_time"], meeting["duration"]) == at(session)
    assert await world.told_types() == ["meeting.ready.v1"]


async def test_b5_a_cancel_while_a_create_is_in_doubt_finds_the_meeting_first_and_then_deletes_it(world: World):
    await world.app.fault("create_meeting", "answer_lost")
    session = await world.book()
    await world.work()
    await world.cancel(session)
    await world.work()
    assert len(await world.at_zoom()) == 1, "what the create made is not known yet"
    await past_the_doubt(world)
    await world.work()
    assert await world.at_zoom() == []
    assert (await world.state(session)).intent is None


async def test_a_reschedule_while_a_create_is_in_doubt_moves_what_is_adopted(world: World):
    await world.app.fault("create_meeting", "answer_lost")
    session = await world.book()
    await world.work()
    moved = await world.reschedule(session)
    await past_the_doubt(world)
    await world.work()
    (meeting,) = await world.at_zoom()
    assert (meeting["start_time"], meeting["duration"]) == at(moved)
    assert [
        event.data.session.starts_at for event in await world.told() if event.data.event_type == "meeting.ready.v1"
    ] == [moved.starts_at], "no time is announced that Zoom has not accepted"


async def test_a_session_that_began_before_its_create_took_effect_gets_its_link(world: World):
    """Zoom makes a start that has passed "now": that is no other time, and no update would move it back."""
    began = world.clock() - timedelta(minutes=5)
    await world.app.fault("create_meeting", "answer_lost")
    session = await world.book(starts_at=began, ends_at=began + timedelta(minutes=45))
    await world.work()
    await past_the_doubt(world)
    await world.work()
    assert await world.told_types() == ["meeting.failed.v1", "meeting.ready.v1"]
    await world.book(revision=2, title="Renamed", starts_at=session.starts_at, ends_at=session.ends_at)
    await world.work()
    assert await world.told_types() == ["meeting.ready.v1"]


async def test_b4_without_the_list_scope_a_create_stays_in_doubt_and_is_never_posted_twice(world: World):
    scopes = ["meeting:write:meeting", "meeting:update:meeting", "meeting:delete:meeting", "meeting:read:meeting"]
    await world.app.control("POST", "/users", json={"id": "host-1", "scopes": scopes})
    world.tokens.host = await world.app.host("host-1")
    await world.app.fault("create_meeting", "answer_lost")
    session = await world.book()
    await world.work()
    for _ in range(3):
        world.clock.advance(hours=2)
        await world.work()
    state = await world.state(session)
    assert state.intent is not None
    assert state.reason is not None
    assert state.reason.code == "zoom_scope_missing"
    assert await world.calls("create_meeting") == 1


async def test_a_twin_with_our_mark_is_removed_when_one_is_adopted(world: World):
    await world.app.fault("create_meeting", "answer_lost")
    session = await world.book()
    await world.work()
    (first,) = await world.at_zoom()
    await world.tokens.host.create(agenda=first["agenda"])
    await world.tokens.host.create(agenda=first["agenda"].replace(session.id, session.id[:-1] + "x"))
    await past_the_doubt(world)
    await world.work()
    remaining = await world.at_zoom()
    assert len(remaining) == 2, "the twin is gone; what only looks like ours is left alone"
    (ours,) = [meeting for meeting in remaining if MARKER_KEY.find(meeting["agenda"])]
    state = await world.state(session)
    assert state.meeting is not None
    assert state.meeting.id == ours["id"]


async def test_b5_who_lost_the_lease_stores_nothing(world: World):
    session = await world.book()
    frozen = await world.due().claim()
    assert frozen
    world.clock.advance(seconds=21)
    await world.work()
    before = await world.state(session)
    await world.reconciler().reconcile(frozen)
    assert await world.state(session) == before
    assert len(await world.at_zoom()) == 1


async def test_an_update_in_doubt_is_repeated_but_not_before_the_first_can_no_longer_arrive(world: World):
    session = await world.book()
    await world.work()
    await world.app.fault("update_meeting", "answer_lost")
    moved = await world.reschedule(session)
    await world.work()
    assert await world.work() == 0
    await past_the_doubt(world)
    await world.work()
    (meeting,) = await world.at_zoom()
    assert (meeting["start_time"], meeting["duration"]) == at(moved)
    assert (await world.told_types())[-1] == "meeting.ready.v1"


async def test_a_delete_in_doubt_is_repeated_until_zoom_says_that_it_is_gone(world: World):
    session = await world.book()
    await world.work()
    await world.app.fault("delete_meeting", "answer_lost")
    await world.cancel(session)
    await world.work()
    await past_the_doubt(world)
    await world.work()
    assert await world.calls("delete_meeting") == 2
    assert (await world.told_types())[-1] == "meeting.canceled.v1"


@pytest.mark.parametrize("dies", [False, True], ids=["answer lost", "process dies"])
async def test_nobody_is_told_of_a_meeting_whose_delete_is_in_doubt(world: World, *, dies: bool):
    """D8 with another need after it: the last of a group leaves, and another one comes."""
    session = await world.book()
    await world.work()
    await world.app.fault("delete_meeting", "answer_lost")
    left = session.model_copy(update={"revision": 2, "seats_taken": 0})
    assert await world.meetings.desire(left, world.booking(2, status="canceled"), world.clock())
    if dies:
        with pytest.raises(Crash):
            await world.work(DyingAfterDelete(world.zoom))
    else:
        await world.work()
    assert await world.at_zoom() == []
    came = session.model_copy(update={"revision": 3})
    assert await world.meetings.desire(came, world.booking(3, id="bkg_of0another"), world.clock())
    await world.told()
    world.clock.advance(seconds=21)
    await world.work()
    (meeting,) = await world.at_zoom()
    (told,) = await world.told()
    assert told.data.meeting.id == meeting["id"]


async def test_f27_who_comes_just_before_the_meeting_is_deleted_keeps_it(world: World, monkeypatch: pytest.MonkeyPatch):
    session = await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    left = session.model_copy(update={"revision": 2, "seats_taken": 0})
    assert await world.meetings.desire(left, world.booking(2, status="canceled"), world.clock())
    save = world.meetings.save

    async def somebody_comes(*arguments: Any) -> Any:
        monkeypatch.undo()
        came = session.model_copy(update={"revision": 3})
        assert await world.meetings.desire(came, world.booking(3, id="bkg_of0another"), world.clock())
        return await save(*arguments)

    monkeypatch.setattr(world.meetings, "save", somebody_comes)
    await world.work()
    assert await world.calls("delete_meeting") == 0
    assert (await world.told())[-1].data.meeting.id == meeting["id"]


async def test_an_event_that_was_not_published_is_swept_up_later(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(world.outbox, "publish_soon", lambda _: None)
    await world.book()
    await world.work()
    assert await world.told() == []
    world.clock.advance(seconds=10)
    assert await world.outbox.sweep() == 1
    assert await world.told_types() == ["meeting.ready.v1"]
    await eventually(world.nothing_to_sweep, within=5)


async def test_what_was_condemned_and_then_adopted_is_not_deleted(world: World):
    await world.app.fault("create_meeting", "answer_lost")
    session = await world.book()
    await world.work()
    (meeting,) = await world.at_zoom()
    await world.meetings.collection.update_one(
        {"_id": session.id}, {"$set": {"strays": [asdict(Condemned(meeting["id"], "zcn_1", "host-1"))]}}
    )
    world.clock.advance(seconds=16)
    await world.work()
    assert [one["id"] for one in await world.at_zoom()] == [meeting["id"]]
