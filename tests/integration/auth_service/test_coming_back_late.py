"""What Zoom answers after the owner has decided otherwise undoes nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from auth_service import meetings
from auth_service.handlers.access_tokens import fingerprint
from auth_service.handlers.ending import NO_MORE_CREATES_AFTER
from auth_service.mongo.clients import Clients
from auth_service.settings import Settings
from convoke.settings import load
from tests.integration.auth_service.conftest import product_of
from tests.integration.auth_service.replicas import SERVICE, SERVICE_SECRET, Caller, MovableClock, replica, soon
from tests.integration.auth_service.test_disconnecting import disconnect
from tests.integration.auth_service.test_refreshing import settled
from tests.integration.auth_service.zoom_app import Zoom
from tests.support.eventually import eventually
from tests.support.served import address_of, listening, served

Connect = Callable[..., Awaitable[dict[str, Any]]]


async def test_a_refresh_that_is_answered_after_the_disconnect_brings_no_token_back(
    product: Caller, connect: Connect, zoom: Zoom, clock: MovableClock, database: Any
):
    own = await connect(product)
    await zoom.forget_calls()
    await zoom.fault("token", "slow", delay_seconds=1)
    clock.advance(minutes=55)  # a refresh is due, and what is to be revoked is still good
    assert await eventually(zoom.token_calls)
    await zoom.fault("revoke", "down")  # else Zoom would refuse the refresh, and nothing would come late
    with capture_logs() as logged:
        assert await disconnect(product, own["id"]) == 204
        outcomes = {"zoom.tokens_superseded", "zoom.tokens_refreshed"}
        assert await eventually(lambda: outcomes & {line["event"] for line in logged}, within=20)
    row = await settled(database)
    assert (row["status"], row["tokens"]["access"], row["tokens"]["refresh"]) == ("disconnected", "", "")


async def finish_slowly(product: Caller, zoom: Zoom, user_id: str, seconds: float = 1) -> asyncio.Task[httpx.Response]:
    """Come back from Zoom's page with a code whose exchange is answered late; return the page that is to come."""
    address = await zoom.consent(await product.start(), user_id)
    await zoom.forget_calls()
    await zoom.fault("token", "slow", delay_seconds=seconds)
    page = asyncio.create_task(product.come_back(address))
    assert await eventually(zoom.token_calls)
    return page


async def test_a_code_that_is_exchanged_while_the_owner_disconnects_brings_no_connection_back(
    product: Caller, connect: Connect, zoom: Zoom, clock: MovableClock, database: Any
):
    own = await connect(product)
    clock.advance(seconds=1)
    page = await finish_slowly(product, zoom, "host-1")
    clock.advance(seconds=1)
    assert await disconnect(product, own["id"]) == 204
    assert (await page).status_code == 409
    row = await settled(database)
    assert (row["status"], row["tokens"]["access"], row["tokens"]["refresh"]) == ("disconnected", "", "")


async def test_a_code_that_is_exchanged_while_the_owner_leaves_does_not_call_the_deleting_off_and_its_tokens_are_used(
    product: Caller, connect: Connect, meeting_service: Caller, zoom: Zoom, clock: MovableClock
):
    """Zoom ends the former tokens with the exchange: without the newer ones no meeting could be deleted."""
    own = await connect(product)
    clock.advance(seconds=1)
    page = await finish_slowly(product, zoom, "host-1")
    clock.advance(seconds=1)
    left = await product.call("DELETE", f"/v1/zoom/connections/{own['id']}?future_meetings=delete")
    assert left.status_code == 202
    assert (await page).status_code == 409
    [connection] = await product.connections()
    assert connection["status"] == "disconnecting"
    asked = {"organization_id": product.organization_id, "connection_id": own["id"]}
    assert await zoom.accepts((await meeting_service.access_token(**asked)).json()["access_token"])


async def test_f67_who_comes_back_after_deciding_to_leave_is_not_overtaken_by_the_end_of_that(
    product: Caller, connect: Connect, zoom: Zoom, clock: MovableClock, database: Any
):
    own = await connect(product)
    await product.call("DELETE", f"/v1/zoom/connections/{own['id']}?future_meetings=delete")
    clock.advance(seconds=1)
    page = await finish_slowly(product, zoom, "host-1", seconds=5)
    clock.advance(seconds=1)
    over = {"ending.until": clock(), "ending.due_at": clock()}
    await database["connections"].update_one({"ending.stage": "deleting"}, {"$set": over})

    async def has_ended() -> bool:
        return [connection["status"] for connection in await product.connections()] == ["disconnected"]

    await soon(has_ended, within=4)
    assert (await page).status_code == 200
    assert [connection["status"] for connection in await product.connections()] == ["active"]


async def test_a_code_that_is_exchanged_late_does_not_replace_the_zoom_user_who_was_connected_since(
    product: Caller, connect: Connect, zoom: Zoom, clock: MovableClock
):
    page = await finish_slowly(product, zoom, "host-1")
    clock.advance(seconds=1)
    await connect(product, user_id="host-2")
    assert (await page).status_code == 409
    assert [connection["zoom_user_id"] for connection in await product.connections()] == ["host-2"]


@asynccontextmanager
async def nothing_left(asked: asyncio.Semaphore, go_on: asyncio.Semaphore) -> AsyncIterator[str]:
    """Serve a meeting-service that says so once it may `go_on`, each time it was asked, and yield its address."""
    app, listener = FastAPI(), listening()

    @app.post("/internal/v1/zoom/connections/{connection_id}/withdrawal")
    async def withdraw(connection_id: str) -> dict[str, int]:  # noqa: ARG001
        asked.release()
        await go_on.acquire()
        return {"left": 0}

    async with served(app, listener):
        yield address_of(listener)


async def test_f63_tokens_that_are_refreshed_while_the_last_meetings_are_counted_do_not_hold_the_end_up(
    *,
    environment: dict[str, str],
    clients: Clients,
    connect: Connect,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(meetings, "ANSWERS_WITHIN", 30)
    asked, go_on = asyncio.Semaphore(0), asyncio.Semaphore(0)
    async with (
        nothing_left(asked, go_on) as address,
        replica(load(Settings, {**environment, "MEETING_SERVICE_URL": address}), clock) as http,
    ):
        product, meeting_service = await product_of(http, clients), Caller(http, SERVICE, SERVICE_SECRET)
        own = await connect(product)
        wanted = {"organization_id": product.organization_id, "connection_id": own["id"]}
        first = (await meeting_service.access_token(**wanted)).json()["access_token"]
        await product.call("DELETE", f"/v1/zoom/connections/{own['id']}?future_meetings=delete")
        go_on.release()

        async def is_counted() -> bool:
            return [one["disconnecting"]["left"] for one in await product.connections()] == [0]

        await soon(is_counted)
        await asked.acquire()
        clock.advance(seconds=NO_MORE_CREATES_AFTER.total_seconds() + 5)
        await asked.acquire()
        assert (await meeting_service.access_token(**wanted, rejected=fingerprint(first))).status_code == 200
        for _ in range(2):
            go_on.release()

        async def has_ended() -> bool:
            return [connection["status"] for connection in await product.connections()] == ["disconnected"]

        await soon(has_ended)
