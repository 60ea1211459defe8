"""The calls of a Zoom account are spaced as its plan allows, each kind of call by what it costs."""

import contextlib
from dataclasses import dataclass, field, replace

import pytest

from meeting_service.ports import EVER, Access, MeetingGone, Refused, Zoom
from meeting_service.zoom.client import PAGE_SIZE
from meeting_service.zoom.pacing import SLOWED_FOR, Paced
from tests.integration.meeting_service.world import World

SPACED = 0.5
"""Seconds between two light calls of a free account."""


@dataclass
class PassingTime:
    """A pause in which our clock and the sandbox's are moved on; `seconds` are the pauses so far."""

    world: World
    seconds: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.world.clock.advance(seconds=seconds)
        await self.world.app.advance(seconds=seconds)


async def free(world: World) -> Access:
    host = await world.app.host("basic-1")
    api_url = str(host.http.base_url).rstrip("/")
    return Access("zcn_free", host.user_id, host.access_token, api_url, EVER, "account-free", "basic")


async def use_free(world: World) -> None:
    world.tokens.host = await world.app.host("basic-1")
    world.tokens.zoom_account_id, world.tokens.plan = "account-free", "basic"


async def look(zoom: Zoom, access: Access) -> None:
    with contextlib.suppress(MeetingGone):
        await zoom.get(access, 1)


async def list_all(zoom: Zoom, access: Access) -> int:
    return len([meeting async for meeting in zoom.scheduled(access)])


@pytest.mark.parametrize(
    ("plan", "between_looks", "between_lists"),
    [
        ("basic", SPACED, 1.0),
        ("unassigned", SPACED, 1.0),
        ("unknown", SPACED, 1.0),
        ("of next year", SPACED, 1.0),
        ("licensed", 0.067, 0.1),
    ],
)
async def test_the_plan_decides_and_one_that_is_not_known_is_paced_like_a_free_one(
    world: World, plan: str, between_looks: float, between_lists: float
):
    access, pause = replace(await free(world), plan=plan), PassingTime(world)
    zoom = Paced(world.zoom, world.clock, pause)
    await look(zoom, access)
    await list_all(zoom, access)
    assert pause.seconds == []
    await look(zoom, access)
    assert pause.seconds == [between_looks]
    await list_all(zoom, access)
    assert sum(pause.seconds) == pytest.approx(between_lists)


async def test_accounts_do_not_wait_for_each_other_but_connections_of_one_do(world: World):
    first, pause = await free(world), PassingTime(world)
    zoom = Paced(world.zoom, world.clock, pause)
    await look(zoom, first)
    await look(zoom, replace(first, zoom_account_id="another"))
    assert pause.seconds == []
    await look(zoom, replace(first, connection_id="zcn_other"))
    assert pause.seconds == [SPACED]


async def test_an_account_that_is_not_known_is_paced_by_its_connection(world: World):
    first, pause = replace(await free(world), zoom_account_id=""), PassingTime(world)
    zoom = Paced(world.zoom, world.clock, pause)
    await look(zoom, first)
    await look(zoom, replace(first, connection_id="zcn_other"))
    assert pause.seconds == []
    await look(zoom, first)
    assert pause.seconds == [SPACED]


async def test_a_basic_user_of_a_paid_account_slows_none_of_its_licensed_users(world: World):
    basic, pause = await free(world), PassingTime(world)
    zoom = Paced(world.zoom, world.clock, pause)
    await look(zoom, basic)
    await look(zoom, replace(basic, plan="licensed"))
    assert pause.seconds == []


async def test_an_update_and_its_look_have_one_turn_of_two_calls(world: World):
    access, pause = await free(world), PassingTime(world)
    zoom = Paced(world.zoom, world.clock, pause)
    made = await (await world.app.host("basic-1")).create()
    access = replace(access, token=(await world.app.host("basic-1")).access_token)
    await zoom.update(access, made["id"], {"topic": "Another"})
    await zoom.get(access, made["id"])
    assert pause.seconds == []
    await zoom.get(access, made["id"])
    assert pause.seconds == [2 * SPACED]


async def test_each_page_of_a_list_is_a_call(world: World):
    await use_free(world)
    await world.app.turn(rate_limits=False, host_daily_limit=None)
    for _ in range(PAGE_SIZE + 1):
        await world.tokens.host.create()
    await world.app.turn(rate_limits=True)
    pause = PassingTime(world)
    access = await world.tokens.to_make("org_1", "host_1")
    assert await list_all(Paced(world.zoom, world.clock, pause), access) == PAGE_SIZE + 1
    assert pause.seconds == [1.0]


async def test_after_a_429_all_the_same_the_pace_is_halved_for_some_seconds(world: World):
    access, pause = await free(world), PassingTime(world)
    zoom = Paced(world.zoom, world.clock, pause)
    await world.app.fault("get_meeting", "rate_limited_second")
    with pytest.raises(Refused, match="Zoom said"):
        await look(zoom, access)
    await look(zoom, access)
    await look(zoom, access)
    assert pause.seconds == [SPACED, 2 * SPACED]
    await PassingTime(world)(SLOWED_FOR.total_seconds())
    await look(zoom, access)
    await look(zoom, access)
    assert pause.seconds[2:] == [SPACED]
