"""Due work is claimed by one worker at a time, in the order in which it is due, and never lost with its worker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from pymongo.errors import AutoReconnect

from convoke import due_work
from convoke.clock import utc_now
from convoke.due_work import Claim, DueWork, Worker
from convoke.mongo import Collection
from tests.support.eventually import eventually

LEASE = timedelta(seconds=60)


class Clock:
    def __init__(self) -> None:
        self.now = utc_now()
        self.broken = False
        self.asked = 0

    def __call__(self) -> datetime:
        self.asked += 1
        if self.broken:
            raise OSError("the clock is broken")
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def due(collection: Collection, clock: Clock) -> DueWork:
    due = DueWork(collection, LEASE, clock)
    await due.create_indexes()
    return due


async def owe(collection: Collection, clock: Clock, *ages: float) -> None:
    """Make a document per age: it has been due for so many seconds."""
    await collection.insert_many(
        {"_id": number, "due_at": clock.now - timedelta(seconds=age)} for number, age in enumerate(ages)
    )


async def test_fifty_that_claim_at_once_get_each_document_once(due: DueWork, collection: Collection, clock: Clock):
    await owe(collection, clock, *range(20))
    claims = [claim for claim in await asyncio.gather(*(due.claim() for _ in range(50))) if claim]
    assert sorted(claim.document["_id"] for claim in claims) == list(range(20))
    assert len({claim.owner for claim in claims}) == 20


async def test_what_is_due_longest_is_claimed_first(due: DueWork, collection: Collection, clock: Clock):
    await owe(collection, clock, 1, 30, 5)
    claims = [await due.claim() for _ in range(3)]
    assert [claim.document["_id"] for claim in claims if claim] == [1, 2, 0]


async def test_what_is_not_due_has_no_due_time_or_is_leased_is_not_claimed(
    due: DueWork, collection: Collection, clock: Clock
):
    leased = {"owner": "somebody", "until": clock.now + timedelta(seconds=1)}
    await collection.insert_many(
        [
            {"due_at": clock.now + timedelta(seconds=1)},
            {"due_at": None},
            {"title": "asks for nothing"},
            {"due_at": clock.now, "lease": leased},
        ]
    )
    assert await due.claim() is None
    clock.now += timedelta(seconds=1)
    assert await due.claim()
    assert await due.claim()
    assert await due.claim() is None


async def test_an_ended_lease_is_claimed_by_another_and_fences_the_first(
    due: DueWork, collection: Collection, clock: Clock
):
    await owe(collection, clock, 0)
    first = await due.claim()
    assert first
    assert first.until == first.document["lease"]["until"] == clock.now + LEASE
    assert await due.claim() is None
    clock.now += LEASE
    second = await due.claim()
    assert second
    result = {"$set": {"done": True}, "$unset": {"due_at": "", "lease": ""}}
    assert (await collection.update_one(first.still_ours, result)).matched_count == 0
    assert (await collection.update_one(second.still_ours, result)).matched_count == 1
    assert await due.claim() is None


async def test_two_kinds_of_work_of_one_document_are_claimed_apart(due: DueWork, collection: Collection, clock: Clock):
    checks = DueWork(collection, LEASE, clock, kind="check")
    await checks.create_indexes()
    await collection.insert_one({"due_at": clock.now, "check": {"due_at": clock.now}})
    first, second = await due.claim(), await checks.claim()
    assert first
    assert second
    assert await due.claim() is None
    assert await checks.claim() is None
    done = {"$unset": {"check.due_at": "", "check.lease": ""}}
    assert (await collection.update_one(second.still_ours, done)).matched_count == 1
    assert (await collection.update_one(first.still_ours, {"$set": {"done": True}})).matched_count == 1


@asynccontextmanager
async def working(
    due: DueWork, work: Callable[[Claim], Awaitable[None]], *, concurrency: int = 16
) -> AsyncIterator[Worker]:
    worker = Worker(due, work, concurrency=concurrency)
    running = asyncio.create_task(worker.run())
    yield worker
    await worker.stop(5)
    async with asyncio.timeout(5):
        await running


async def test_a_nudge_makes_the_worker_look_at_once(
    due: DueWork, collection: Collection, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(due_work, "LOOK_EVERY", 60)
    done: list[int] = []

    async def work(claim: Claim) -> None:
        await collection.delete_one(claim.still_ours)
        done.append(claim.document["_id"])

    async with working(due, work) as worker:
        for number in range(5):
            await collection.insert_one({"_id": number, "due_at": clock.now})
            worker.nudge()
            await eventually(lambda: done == list(range(number + 1)), within=2)  # noqa: B023 - awaited at once


async def test_without_a_nudge_the_worker_looks_by_itself(due: DueWork, collection: Collection, clock: Clock):
    done = asyncio.Event()

    async def work(_: Claim) -> None:
        done.set()

    async with working(due, work), asyncio.timeout(3 * due_work.LOOK_EVERY):
        await collection.insert_one({"due_at": clock.now})
        await done.wait()


async def test_what_is_known_to_be_due_later_is_worked_on_then(collection: Collection, monkeypatch: pytest.MonkeyPatch):
    """Twice: what was there at the first look, and what the work itself puts off."""
    monkeypatch.setattr(due_work, "LOOK_EVERY", 60)
    due, times = DueWork(collection, LEASE), [utc_now() + timedelta(seconds=seconds) for seconds in (0.3, 0.6)]
    await collection.insert_one({"_id": 1, "due_at": times[0]})
    done: list[datetime] = []

    async def work(claim: Claim) -> None:
        done.append(utc_now())
        again = {"due_at": times[1]} if len(done) == 1 else {"due_at": None}
        await collection.update_one(claim.still_ours, {"$set": again | {"lease": None}})

    async with working(due, work):
        await eventually(lambda: len(done) == 2, within=5)
    assert [at >= due_at for at, due_at in zip(done, times, strict=True)] == [True, True]


async def test_how_soon_something_is_due_is_told_of_what_is_free(due: DueWork, collection: Collection, clock: Clock):
    """Nested work alike; what is leased comes back with its lease, and what is due already is looked for soon."""
    checks = DueWork(collection, LEASE, clock, kind="check")
    in_9, in_3 = clock.now + timedelta(seconds=9), clock.now + timedelta(seconds=3)
    assert await due.due_in(5) == 5
    await collection.insert_many(
        [
            {"due_at": in_9, "check": {"due_at": in_3}},
            {"due_at": clock.now, "lease": {"owner": "somebody", "until": in_3}},
            {"due_at": None},
        ]
    )
    assert await due.due_in(5) == 5
    assert await due.due_in(20) == pytest.approx(9, abs=0.001)
    assert await checks.due_in(5) == pytest.approx(3, abs=0.001)
    clock.now += timedelta(seconds=3)
    assert await due.due_in(5) == await checks.due_in(5) == 0


@pytest.mark.parametrize("error", [KeyError("a defect"), AutoReconnect("no primary")])
async def test_a_worker_survives_what_goes_wrong_and_leaves_the_document_to_its_lease(
    due: DueWork, collection: Collection, clock: Clock, error: Exception
):
    await owe(collection, clock, *range(6))
    seen: list[int] = []

    async def fail(claim: Claim) -> None:
        seen.append(claim.document["_id"])
        raise error

    async with working(due, fail, concurrency=2):
        await eventually(lambda: len(seen) == 6)
    assert await collection.count_documents({"lease.until": clock.now + LEASE, "due_at": {"$exists": True}}) == 6


async def test_a_worker_survives_a_claim_that_fails(
    due: DueWork, collection: Collection, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(due_work, "LOOK_EVERY", 0.02)
    await owe(collection, clock, 0)
    done = asyncio.Event()
    clock.broken = True

    async def work(_: Claim) -> None:
        done.set()

    async with working(due, work), asyncio.timeout(5):
        await eventually(lambda: clock.asked >= 3)
        assert not done.is_set()
        clock.broken = False
        await done.wait()


async def test_no_more_is_worked_on_at_once_than_is_allowed(due: DueWork, collection: Collection, clock: Clock):
    await owe(collection, clock, *range(12))
    at_once = most = done = 0
    three_at_once = asyncio.Event()

    async def work(_: Claim) -> None:
        nonlocal at_once, most, done
        at_once += 1
        most = max(most, at_once)
        if at_once == 3:
            three_at_once.set()
        await three_at_once.wait()
        await asyncio.sleep(0.02)  # a fourth would begin meanwhile
        at_once, done = at_once - 1, done + 1

    async with working(due, work, concurrency=3):
        await eventually(lambda: done == 12)
    assert most == 3


async def test_stopping_finishes_what_is_under_way_and_claims_no_more(
    due: DueWork, collection: Collection, clock: Clock
):
    await owe(collection, clock, *range(10))
    begun, finished, go_on = [], [], asyncio.Event()

    async def work(claim: Claim) -> None:
        begun.append(claim.document["_id"])
        await go_on.wait()
        finished.append(claim.document["_id"])

    worker = Worker(due, work, concurrency=2)
    running = asyncio.create_task(worker.run())
    await eventually(lambda: len(begun) == 2)
    stopping = asyncio.create_task(worker.stop(5))
    await asyncio.sleep(0)
    go_on.set()
    async with asyncio.timeout(5):
        await stopping
        await running
    assert finished == begun
    assert len(begun) == 2
    assert await collection.count_documents({"lease": None}) == 8


async def test_stopping_cuts_off_what_takes_too_long(due: DueWork, collection: Collection, clock: Clock):
    await owe(collection, clock, 0)
    begun, cut_off = asyncio.Event(), asyncio.Event()

    async def work(_: Claim) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cut_off.set()

    worker = Worker(due, work)
    running = asyncio.create_task(worker.run())
    await begun.wait()
    await worker.stop(0.1)
    assert cut_off.is_set()
    async with asyncio.timeout(5):
        await running
