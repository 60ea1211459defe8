"""The audit: all sessions ahead compared with Zoom's lists, each difference in words, and repaired on request (B21)."""

import pytest

from meeting_service.ports import Refused
from meeting_service.scan.audit import Audit
from tests.integration.meeting_service.world import World


async def audited(world: World, *, repair: bool = False) -> list[str]:
    audit = Audit(world.scanner(), world.scans, world.meetings)
    return [text for finding in [one async for one in audit.run(None, repair=repair)] for text in finding.differences]


async def test_b21_an_audit_explains_each_difference_changes_nothing_and_repairs_on_request(world: World):
    lost = await world.book()
    await world.work()
    assert await audited(world) == []
    (meeting,) = await world.at_zoom()
    await world.meetings.collection.delete_one({"_id": lost.id})
    world.tokens.refusal = Refused("zoom_reauthorization_required", "no token")
    waits = await world.book(id="ses_that0waits")
    await world.work()
    world.tokens.refusal = None
    for _ in range(2):
        orphan, waiting = await audited(world)
        assert str(meeting["id"]) in orphan
        assert f"session {waits.id} has no meeting as wanted: Zoom no longer accepts" in waiting
    assert len(await audited(world, repair=True)) == 2
    assert await world.at_zoom() == []
    world.clock.advance(hours=2)
    await world.work()
    assert await audited(world) == []


async def test_b21_an_audit_logs_its_one_number(world: World, capsys: pytest.CaptureFixture[str]):
    await world.book()
    assert len(await audited(world)) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "audit.done" in line]
    assert "differences=1" in line


async def test_a_repair_replaces_what_a_session_that_waits_does_not_know_of(world: World):
    session = await world.book()
    backup = await world.meetings.find(session.id)
    assert backup
    await world.work()
    (unclaimed,) = await world.at_zoom()
    await world.meetings.collection.replace_one({"_id": session.id}, backup | {"due_at": None})
    assert len(await audited(world)) == 2
    assert (await world.state(session)).condemned == ()
    await audited(world, repair=True)
    await world.work()
    (meeting,) = await world.at_zoom()
    assert meeting["id"] != unclaimed["id"]
    assert await audited(world) == []
