"""A refresh that an absent database, a stop, a cancelled request or a kill breaks into is brought to its end (E2)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from structlog.testing import capture_logs

from auth_service.mongo.clients import Clients
from auth_service.settings import Settings
from convoke.settings import load
from local_stack.processes import free_port
from tests.integration.auth_service.conftest import product_of
from tests.integration.auth_service.network import network_to
from tests.integration.auth_service.processes import serving
from tests.integration.auth_service.replicas import Caller, MovableClock, replica, soon
from tests.integration.auth_service.test_refreshing import refreshing_at
from tests.integration.auth_service.zoom_app import Zoom
from tests.support.eventually import eventually

Connect = Callable[..., Awaitable[dict[str, Any]]]


async def test_new_tokens_are_saved_when_the_database_comes_back_after_zooms_answer(
    environment: dict[str, str], product: Caller, connect: Connect, zoom: Zoom, database: Any
):
    """E2: these tokens exist nowhere else."""
    await connect(product)
    await zoom.forget_calls()
    server = urlsplit(environment["MONGODB_URL"])
    async with network_to(server.hostname or "", server.port or 27017) as network:
        by_network = f"mongodb://127.0.0.1:{network.port}/?directConnection=true"
        far = load(Settings, {**environment, "MONGODB_URL": by_network})
        far_clock = MovableClock()
        async with replica(far, far_clock):
            await zoom.fault("token", "slow", delay_seconds=0.5)
            far_clock.advance(hours=1)
            called: list[dict[str, Any]] = await eventually(zoom.token_calls)
            assert called[0]["status"] is None
            with capture_logs() as logged:
                network.cut()
                await eventually(lambda: "zoom.tokens_not_saved_yet" in {line["event"] for line in logged})
            row = await database["connections"].find_one()
            assert row["tokens"]["version"] == 1
            assert row["refresh"]["started_at"]
            network.mend()

            async def saved() -> bool:
                return bool((await database["connections"].find_one())["tokens"]["version"] == 2)

            await soon(saved)
    assert [call["status"] for call in await zoom.token_calls()] == [200]


async def test_a_replica_that_is_stopped_during_a_refresh_saves_the_new_tokens(
    *, settings: Settings, clock: MovableClock, product: Caller, connect: Connect, zoom: Zoom, database: Any
):
    """E2: SIGTERM waits for the save."""
    await connect(product)
    await zoom.forget_calls()
    stopping_clock = MovableClock()
    async with replica(settings, stopping_clock):
        await zoom.fault("token", "slow", delay_seconds=1)
        stopping_clock.advance(hours=1)
        called: list[dict[str, Any]] = await eventually(zoom.token_calls)
        assert called[0]["status"] is None
    row = await database["connections"].find_one()
    assert row["tokens"]["version"] == 2
    assert row["lease"] is None
    assert clock() < row["tokens"]["expires_at"]


async def test_whoever_stops_waiting_for_a_refresh_does_not_stop_the_refresh(
    *, settings: Settings, clock: MovableClock, clients: Clients, connect: Connect, zoom: Zoom, database: Any
):
    """E2: a cancelled request cuts no refresh short."""
    async with replica(settings, clock) as http:
        await connect(await product_of(http, clients))
    await zoom.forget_calls()
    await zoom.fault("token", "slow", delay_seconds=0.5)
    await database["connections"].update_one({}, {"$set": {"due_at": clock()}})
    async with refreshing_at(settings) as (_, due, refreshing):
        claim = await due.claim()
        assert claim is not None
        waiting = asyncio.create_task(refreshing.refresh(claim))
        await eventually(zoom.token_calls)
        waiting.cancel()
        await refreshing.drain()
    assert (await database["connections"].find_one())["tokens"]["version"] == 2


async def test_a_process_killed_between_zooms_answer_and_the_save_leaves_the_refresh_to_the_next_one(
    *, environment: dict[str, str], clients: Clients, connect: Connect, zoom: Zoom, clock: MovableClock, database: Any
):
    """E2: the process died before it saved."""
    settings = load(Settings, environment)
    async with replica(settings, clock) as http:
        await connect(await product_of(http, clients), host_id="hst_1")
    await zoom.turn(refresh_grace=True)
    await zoom.forget_calls()
    rows, server = database["connections"], urlsplit(zoom.address)
    async with network_to(server.hostname or "", server.port or 0) as network:
        network.swallow()
        far = {**environment, "ZOOM_OAUTH_URL": f"http://127.0.0.1:{network.port}", "HTTP_PORT": str(free_port())}
        async with serving(far) as doomed:
            await rows.update_one({}, {"$set": {"due_at": clock()}})
            swallowed: int = await eventually(lambda: network.swallowed, within=20)
            assert swallowed
            doomed.kill()
            await doomed.communicate()
    row = await rows.find_one()
    assert row["tokens"]["version"] == 1
    assert row["refresh"]["started_at"]
    assert row["lease"]["until"] > clock()
    clock.advance(seconds=61)

    async def taken_over() -> bool:
        return bool((await rows.find_one())["tokens"]["version"] == 2)

    async with replica(settings, clock):
        await soon(taken_over)
    assert [call["status"] for call in await zoom.token_calls()] == [200, 200]
    assert (await rows.find_one())["status"] == "active"
