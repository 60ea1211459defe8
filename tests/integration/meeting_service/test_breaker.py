"""While Zoom is down it is not called but by one probe at a time, over all replicas; and what waits returns spread."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from convoke.contracts import Session, ZoomDisconnected
from convoke.due_work import DueWork
from convoke.messaging.cloudevents import Event
from convoke.mongo import Database
from meeting_service.domain.meeting import DOUBT_LASTS
from meeting_service.ports import Access, InDoubt, MeetingGone, Refused
from meeting_service.zoom.breaker import BACK_AFTER, IN_DOUBT_IN_A_ROW, BehindBreaker
from meeting_service.zoom.budget import DailyBudget, WithinBudget
from meeting_service.zoom.errors import NotAsked
from meeting_service.zoom.outages import LONGEST_PAUSE, Outages
from meeting_service.zoom.probe import LEASE, RETURN_A_SECOND, Prober
from tests.integration.convoke.conftest import sample
from tests.integration.meeting_service.world import World
from tests.support.eventually import eventually


@dataclass(frozen=True)
class Replica:
    """What one process has of the breaker."""

    zoom: BehindBreaker
    prober: Prober
    due: DueWork
    woken: asyncio.Event

    async def probe(self) -> bool:
        """Probe if that is due and nobody else does; tells whether it was."""
        if claim := await self.due.claim():
            await self.prober.probe(claim)
        return claim is not None


def replica(world: World) -> Replica:
    stored = database(world)
    outages = Outages(stored)
    within = WithinBudget(world.zoom, DailyBudget(stored, world.clock), world.clock)
    zoom = BehindBreaker(within, outages, world.clock)
    woken = asyncio.Event()
    prober = Prober(world.zoom, outages, zoom.last_access, world.nudges, woken.set, world.clock)
    return Replica(zoom, prober, DueWork(outages.collection, LEASE, world.clock), woken)


def database(world: World) -> Database:
    return cast("Database", world.meetings.collection.database)


async def access(world: World) -> Access:
    return await world.tokens.to_make("org_1", "host_1")


async def goes_down(world: World) -> str:
    return await world.app.fault("*", "down", times=None)


async def comes_up(world: World, fault: str) -> None:
    await world.app.control("DELETE", f"/faults/{fault}")


async def look(world: World, at: Replica, zoom_id: int) -> str:
    """Look at a meeting, and return the name of what was raised."""
    try:
        await at.zoom.get(await access(world), zoom_id)
    except (InDoubt, Refused, MeetingGone) as error:
        return type(error).__name__
    return "nothing"


async def notices(world: World, at: Replica) -> None:
    """Have a replica find out that Zoom is down."""
    assert {await look(world, at, zoom_id) for zoom_id in range(IN_DOUBT_IN_A_ROW)} == {"InDoubt"}

    async def knows() -> bool:  # what the database was too slow to note is noted after the next failure
        return await look(world, at, 9) == "NotAsked"

    await eventually(knows)


async def outage(world: World) -> dict[str, Any] | None:
    return await database(world)["outages"].find_one({"due_at": {"$ne": None}})


async def retry_times(world: World) -> list[datetime]:
    return sorted([document["retry_at"] async for document in world.meetings.collection.find()])


async def book(world: World, count: int) -> list[Session]:
    return [await world.book(id=f"ses_{n}") for n in range(count)]


async def test_three_meetings_in_doubt_in_a_row_open_it(world: World):
    await goes_down(world)
    one = replica(world)
    for _ in range(IN_DOUBT_IN_A_ROW):
        assert await look(world, one, 1) == "InDoubt"  # one meeting alone may be the reason
    assert await look(world, one, 2) == "InDoubt"
    assert await outage(world) is None
    assert await look(world, one, 3) == "InDoubt"
    calls = await world.calls("get_meeting")
    assert await look(world, one, 4) == "NotAsked"
    assert await world.calls("get_meeting") == calls


@pytest.mark.parametrize("answer", ["MeetingGone", "nothing"])
async def test_any_answer_in_between_shows_that_zoom_is_up(world: World, answer: str):
    one, made = replica(world), await world.tokens.host.create()
    for zoom_id in range(1, 2 * IN_DOUBT_IN_A_ROW):
        await world.app.fault("get_meeting", "status", status=503)
        assert await look(world, one, zoom_id) == "InDoubt"
        assert await look(world, one, made["id"] if answer == "nothing" else zoom_id) == answer
    assert await outage(world) is None


async def test_what_we_refuse_ourselves_is_no_answer_of_zoom(world: World):
    one, budget = replica(world), DailyBudget(database(world), world.clock)
    day = await budget.take("host-1", 1)
    assert day
    await budget.fill(day)
    await goes_down(world)
    body = {"agenda": "", "start_time": f"{world.clock():%Y-%m-%dT%H:%M:%SZ}"}
    for zoom_id in range(IN_DOUBT_IN_A_ROW):
        assert await look(world, one, zoom_id) == "InDoubt"
        with pytest.raises(NotAsked):
            await one.zoom.create(await access(world), body)
    assert await look(world, one, 9) == "NotAsked"


async def test_one_refused_connection_opens_it(world: World):
    one, nowhere = replica(world), replace(await access(world), api_url="http://127.0.0.1:9")
    with pytest.raises(Refused, match="cannot be reached"):
        await one.zoom.get(nowhere, 1)
    with pytest.raises(NotAsked, match="Zoom is down"):
        await one.zoom.get(nowhere, 1)
    assert await look(world, one, 1) == "MeetingGone"  # another address of Zoom's


async def test_while_it_is_open_a_booking_is_told_at_once_and_costs_nothing(world: World):
    one = replica(world)
    await goes_down(world)
    await notices(world, one)
    session = await world.book()
    await world.work(one.zoom)
    (failed,) = await world.told()
    assert failed.data.reason.code == "zoom_unavailable"
    assert timedelta(0) < failed.data.reason.retry_at - world.clock() < 2 * BACK_AFTER
    assert (await world.state(session)).intent is None  # nothing was sent, so nothing is in doubt
    assert await world.calls("create_meeting") == 0
    assert await database(world)["budgets"].count_documents({}) == 0


async def test_the_database_is_not_asked_while_it_is_closed(world: World):
    one, asked = replica(world), []

    async def next_probe(api_url: str) -> None:
        asked.append(api_url)

    one.zoom.outages.next_probe = next_probe  # type: ignore[method-assign]
    assert await look(world, one, 1) == "MeetingGone"
    await world.app.fault("get_meeting", "down")
    assert await look(world, one, 1) == "InDoubt"
    assert await look(world, one, 1) == "MeetingGone"
    assert asked == []


async def test_of_two_replicas_one_probes(world: World):
    replicas = [replica(world), replica(world)]
    await goes_down(world)
    for each in replicas:
        await notices(world, each)
    calls = await world.calls("get_meeting")
    assert [await each.probe() for each in replicas] == [False, False]  # not yet
    world.clock.advance(seconds=2)
    assert [await each.probe() for each in replicas] == [True, False]
    assert await world.calls("get_meeting") == calls + 1
    assert await world.calls("create_meeting") == 0


async def test_the_pauses_between_probes_double_up_to_half_a_minute(world: World):
    one = replica(world)
    await goes_down(world)
    await notices(world, one)
    pauses = []
    for _ in range(8):
        found = await outage(world)
        assert found
        pauses.append((found["due_at"] - world.clock()).total_seconds())
        world.clock.now = found["due_at"] + timedelta(milliseconds=1)
        assert await one.probe()
    for planned, paused in zip([1, 2, 4, 8, 16, 30, 30, 30], pauses, strict=True):
        assert 0.79 * planned <= paused <= 1.21 * planned
    assert LONGEST_PAUSE.total_seconds() == 30


async def test_each_replica_notices_that_another_ones_probe_was_answered(world: World):
    one, two = replica(world), replica(world)
    fault = await goes_down(world)
    await notices(world, one)
    await notices(world, two)
    await comes_up(world, fault)
    assert await look(world, two, 1) == "NotAsked"
    world.clock.advance(seconds=2)
    assert await one.probe()
    assert await outage(world) is None
    assert [await look(world, each, 1) for each in (one, two)] == ["MeetingGone", "MeetingGone"]


async def test_a_replica_that_was_started_since_cannot_probe_and_lets_calls_show(world: World):
    one, fresh = replica(world), replica(world)
    await goes_down(world)
    await notices(world, one)
    world.clock.advance(seconds=2)
    calls = await world.calls("get_meeting")
    assert await fresh.probe()
    assert await world.calls("get_meeting") == calls
    await notices(world, one)
    assert await world.calls("get_meeting") == calls + IN_DOUBT_IN_A_ROW


async def test_what_waits_returns_soon_but_not_all_at_once(world: World):
    await world.app.turn(rate_limits=False)
    one, fault = replica(world), await goes_down(world)
    await notices(world, one)
    world.clock.advance(minutes=2)  # the probe is late, so that nothing is due by itself soon
    await book(world, 60)
    await world.work(one.zoom)
    await comes_up(world, fault)
    before = await retry_times(world)
    assert await one.probe()
    assert one.woken.is_set()
    times, now = await retry_times(world), world.clock()
    late = [at for at in before if at > now + DOUBT_LASTS]
    assert len(late) > 20
    within = timedelta(seconds=len(late) / RETURN_A_SECOND)
    hastened = times[: len(late)]
    assert now <= hastened[0] < hastened[-1] <= now + within
    assert hastened[-1] - hastened[0] > within / 3
    world.clock.advance(seconds=DOUBT_LASTS.total_seconds())
    await world.work(one.zoom)
    assert len(await world.at_zoom()) == 60


async def test_what_is_in_doubt_is_not_hastened(world: World):
    one = replica(world)
    sessions = await book(world, IN_DOUBT_IN_A_ROW)
    fault = await world.app.fault("create_meeting", "answer_lost", times=None)
    await world.work(one.zoom)
    assert await outage(world)
    await comes_up(world, fault)
    in_doubt = await retry_times(world)
    world.clock.advance(seconds=2)
    assert await one.probe()
    assert await retry_times(world) == in_doubt
    world.clock.advance(seconds=DOUBT_LASTS.total_seconds())
    await world.work(one.zoom)
    assert len(await world.at_zoom()) == len(sessions) == await world.calls("create_meeting")


async def test_the_probe_of_a_replica_that_died_is_made_by_another(world: World):
    one, two = replica(world), replica(world)
    await goes_down(world)
    await notices(world, one)
    await notices(world, two)
    world.clock.advance(seconds=2)
    assert await one.due.claim()  # and dies
    assert not await two.probe()
    world.clock.advance(seconds=LEASE.total_seconds())
    assert await two.probe()


async def test_nobody_probes_with_a_token_of_a_connection_that_was_ended_during_the_outage(world: World):
    one = replica(world)
    await goes_down(world)
    await notices(world, one)
    calls = await world.calls("get_meeting")
    event: Event[ZoomDisconnected] = sample("zoom.disconnected.v1")
    ended = event.data.connection.model_copy(update={"id": (await access(world)).connection_id})
    data = event.data.model_copy(update={"connection": ended})
    await world.handlers(one.zoom.forget).drop_tokens(replace(event, data=data))
    world.clock.advance(minutes=1)
    assert await one.probe()
    assert await world.calls("get_meeting") == calls
    assert await outage(world) is None, "the next call, with a token of another one, shows how Zoom is"
