"""What happens between two steps: freezes past a lease, stalls, other users, and answers that come too late."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from convoke.contracts import MeetingFailed
from meeting_service.domain.marker import Reference
from meeting_service.ports import Access, FoundMeeting, Refused, Zoom
from tests.integration.meeting_service.test_failures import connected, handlers
from tests.integration.meeting_service.world import MARKER_KEY, World, at

PAST_THE_LEASE = 21


@dataclass(frozen=True)
class Interrupted:
    """A Zoom port on which something happens just before the first call of one kind leaves."""

    zoom: Zoom
    before: str
    happens: Callable[[], Awaitable[object]]

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.zoom, name)
        if name != self.before:
            return call

        async def interrupted(*arguments: Any) -> Any:
            await self.happens()
            return await call(*arguments)

        return interrupted


async def hours_later(world: World) -> None:
    for _ in range(3):
        world.clock.advance(hours=2)
        await world.work()


async def test_an_update_that_was_frozen_past_its_lease_does_not_leave_its_time_at_zoom(world: World):
    session = await world.book()
    await world.work()
    first = await world.reschedule(session)
    claim = await world.due().claim()
    assert claim

    async def the_other_replica_goes_on() -> None:
        world.clock.advance(seconds=PAST_THE_LEASE)
        await world.reschedule(first)
        await world.work()

    await world.reconciler(Interrupted(world.zoom, "update", the_other_replica_goes_on)).reconcile(claim)
    await hours_later(world)
    wanted = (await world.state(session)).session
    (meeting,) = await world.at_zoom()
    assert (meeting["start_time"], meeting["duration"]) == at(wanted)
    assert wanted.starts_at > first.starts_at


async def test_a_create_that_was_frozen_past_its_lease_removes_its_own_twin(world: World):
    session = await world.book()
    claim = await world.due().claim()
    assert claim

    async def the_other_replica_goes_on() -> None:
        world.clock.advance(seconds=PAST_THE_LEASE)
        await world.work()

    await world.reconciler(Interrupted(world.zoom, "create", the_other_replica_goes_on)).reconcile(claim)
    await hours_later(world)
    (meeting,) = await world.at_zoom()
    state = await world.state(session)
    assert state.meeting is not None
    assert (state.meeting.id, state.condemned) == (meeting["id"], ())


async def test_a_delete_that_was_frozen_past_its_lease_does_not_take_the_meeting_of_who_booked_since(world: World):
    """The last of a group leaves and another one comes, who is told of the meeting just before it is deleted."""
    session = await world.book()
    await world.work()
    left = session.model_copy(update={"revision": 2, "seats_taken": 0})
    assert await world.meetings.desire(left, world.booking(2, status="canceled"), world.clock())
    claim = await world.due().claim()
    assert claim
    came = session.model_copy(update={"revision": 3})

    async def somebody_comes_and_the_other_replica_goes_on() -> None:
        world.clock.advance(seconds=PAST_THE_LEASE)
        assert await world.meetings.desire(came, world.booking(3, id="bkg_of0another"), world.clock())
        await world.work()

    interrupted = Interrupted(world.zoom, "delete", somebody_comes_and_the_other_replica_goes_on)
    await world.reconciler(interrupted).reconcile(claim)
    await world.work()
    (meeting,) = await world.at_zoom()
    state = await world.state(session)
    assert state.meeting is not None
    assert state.meeting.id == meeting["id"]
    assert (await world.told())[-1].data.meeting.id == meeting["id"]


async def test_a_create_whose_answer_comes_after_another_replica_adopted_its_meeting_leaves_that_meeting(world: World):
    session = await world.book()
    claim = await world.due().claim()
    assert claim

    @dataclass(frozen=True)
    class AnswersLate:
        zoom: Zoom

        def __getattr__(self, name: str) -> Any:
            return getattr(self.zoom, name)

        async def create(self, *arguments: Any) -> Any:
            made = await self.zoom.create(*arguments)
            world.clock.advance(seconds=PAST_THE_LEASE)
            await world.work()
            return made

    await world.reconciler(AnswersLate(world.zoom)).reconcile(claim)
    (made,) = await world.at_zoom()
    await hours_later(world)
    assert await world.calls("delete_meeting") == 0
    (meeting,) = await world.at_zoom()
    state = await world.state(session)
    assert state.meeting is not None
    assert (made["id"], state.meeting.id, state.condemned) == (meeting["id"], meeting["id"], ())


async def test_an_intent_that_took_too_long_to_store_is_not_carried_out(world: World, monkeypatch: pytest.MonkeyPatch):
    await world.book()
    claim = await world.due().claim()
    assert claim
    save = world.meetings.save

    async def slowly(*arguments: Any) -> Any:
        saved = await save(*arguments)
        if saved.document.get("intent"):
            monkeypatch.undo()
            world.clock.advance(seconds=PAST_THE_LEASE)
            await world.work()
        return saved

    monkeypatch.setattr(world.meetings, "save", slowly)
    await world.reconciler().reconcile(claim)
    await hours_later(world)
    assert len(await world.at_zoom()) == 1
    assert await world.calls("create_meeting") == 1


async def test_a_long_list_is_read_to_its_end_under_a_lease_that_holds(world: World):
    await world.app.fault("create_meeting", "answer_lost")
    await world.book()
    await world.work()
    for number in range(4):
        await world.tokens.host.create(topic=f"Another {number}")
    world.clock.advance(seconds=16)
    claim = await world.due().claim()
    assert claim
    found_free: list[object] = []

    @dataclass(frozen=True)
    class Slow:
        zoom: Zoom

        def __getattr__(self, name: str) -> Any:
            return getattr(self.zoom, name)

        async def scheduled(self, access: Access) -> AsyncIterator[FoundMeeting]:
            async for meeting in self.zoom.scheduled(access):
                world.clock.advance(seconds=9)
                found_free.append(await world.due().claim())
                yield meeting

    await world.reconciler(Slow(world.zoom)).reconcile(claim)
    await world.outbox.drain()
    assert found_free == [None] * 5
    assert (await world.told_types())[-1] == "meeting.ready.v1"


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


async def test_a_refused_delete_is_not_repeated_before_its_time(world: World):
    session = await world.book()
    await world.work()
    await world.app.fault("delete_meeting", "rate_limited_day", times=1000)
    await world.cancel(session)
    for _ in range(3):
        await world.work()
        world.clock.advance(seconds=PAST_THE_LEASE)
    assert await world.calls("delete_meeting") == 1
    assert (await world.told_types())[-1] == "meeting.failed.v1"


async def test_a_twin_that_may_not_be_deleted_holds_up_neither_a_reschedule_nor_a_reconnect(world: World):
    scopes = ["meeting:write:meeting", "meeting:update:meeting", "meeting:read:list_meetings", "meeting:read:meeting"]
    await world.app.control("POST", "/users", json={"id": "host-1", "scopes": scopes})
    world.tokens.host = await world.app.host("host-1")
    await world.app.fault("create_meeting", "answer_lost")
    session = await world.book()
    await world.work()
    (first,) = await world.at_zoom()
    await world.tokens.host.create(agenda=first["agenda"])
    world.clock.advance(seconds=16)
    await world.work()
    moved = await world.reschedule(session)
    world.clock.advance(seconds=6)
    await world.work()
    assert at(moved)[0] in [meeting["start_time"] for meeting in await world.at_zoom()]
    await world.app.control("POST", "/users", json={"id": "host-1", "scopes": [*scopes, "meeting:delete:meeting"]})
    world.tokens.host = await world.app.host("host-1")
    await handlers(world).resume_on_zoom_connected(connected())
    await world.work()
    assert len(await world.at_zoom()) == 1


async def test_a_time_that_has_passed_before_zoom_was_told_is_not_announced(world: World):
    session = await world.book()
    await world.work()
    await world.told()
    soon = world.clock.now + timedelta(minutes=10)
    moved = session.model_copy(update={"revision": 2, "starts_at": soon, "ends_at": soon + timedelta(minutes=45)})
    await world.meetings.desire(moved, world.booking(2), world.clock())
    world.clock.advance(minutes=15)
    await world.app.advance(minutes=15)
    await world.work()
    (failed,) = await world.told()
    assert (failed.data.event_type, failed.data.reason.code) == ("meeting.failed.v1", "zoom_rejected")
    assert failed.data.meeting.join_url, "the link still leads to the meeting"


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


async def test_the_end_is_what_is_shown_when_failure_and_end_are_published_together(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    world.tokens.refusal = Refused("zoom_not_connected", "no connection")
    monkeypatch.setattr(world.outbox, "publish_soon", lambda _: None)
    session = await world.book()
    await world.work()
    await world.cancel(session)
    await world.work()
    world.clock.advance(seconds=10)
    await world.outbox.sweep()
    shown, newest = "", 0
    for event in await world.told():
        revision = event.data.meeting_revision if isinstance(event.data, MeetingFailed) else event.data.meeting.revision
        if revision > newest:
            shown, newest = event.data.event_type, revision
    assert shown == "meeting.canceled.v1"


async def test_an_announcement_that_was_left_behind_survives_a_change_of_keys(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(world.outbox, "publish_soon", lambda _: None)
    session = await world.book()
    await world.work()
    stored = await world.meetings.find(session.id)
    assert stored
    agenda = stored["meeting"]["body"]["agenda"].replace(MARKER_KEY.marker(Reference(session.id, 1)), "[ref:older]")
    await world.meetings.collection.update_one({"_id": session.id}, {"$set": {"meeting.body.agenda": agenda}})
    world.clock.advance(seconds=10)
    await world.outbox.sweep()
    assert await world.told_types() == ["meeting.ready.v1"]
