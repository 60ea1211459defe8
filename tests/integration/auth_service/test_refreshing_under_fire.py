"""Crash points E1 to E5: one refresh for any number of replicas, and no pair of tokens that replaces a newer one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from auth_service.domain.connections import Tokens
from auth_service.mongo.clients import Clients
from auth_service.mongo.documents import connection_of
from auth_service.settings import Settings
from convoke.settings import load
from tests.integration.auth_service.conftest import key_of, product_of
from tests.integration.auth_service.replicas import SERVICE, SERVICE_SECRET, Caller, MovableClock, replica, soon
from tests.integration.auth_service.test_connecting import is_checked_up
from tests.integration.auth_service.test_refreshing import refreshing_at
from tests.integration.auth_service.zoom_app import Zoom
from tests.support.eventually import eventually

Connect = Callable[..., Awaitable[dict[str, Any]]]
REPLICAS, READERS = 4, 15


@pytest.fixture
async def four(settings: Settings, clock: MovableClock) -> AsyncIterator[list[Caller]]:
    """Give a caller of each of four replicas over one database."""
    async with AsyncExitStack() as running:
        replicas = [await running.enter_async_context(replica(settings, clock)) for _ in range(REPLICAS)]
        yield [Caller(http, SERVICE, SERVICE_SECRET) for http in replicas]


@pytest.mark.parametrize("delay", [0, 3])  # in three seconds every replica looks for due work
async def test_e1_four_replicas_and_sixty_readers_at_expiry_make_one_refresh(
    *,
    delay: int,
    four: list[Caller],
    clients: Clients,
    connect: Connect,
    zoom: Zoom,
    clock: MovableClock,
    database: Any,
):
    product = await product_of(four[0].http, clients)
    own = await connect(product, host_id="hst_1")
    asked = {"organization_id": product.organization_id, "connection_id": own["id"]}
    old = (await four[0].access_token(**asked)).json()["access_token"]
    await zoom.forget_calls()
    if delay:
        await zoom.fault("token", "slow", delay_seconds=delay)
    clock.advance(hours=1)
    answers = await asyncio.gather(*(caller.access_token(**asked) for caller in four for _ in range(READERS)))
    assert {answer.status_code for answer in answers} == {200}
    (new,) = {answer.json()["access_token"] for answer in answers}
    assert new != old
    assert await zoom.accepts(new)
    assert [call["status"] for call in await zoom.token_calls()] == [200]
    row = await database["connections"].find_one()
    assert (row["status"], row["tokens"]["version"]) == ("active", 2)


async def test_e1_e3_tokens_that_are_saved_late_do_not_replace_newer_ones(
    *, settings: Settings, clock: MovableClock, clients: Clients, connect: Connect, database: Any
):
    """A replica that is frozen past its lease holds Zoom's answer; the owner has connected again meanwhile."""
    async with replica(settings, clock) as http:
        product = await product_of(http, clients)
        await connect(product)
        async with refreshing_at(settings) as (store, _, _):
            before = connection_of(await database["connections"].find_one())
            await connect(product)
            newest = await database["connections"].find_one()
            stale = Tokens("late-access", "late-refresh", before.expires_at, before.scopes, before.api_url)
            assert await store.save_refreshed(before, stale) is None
            assert await store.give_up(before) is None
    row = await database["connections"].find_one()
    assert (row["tokens"], row["status"]) == (newest["tokens"], "active")


async def test_e4_a_connection_that_nobody_uses_is_refreshed_within_a_week(
    product: Caller, connect: Connect, zoom: Zoom, clock: MovableClock, database: Any
):
    await connect(product)
    await soon(lambda: is_checked_up(product))  # which counts as use once the tokens are refreshed

    async def version() -> int:
        return int((await database["connections"].find_one())["tokens"]["version"])

    clock.advance(hours=1)
    assert await eventually(lambda: _is(version, 2))
    await zoom.forget_calls()
    clock.advance(days=5, hours=23)
    assert (await database["connections"].find_one())["due_at"] > clock()
    clock.advance(days=1, hours=1)
    assert await eventually(lambda: _is(version, 3))
    assert [call["status"] for call in await zoom.token_calls()] == [200]


async def test_e5_both_keys_of_the_vault_are_read_and_the_first_one_writes(
    *,
    environment: dict[str, str],
    settings: Settings,
    clock: MovableClock,
    clients: Clients,
    connect: Connect,
    zoom: Zoom,
    database: Any,
):
    async with replica(settings, clock) as http:
        product = await product_of(http, clients)
        own = await connect(product, host_id="hst_1")
    asked = {"organization_id": product.organization_id, "connection_id": own["id"]}
    both = load(Settings, {**environment, "ENCRYPTION_KEYS": f"k2={key_of(b'f')},{environment['ENCRYPTION_KEYS']}"})
    async with replica(both, clock) as http:
        caller = Caller(http, SERVICE, SERVICE_SECRET)
        assert (await caller.access_token(**asked)).status_code == 200
        clock.advance(hours=1)

        async def rewritten() -> bool:
            return bool((await database["connections"].find_one())["tokens"]["data_key"].split(".")[1] == "k2")

        await soon(rewritten)
        assert await zoom.accepts((await caller.access_token(**asked)).json()["access_token"])


async def _is(value: Callable[[], Awaitable[int]], wanted: int) -> bool:
    return await value() == wanted
