"""Disconnecting: no token is given out from then on, nothing of it stays, and a reconnect finds the same connection."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from tests.integration.auth_service.replicas import Caller, MovableClock, soon
from tests.integration.auth_service.test_refreshing import events_about, settled
from tests.integration.auth_service.zoom_app import Zoom
from tests.support.eventually import eventually

Connect = Callable[..., Awaitable[dict[str, Any]]]


async def disconnect(product: Caller, connection_id: str) -> int:
    return (await product.call("DELETE", f"/v1/zoom/connections/{connection_id}")).status_code


async def revocations(zoom: Zoom) -> list[Any]:
    calls = (await zoom.http.get("/sandbox/calls", params={"operation": "revoke"})).json()
    return [call["status"] for call in calls]


async def test_a_disconnected_connection_gives_no_token_and_keeps_none(
    *, product: Caller, connect: Connect, meeting_service: Caller, zoom: Zoom, database: Any, rabbitmq_url: str
):
    own = await connect(product, host_id="hst_1")
    asked = {"organization_id": product.organization_id, "connection_id": own["id"]}
    token = (await meeting_service.access_token(**asked)).json()["access_token"]
    await settled(database)
    assert await disconnect(product, own["id"]) == 204
    for body in (asked, {"organization_id": product.organization_id, "host_id": "hst_1"}):
        refused = await meeting_service.access_token(**body)
        assert (refused.status_code, refused.json()["type"]) == (404, "zoom-not-connected")
    row = await settled(database)
    assert (row["tokens"]["access"], row["tokens"]["refresh"]) == ("", "")
    assert (row["status"], row["email"]) == ("disconnected", "host-1@example.com")
    assert "due_at" not in row
    assert [connection["status"] for connection in await product.connections()] == ["disconnected"]
    connected, disconnected = await events_about(own["id"], rabbitmq_url)
    assert disconnected.data.reason == "user"
    assert disconnected.data.connection.revision > connected.data.connection.revision > 0

    async def revoked() -> bool:
        return not await zoom.accepts(token)

    await soon(revoked)


@pytest.mark.parametrize("kind", ["down", "status", "slow"])
async def test_disconnecting_does_not_wait_for_zoom(kind: str, product: Caller, connect: Connect, zoom: Zoom):
    own = await connect(product)
    await zoom.fault("revoke", kind, delay_seconds=30)
    async with asyncio.timeout(5):
        assert await disconnect(product, own["id"]) == 204
    await eventually(lambda: revocations(zoom))


async def test_disconnecting_ten_times_at_once_is_one_disconnect(
    *, product: Caller, connect: Connect, zoom: Zoom, database: Any, rabbitmq_url: str
):
    own = await connect(product)
    await settled(database)
    assert set(await asyncio.gather(*(disconnect(product, own["id"]) for _ in range(10)))) == {204}
    await settled(database)
    kinds = [event.data.event_type for event in await events_about(own["id"], rabbitmq_url)]
    assert kinds == ["zoom.connected.v1", "zoom.disconnected.v1"]
    await eventually(lambda: revocations(zoom))
    assert await revocations(zoom) == [200]


async def test_what_zoom_gave_up_on_can_be_disconnected_too(
    product: Caller, connect: Connect, database: Any, zoom: Zoom, clock: MovableClock
):
    own = await connect(product)
    await zoom.fault("token", "stale_refresh_token")
    clock.advance(hours=1)

    async def is_given_up() -> bool:
        return bool((await database["connections"].find_one())["status"] == "reauthorization_required")

    await soon(is_given_up)
    assert await disconnect(product, own["id"]) == 204
    assert (await database["connections"].find_one())["tokens"]["refresh"] == ""


async def test_another_organization_cannot_disconnect(
    new_product: Callable[[], Awaitable[Caller]], connect: Connect, meeting_service: Caller
):
    one, other = await new_product(), await new_product()
    own = await connect(one, host_id="hst_1")
    refused = await other.call("DELETE", f"/v1/zoom/connections/{own['id']}")
    assert (refused.status_code, refused.json()["type"]) == (404, "not-found")
    assert await disconnect(other, "zc_none") == 404
    assert await disconnect(meeting_service, own["id"]) == 403
    assert [connection["status"] for connection in await one.connections()] == ["active"]


@pytest.mark.parametrize(("again", "previous"), [("host-1", None), ("host-2", "host-1")])
async def test_a_reconnect_makes_the_same_connection_active(
    *,
    again: str,
    previous: str | None,
    product: Caller,
    connect: Connect,
    meeting_service: Caller,
    clock: MovableClock,
    database: Any,
    rabbitmq_url: str,
):
    own = await connect(product, host_id="hst_1", user_id="host-1")
    first = await database["connections"].find_one()
    await disconnect(product, own["id"])
    clock.advance(days=3)
    back = await connect(product, host_id="hst_1", user_id=again)
    assert (back["id"], back["status"], back["zoom_user_id"]) == (own["id"], "active", again)
    row = await settled(database)
    assert row["connected_since"] == first["connected_since"] < row["connected_at"]
    asked = {"organization_id": product.organization_id, "connection_id": own["id"]}
    assert (await meeting_service.access_token(**asked)).status_code == 200
    events = await events_about(own["id"], rabbitmq_url)
    assert [event.data.event_type for event in events] == [
        "zoom.connected.v1",
        "zoom.disconnected.v1",
        "zoom.connected.v1",
    ]
    assert events[-1].data.previous_zoom_user_id == previous
    revisions = [event.data.connection.revision for event in events]
    assert revisions == sorted(set(revisions))


async def test_a_refresh_that_is_answered_after_the_disconnect_brings_no_token_back(
    product: Caller, connect: Connect, zoom: Zoom, clock: MovableClock, database: Any
):
    own = await connect(product)
    await zoom.forget_calls()
    await zoom.fault("token", "slow", delay_seconds=1)
    clock.advance(hours=1)
    assert await eventually(zoom.token_calls)
    await zoom.fault("revoke", "down")  # else Zoom would refuse the refresh, and nothing would come late
    with capture_logs() as logged:
        assert await disconnect(product, own["id"]) == 204
        outcomes = {"zoom.tokens_superseded", "zoom.tokens_refreshed"}
        assert await eventually(lambda: outcomes & {line["event"] for line in logged}, within=20)
    row = await settled(database)
    assert (row["status"], row["tokens"]["access"], row["tokens"]["refresh"]) == ("disconnected", "", "")


async def finish_slowly(product: Caller, zoom: Zoom, user_id: str) -> asyncio.Task[httpx.Response]:
    """Come back from Zoom's page with a code whose exchange is answered late; return the page that is to come."""
    address = await zoom.consent(await product.start(), user_id)
    await zoom.forget_calls()
    await zoom.fault("token", "slow", delay_seconds=1)
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


async def test_a_code_that_is_exchanged_late_does_not_replace_the_zoom_user_who_was_connected_since(
    product: Caller, connect: Connect, zoom: Zoom, clock: MovableClock
):
    page = await finish_slowly(product, zoom, "host-1")
    clock.advance(seconds=1)
    await connect(product, user_id="host-2")
    assert (await page).status_code == 409
    assert [connection["zoom_user_id"] for connection in await product.connections()] == ["host-2"]
