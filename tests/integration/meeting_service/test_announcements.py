"""What bookings are told of a meeting is true when it is told, comes in order, and outlives a change of keys."""

from datetime import timedelta

import pytest

from convoke.contracts import MeetingFailed
from meeting_service.domain.marker import Reference
from meeting_service.ports import Refused
from tests.integration.meeting_service.world import MARKER_KEY, World


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
