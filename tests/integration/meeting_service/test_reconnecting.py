"""What is owed to Zoom survives a broken connection, whatever it is and whatever it waits for, and is carried out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from convoke.contracts import Session, ZoomConnected
from convoke.contracts.meetings import FailureCode
from convoke.messaging.cloudevents import Event
from meeting_service.domain.reasons import WAITS_FOR_PEOPLE
from meeting_service.ports import Access, Refused
from tests.integration.meeting_service.test_failures import connected, handlers
from tests.integration.meeting_service.test_overtaken import Interrupted
from tests.integration.meeting_service.world import TokensOfHost, World, at

Owing = Callable[[World], Awaitable[Session]]


def break_connection(world: World, code: FailureCode = "zoom_reauthorization_required") -> None:
    world.tokens.refusal = Refused(code, "until somebody mends it")


def mend_connection(world: World) -> None:
    world.tokens.refusal = None


def connected_after(previous: str | None) -> Event[ZoomConnected]:
    event = connected()
    return replace(event, data=event.data.model_copy(update={"previous_zoom_user_id": previous}))


async def a_create(world: World) -> Session:
    return await world.book()


async def a_create_in_doubt(world: World) -> Session:
    mend_connection(world)
    await world.app.fault("create_meeting", "answer_lost")
    session = await world.book()
    await world.work()
    world.clock.advance(seconds=16)
    return session


async def an_update(world: World) -> Session:
    mend_connection(world)
    session = await world.book()
    await world.work()
    return await world.reschedule(session)


async def a_delete(world: World) -> Session:
    mend_connection(world)
    session = await world.book()
    await world.work()
    return await world.cancel(session)


async def a_twin_to_delete(world: World) -> Session:
    session = await a_create_in_doubt(world)
    (first,) = await world.at_zoom()
    await world.tokens.host.create(**{name: first[name] for name in ("agenda", "start_time", "duration")})
    await world.app.fault("delete_meeting", "status", status=400)
    await world.work()
    return session


OWED = pytest.mark.parametrize("owing", [a_create, a_create_in_doubt, an_update, a_delete, a_twin_to_delete])


async def nothing_is_owed(world: World, session: Session) -> bool:
    """Tell whether Zoom has exactly what the booking wants, and we know it."""
    state = await world.state(session)
    wanted = [at(session)] if session.status == "scheduled" else []
    is_settled = not (state.intent or state.condemned or state.reason) and bool(state.meeting) == bool(wanted)
    return is_settled and [(meeting["start_time"], meeting["duration"]) for meeting in await world.at_zoom()] == wanted


@OWED
@pytest.mark.parametrize("code", sorted(WAITS_FOR_PEOPLE))
async def test_whatever_is_owed_and_whatever_it_waits_for_it_is_carried_out_on_connecting(
    world: World, owing: Owing, code: FailureCode
):
    session = await owing(world)
    break_connection(world, code)
    await world.work()
    assert not await nothing_is_owed(world, session)
    mend_connection(world)
    assert await world.work() == 0
    await handlers(world).resume_on_zoom_connected(connected())
    await world.work()
    assert await nothing_is_owed(world, session)


@OWED
async def test_an_hour_makes_up_for_a_nudge_that_never_came(world: World, owing: Owing):
    session = await owing(world)
    break_connection(world)
    await world.work()
    mend_connection(world)
    world.clock.advance(minutes=59)
    assert await world.work() == 0
    world.clock.advance(minutes=1)
    await world.work()
    assert await nothing_is_owed(world, session)


async def test_what_backs_off_while_zoom_is_silent_goes_on_soon_after_connecting(world: World):
    break_connection(world, "zoom_unavailable")
    session = await world.book()
    for _ in range(12):
        await world.work()
        world.clock.advance(minutes=2)
    await world.work()
    mend_connection(world)
    await world.meetings.collection.update_one({}, {"$set": {"retry_at": world.clock().replace(year=2100)}})
    await handlers(world).resume_on_zoom_connected(connected())
    world.clock.advance(seconds=15)
    await world.work()
    assert await nothing_is_owed(world, session)


async def test_connecting_lets_nothing_overtake_an_update_in_doubt(world: World):
    session = await an_update(world)
    await world.app.fault("update_meeting", "answer_lost")
    await world.work()
    await world.meetings.collection.update_one(
        {}, {"$set": {"condemned": [{"id": 1, "connection_id": "zcn_1", "zoom_user_id": "host-1"}]}}
    )
    moved = await world.reschedule(session)
    await handlers(world).resume_on_zoom_connected(connected())
    await world.work()
    assert await world.calls("update_meeting") == 1
    world.clock.advance(seconds=15)
    await world.work()
    assert await nothing_is_owed(world, moved)


async def test_another_zoom_user_who_is_connected_while_the_limit_is_told_is_not_held_to_it_either(world: World):
    await world.app.fault("create_meeting", "rate_limited_host")
    await world.book()

    async def another_user_connects() -> None:
        if world.tokens.host.user_id == "host-1":
            world.tokens.host = await world.app.host("host-2")
            await handlers(world).resume_on_zoom_connected(connected_after("host-1"))

    await world.work(Interrupted(world.zoom, "create", another_user_connects))
    assert len(await world.app.meetings("host-2")) == 1


async def test_another_zoom_user_is_not_held_to_the_first_ones_daily_limit(world: World):
    await world.app.fault("create_meeting", "rate_limited_host")
    session = await world.book()
    await world.work()
    await handlers(world).resume_on_zoom_connected(connected_after(None))
    assert await world.work() == 0
    world.tokens.host = await world.app.host("host-2")
    await handlers(world).resume_on_zoom_connected(connected_after("host-1"))
    await world.work()
    meeting = (await world.state(session)).meeting
    assert meeting is not None
    assert meeting.zoom_user_id == "host-2"


@dataclass
class TokensKeptOfALeftOne(TokensOfHost):
    """What is kept says that the connection is being left; its owner has connected again since."""

    async def to_change(self, organization_id: str, connection_id: str) -> Access:
        return replace(await super().to_change(organization_id, connection_id), is_left=True)

    async def to_withdraw(self, organization_id: str, connection_id: str) -> Access:
        return await super().to_change(organization_id, connection_id)


async def test_f67_a_mark_that_is_set_after_the_owner_has_connected_again_deletes_nothing(world: World):
    session = await world.book()
    await world.work()
    [meeting] = await world.at_zoom()
    late = {"leaving": meeting["id"], "due_at": world.clock()}  # as Endings.withdraw leaves it
    await world.meetings.collection.update_one({"_id": session.id}, {"$set": late, "$inc": {"wakes": 1}})
    world.tokens = TokensKeptOfALeftOne(world.app, world.tokens.host)
    await world.work()
    assert [left["id"] for left in await world.at_zoom()] == [meeting["id"]]
    assert (await world.state(session)).leaving is None
