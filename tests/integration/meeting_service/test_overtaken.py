"""Whoever is frozen past a lease, or is answered too late, undoes nothing that another replica did meanwhile."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from meeting_service.ports import Access, FoundMeeting, Zoom
from tests.integration.meeting_service.world import World, at

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
