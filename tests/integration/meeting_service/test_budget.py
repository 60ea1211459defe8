"""A host's changes of a day are counted before Zoom is asked, over all replicas, and the last are for what is near."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from pymongo.read_concern import ReadConcern

from convoke import mongo
from convoke.mongo import Database
from meeting_service.ports import Access, Refused
from meeting_service.zoom.budget import CHANGES_A_DAY, RESERVE, DailyBudget, WithinBudget
from tests.integration.meeting_service.conftest import meetings_of
from tests.integration.meeting_service.world import World

FAR = timedelta(days=3)
NEAR = timedelta(hours=23)


def replica(world: World) -> WithinBudget:
    return WithinBudget(world.zoom, budget(world), world.clock)


def budget(world: World) -> DailyBudget:
    return DailyBudget(cast("Database", world.meetings.collection.database), world.clock)


async def use(world: World, changes: int) -> None:
    for _ in range(changes):
        assert await budget(world).take("host-1", CHANGES_A_DAY)


async def access(world: World) -> Access:
    return await world.tokens.to_make("org_1", "host_1")


async def used(world: World) -> list[int]:
    return [document["used"] for document in await counts(world)]


async def counts(world: World) -> list[dict[str, Any]]:
    # Counts are written without waiting for a majority, and read likewise.
    budgets = world.meetings.collection.database["budgets"].with_options(read_concern=ReadConcern("local"))
    return [document async for document in budgets.find().sort("_id", 1)]


def body(world: World, starts_in: timedelta) -> dict[str, Any]:
    start = f"{world.clock() + starts_in:%Y-%m-%dT%H:%M:%SZ}"
    return {"topic": "Intro", "type": 2, "start_time": start, "duration": 30, "timezone": "UTC", "agenda": ""}


async def test_b13_what_is_beyond_the_budget_waits_for_midnight_without_asking_zoom(world: World):
    await use(world, CHANGES_A_DAY)
    await world.book()
    await world.work(replica(world))
    (failed,) = await world.told()
    assert failed.data.reason.code == "zoom_daily_limit"
    assert await world.calls("create_meeting") == 0
    midnight = (world.clock() + timedelta(days=1)).replace(hour=0, minute=0, second=0)
    assert timedelta(0) <= failed.data.reason.retry_at - midnight <= timedelta(seconds=30)
    world.clock.now = failed.data.reason.retry_at
    await world.work(replica(world))
    assert await world.told_types() == ["meeting.ready.v1"]
    assert await used(world) == [CHANGES_A_DAY, 1]


async def test_b13_the_reserve_is_for_what_starts_soon(world: World):
    await use(world, CHANGES_A_DAY - RESERVE)
    with pytest.raises(Refused, match="starts soon"):
        await replica(world).create(await access(world), body(world, FAR))
    assert await world.calls("create_meeting") == 0
    await replica(world).create(await access(world), body(world, NEAR))
    assert await world.calls("create_meeting") == 1


async def test_what_waits_for_midnight_does_not_once_it_is_moved_to_where_the_reserve_is_for_it(world: World):
    await use(world, CHANGES_A_DAY - RESERVE)
    starts_at = world.clock() + FAR
    session = await world.book(starts_at=starts_at, ends_at=starts_at + timedelta(minutes=45))
    await world.work(replica(world))
    still_far = await world.reschedule(session)
    await world.work(replica(world))
    assert set(await world.told_types()) == {"meeting.failed.v1"}
    await world.reschedule(still_far, by=-timedelta(days=2, hours=12))
    await world.work(replica(world))
    assert await world.told_types() == ["meeting.ready.v1"]


async def test_b13_two_replicas_share_one_budget(world: World):
    replicas = [budget(world), budget(world)]
    taken = await asyncio.gather(*(replicas[n % 2].take("host-1", 90) for n in range(CHANGES_A_DAY)))
    assert sum(day is not None for day in taken) == 90
    assert await used(world) == [90]


async def test_the_days_are_those_of_utc_and_hosts_do_not_share_them(world: World):
    world.clock.now = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
    assert await budget(world).take("host-1", 1)
    assert await budget(world).take("host-1", 1) is None
    assert await budget(world).take("host-2", 1)
    world.clock.advance(seconds=1)
    assert await budget(world).take("host-1", 1)


async def test_zooms_own_refusal_ends_the_day_for_that_host(world: World):
    await world.app.fault("create_meeting", "rate_limited_host")
    for _ in range(2):
        with pytest.raises(Refused) as refusal:
            await replica(world).create(await access(world), body(world, NEAR))
        assert refusal.value.cause == "zoom_daily_limit"
    assert await world.calls("create_meeting") == 1


@pytest.mark.parametrize("kind", ["rate_limited_host", "rate_limited_day"])
async def test_a_limit_that_zoom_names_just_after_midnight_is_yesterdays_and_costs_no_day(world: World, kind: str):
    """Zoom's clock is not ours: what waited for midnight may come back before it is midnight there."""
    world.clock.now = datetime(2029, 3, 5, 0, 0, 2, tzinfo=UTC)
    await world.app.fault("create_meeting", kind)
    await world.book()
    await world.work(replica(world))
    world.clock.advance(minutes=2)
    await world.work(replica(world))
    assert await world.told_types() == ["meeting.failed.v1", "meeting.ready.v1"]


async def test_the_accounts_daily_limit_is_not_taken_for_the_hosts(world: World):
    await world.app.fault("create_meeting", "rate_limited_day")
    with pytest.raises(Refused) as refusal:
        await replica(world).create(await access(world), body(world, NEAR))
    assert refusal.value.cause == "zoom_account_limit"
    assert await used(world) == [1]


@pytest.mark.parametrize(
    ("kind", "counted"), [("rate_limited_second", 0), ("status", 1), ("answer_lost", 1), ("down", 1)]
)
async def test_only_what_zoom_surely_did_not_count_is_given_back(world: World, kind: str, counted: int):
    await world.app.fault("create_meeting", kind, **({"status": 400} if kind == "status" else {}))
    with pytest.raises(Exception, match=r"Zoom"):
        await replica(world).create(await access(world), body(world, NEAR))
    assert await used(world) == [counted]


async def test_a_refused_token_counts_for_nobody(world: World):
    await world.app.host("host-1")
    await world.book()
    await world.work(replica(world))
    assert world.tokens.replaced == 1
    assert await used(world) == [1]


async def test_deletes_and_looks_are_free(world: World):
    session = await world.book()
    await world.work(replica(world))
    await world.cancel(session)
    await world.work(replica(world))
    assert await world.at_zoom() == []
    assert await used(world) == [1]


async def test_a_reschedule_costs_one(world: World):
    session = await world.book()
    await world.work(replica(world))
    await world.reschedule(session)
    await world.work(replica(world))
    assert await used(world) == [2]


async def test_counts_expire_after_two_days(world: World, fresh_database: str):
    """In a database of its own, lest MongoDB takes away the counts of other tests."""
    client: Any = world.meetings.collection.database.client
    world.meetings = meetings_of(mongo.database(client, fresh_database))
    await budget(world).create_indexes()
    await use(world, 1)
    assert [document["expires_at"] for document in await counts(world)] == [world.clock() + timedelta(days=2)]
    indexes = await world.meetings.collection.database["budgets"].index_information()
    assert indexes["expiry"]["expireAfterSeconds"] == 0
