"""A burst waits for its turns at a Zoom account: no 429, no news of a short wait, and no wait for another account."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from convoke.due_work import Worker
from meeting_service.domain.meeting import DOUBT_LASTS
from meeting_service.ports import Access, AccessTokens, Refused, Zoom
from meeting_service.reconcile.carry_out import INTENT_STORED_WITHIN
from meeting_service.reconcile.reconciler import UNTOLD_WAIT
from meeting_service.reconcile.work import CALL_BUDGET
from meeting_service.zoom.breaker import LOOKED_UP_WITHIN
from meeting_service.zoom.budget import COUNTED_WITHIN
from meeting_service.zoom.client import WITHIN
from meeting_service.zoom.pacing import TURN_WITHIN, Paced
from tests.integration.meeting_service.test_pacing import SPACED, free, look, use_free
from tests.integration.meeting_service.world import OwnClock, World
from tests.support.eventually import eventually

BURST = 8


@dataclass
class RunningClock(OwnClock):
    """Runs like the sandbox's."""

    began: float = field(default_factory=time.monotonic)

    def __call__(self) -> datetime:
        return self.now + timedelta(milliseconds=int(1000 * (time.monotonic() - self.began)))


@dataclass
class Held:
    """A pause that lasts until it is ended; who has a turn later waits in it."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, _: float) -> None:
        await self.ended.wait()


@dataclass
class TokensOfTwo:
    """The AccessTokens port with another account for some organizations; all tokens are good."""

    access: Access
    of_others: dict[str, Access]

    async def to_make(self, organization_id: str, _host_id: str) -> Access:
        return self.of_others.get(organization_id, self.access)

    async def to_change(self, organization_id: str, _connection_id: str) -> Access:
        return self.of_others.get(organization_id, self.access)

    async def to_withdraw(self, organization_id: str, connection_id: str) -> Access:
        return await self.to_change(organization_id, connection_id)

    async def replace_refused(self, _organization_id: str, refused: Access) -> Access:
        return refused


@asynccontextmanager
async def busy(world: World, looks: int) -> AsyncIterator[Paced]:
    """Give a port at which the free account's turns are used up by so many looks, and those beyond are refused."""
    held, access = Held(), await free(world)
    zoom = Paced(world.zoom, world.clock, held)
    under_way = [asyncio.ensure_future(look(zoom, access)) for _ in range(looks)]
    await asyncio.sleep(0)
    world.tokens.host = replace(world.tokens.host, user_id=access.zoom_user_id, access_token=access.token)
    world.tokens.zoom_account_id, world.tokens.plan = access.zoom_account_id, access.plan
    try:
        yield zoom
    finally:
        held.ended.set()
        await asyncio.gather(*under_way, return_exceptions=True)


@asynccontextmanager
async def working(world: World, zoom: Zoom, tokens: AccessTokens | None = None) -> AsyncIterator[None]:
    """Work as the service does, several sessions at once."""
    worker = Worker(world.due(), world.reconciler(zoom, tokens).reconcile, look_every=0.05)
    running = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        await worker.stop(within=5)
        await running


async def test_a_burst_on_a_free_account_gets_no_429_and_nobody_hears_of_the_wait(world: World):
    world = replace(world, clock=RunningClock())
    await use_free(world)
    for number in range(BURST):
        await world.book(id=f"ses_{number}")

    async def all_made() -> bool:
        return len(await world.app.meetings("basic-1")) == BURST

    async with working(world, Paced(world.zoom, world.clock)):
        await eventually(all_made, within=20)
    calls = await world.app.control("GET", "/calls", params={"operation": "create_meeting"})
    assert [call["status"] for call in calls] == [201] * BURST
    await world.outbox.drain()
    assert await world.told_types() == ["meeting.ready.v1"] * BURST


async def test_who_would_wait_long_is_refused_and_each_comes_back_at_a_time_of_its_own(world: World):
    held, access = Held(), await free(world)
    zoom = Paced(world.zoom, world.clock, held)
    looks = [asyncio.ensure_future(look(zoom, access)) for _ in range(6)]
    refusals = await asyncio.gather(*looks[3:], return_exceptions=True)
    held.ended.set()
    await asyncio.gather(*looks[:3], return_exceptions=True)
    told = [(refusal.code, refusal.retry_at) for refusal in refusals if isinstance(refusal, Refused)]
    back_at = [world.clock() + timedelta(seconds=seconds) for seconds in (2.0, 2.5, 3.0)]
    assert told == [("zoom_rate_limited", at) for at in back_at]
    assert await world.calls("get_meeting") == 3


async def test_the_booking_of_another_account_is_served_in_the_middle_of_a_burst(world: World):
    world = replace(world, clock=RunningClock())
    tokens = TokensOfTwo(await free(world), {"org_other": await world.tokens.to_make("org_other", "host_1")})
    for number in range(BURST):
        await world.book(id=f"ses_{number}")
    await world.book(id="ses_other", organization_id="org_other")

    async def other_is_made() -> bool:
        return len(await world.app.meetings("host-1")) == 1

    async with working(world, Paced(world.zoom, world.clock), tokens):
        await eventually(other_is_made)
        assert len(await world.app.meetings("basic-1")) < BURST


async def test_a_short_wait_is_no_failure_and_told_to_nobody(world: World):
    async with busy(world, looks=3) as zoom:
        session = await world.book()
        assert await world.work(zoom) == 1
        state = await world.state(session)
        assert (state.reason, state.failures, state.outcome) == (None, 0, "none")
        assert state.retry_at == world.clock() + timedelta(seconds=2)
        assert await world.work(zoom) == 0
        world.clock.now = state.retry_at
        await world.work(zoom)
        assert await world.told_types() == ["meeting.ready.v1"]


async def test_a_long_wait_is_told_with_its_time(world: World):
    async with busy(world, looks=3 + int(UNTOLD_WAIT.total_seconds() / SPACED)) as zoom:
        await world.book()
        await world.work(zoom)
        (failed,) = await world.told()
        assert (failed.data.event_type, failed.data.reason.code) == ("meeting.failed.v1", "zoom_rate_limited")
        assert failed.data.reason.retry_at - world.clock() > UNTOLD_WAIT
        world.clock.now = failed.data.reason.retry_at
        await world.work(zoom)
        assert await world.told_types() == ["meeting.ready.v1"]


async def test_a_change_of_what_zoom_had_refused_waits_for_its_turn_too(world: World):
    await world.app.fault("create_meeting", "status", status=400)
    session = await world.book()
    await world.work()
    await world.reschedule(session)
    async with busy(world, looks=3) as zoom:
        assert await world.work(zoom) == 1
        state = await world.state(session)
        assert state.retry_at == world.clock() + timedelta(seconds=2)


def test_a_doubt_and_a_lease_outlast_all_that_comes_before_the_answer():
    call = timedelta(seconds=LOOKED_UP_WITHIN + COUNTED_WITHIN + WITHIN) + TURN_WITHIN
    assert INTENT_STORED_WITHIN + call < DOUBT_LASTS
    assert call < CALL_BUDGET
