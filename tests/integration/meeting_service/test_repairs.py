"""First the plan, then having it done: on request, as often as one likes, and nothing else."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from convoke.contracts import Session
from convoke.mongo import Document
from meeting_service.auth import CACHED_FOR
from meeting_service.domain.connections import Connection, Connections
from meeting_service.domain.repairs import RepairPlan
from meeting_service.ports import Refused
from meeting_service.repairs import Repairs, Scope
from tests.integration.meeting_service.world import MARKER_KEY, World

PEOPLE = 2


@dataclass(frozen=True)
class Standing:
    """The Connected port over one connection; tests/integration/auth_service/test_standings.py holds the real one."""

    connection: Connection

    async def of(self, _organization_id: str) -> Connections:
        return Connections([self.connection])


def connection(world: World) -> Connection:
    return Connection("zcn_1", None, "host-1", world.tokens.connected_since)


def repairs(world: World, connected: Connection | None = None) -> Repairs:
    return Repairs(
        world.meetings,
        world.nudges,
        Standing(connected or connection(world)),
        MARKER_KEY,
        clock=world.clock,
        wake=lambda: None,
    )


def scope(session: Session) -> Scope:
    return Scope(session.organization_id)


async def book_earlier(world: World) -> Session:
    """Book, and connect Zoom for the first time an hour later."""
    world.tokens.refusal = Refused("zoom_never_connected", "Its owner must connect Zoom.")
    session = await world.book()
    await world.work()
    world.clock.advance(hours=1)
    world.tokens.refusal, world.tokens.connected_since = None, world.clock()
    return session


async def book_another(world: World, number: int) -> Session:
    session = world.session(id=f"ses_{number}")
    await world.meetings.desire(session, world.booking(id=f"bkg_{number}"), world.clock())
    return session


async def test_f50_b2_earlier_bookings_get_their_links_on_request_and_no_others(world: World):
    session = await book_earlier(world)
    assert await repairs(world).plan(scope(session)) == RepairPlan(earlier_links=1, people_to_mail_about_earlier=PEOPLE)
    begun = await repairs(world).run(scope(session), include_earlier=False)
    assert (begun.nudged, begun.included) == (0, 0)
    await world.work()
    assert await world.at_zoom() == []
    begun = await repairs(world).run(scope(session), include_earlier=True)
    assert (begun.nudged, begun.included) == (1, 1)
    await world.work()
    assert len(await world.at_zoom()) == 1
    assert (await world.told_types())[-1] == "meeting.ready.v1"


async def test_running_again_finds_nothing_left_to_do(world: World):
    session = await book_earlier(world)
    for _ in range(2):
        await repairs(world).run(scope(session), include_earlier=True)
    await world.work()
    again = await repairs(world).run(scope(session), include_earlier=True)
    assert (again.plan, again.nudged) == (RepairPlan(), 0)
    assert await world.work() == 0
    assert len(await world.at_zoom()) == 1


async def test_what_is_included_while_zoom_is_disconnected_is_made_on_connecting(world: World):
    session = await book_earlier(world)
    world.tokens.refusal = Refused("zoom_not_connected", "Its owner must connect Zoom again.")
    broken = replace(connection(world), lacks="zoom_not_connected")
    await repairs(world, broken).run(scope(session), include_earlier=True)
    await world.work()
    world.tokens.refusal = None
    await repairs(world).run(scope(session), include_earlier=False)
    await world.work()
    assert len(await world.at_zoom()) == 1


async def test_b1_what_was_planned_is_what_is_done(world: World):
    """One of each, all owed through a broken connection."""
    to_move, to_cancel = [await book_another(world, number) for number in range(2)]
    await world.work()
    world.tokens.refusal = Refused("zoom_reauthorization_required", "Zoom refused the token")
    added = await book_another(world, 2)
    moved = to_move.model_copy(update={"revision": 2, "starts_at": to_move.starts_at + timedelta(minutes=15)})
    await world.meetings.desire(moved, world.booking(2, id="bkg_0"), world.clock())
    gone = to_cancel.model_copy(update={"revision": 2, "status": "canceled", "seats_taken": 0})
    await world.meetings.desire(gone, world.booking(2, id="bkg_1", status="canceled"), world.clock())
    await world.work()
    broken = replace(connection(world), lacks="zoom_reauthorization_required")
    expected = RepairPlan(
        links_to_add=1,
        times_to_fix=1,
        meetings_to_delete=1,
        people_to_mail=PEOPLE,
        lacking={"zoom_reauthorization_required": 3},
    )
    assert await repairs(world, broken).plan(scope(added)) == expected
    world.tokens.refusal = None
    calls = {name: await world.calls(name) for name in ("create_meeting", "update_meeting", "delete_meeting")}
    begun = await repairs(world).run(scope(added), include_earlier=False)
    assert (begun.plan, begun.nudged) == (replace(expected, lacking={}), 3)
    await world.work()
    assert [await world.calls(name) - before for name, before in calls.items()] == [1, 1, 1]
    assert await repairs(world).plan(scope(added)) == RepairPlan()


async def test_links_that_another_zoom_users_connecting_did_not_replace_are_replaced(world: World):
    """The message that would have had them looked at never came."""
    session = await world.book()
    await world.work()
    world.tokens.host = await world.app.host("host-2")
    another = replace(connection(world), zoom_user_id="host-2")
    begun = await repairs(world, another).run(scope(session), include_earlier=False)
    assert begun.plan == RepairPlan(links_to_replace=1, meetings_left_behind=1, people_to_mail=PEOPLE)
    await world.work()
    world.clock.advance(seconds=CACHED_FOR)
    await world.work()
    meeting = (await world.state(session)).meeting
    assert meeting is not None
    assert meeting.zoom_user_id == "host-2"
    again = await repairs(world, another).run(scope(session), include_earlier=False)
    assert (again.plan, again.nudged) == (RepairPlan(meetings_left_behind=1), 0)


async def test_a_plan_changes_nothing(world: World):
    session = await book_earlier(world)
    before = await but_for_the_outbox(world, session)
    await repairs(world).plan(scope(session))
    assert await but_for_the_outbox(world, session) == before


async def but_for_the_outbox(world: World, session: Session) -> Document:
    """Return what is stored of a session; what is to be told of it may be published meanwhile."""
    found = await world.meetings.find(session.id)
    assert found
    return found | {"outbox": None, "published": None}


async def test_what_is_parked_for_the_day_is_told_and_left_alone(world: World):
    await world.app.fault("create_meeting", "rate_limited_host")
    session = await world.book()
    await world.work()
    begun = await repairs(world).run(scope(session), include_earlier=True)
    assert (begun.plan, begun.nudged) == (RepairPlan(parked={"zoom_daily_limit": 1}), 0)
    assert await world.work() == 0


@pytest.mark.parametrize(("host_id", "planned"), [(None, 1), ("hst_another", 0)])
async def test_a_plan_is_for_one_organization_or_one_of_its_hosts(world: World, host_id: str | None, planned: int):
    session = await world.book()
    assert (await repairs(world).plan(Scope(session.organization_id, host_id))).links_to_add == planned
    assert (await repairs(world).plan(Scope("org_another", host_id))).links_to_add == 0
    assert (await repairs(world).plan(Scope(session.organization_id, session.host.id))).links_to_add == 1


async def test_a_past_session_is_no_part_of_it(world: World):
    session = await book_earlier(world)
    world.clock.advance(days=3)
    assert await repairs(world).plan(scope(session)) == RepairPlan()
    assert (await repairs(world).run(scope(session), include_earlier=True)).nudged == 0
