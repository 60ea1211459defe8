"""Disconnecting: no token is given out from then on, nothing of it stays, and a reconnect finds the same connection."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.integration.auth_service.replicas import Caller, MovableClock, soon
from tests.integration.auth_service.test_refreshing import events_about, settled
from tests.integration.auth_service.zoom_app import Zoom
from tests.support.eventually import eventually

Connect = Callable[..., Awaitable[dict[str, Any]]]


async def disconnect(product: Caller, connection_id: str) -> int:
    return (await product.call("DELETE", f"/v1/zoom/connections/{connection_id}")).status_code


async def test_f57_f58_f61_a_disconnected_connection_gives_no_token_and_keeps_neither_token_nor_key(
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
    assert {name: row["tokens"][name] for name in ("access", "refresh", "data_key")} == dict.fromkeys(
        ("access", "refresh", "data_key"), ""
    )
    assert (row["status"], row["email"]) == ("disconnected", "host-1@example.com")
    assert "due_at" not in row
    assert [connection["status"] for connection in await product.connections()] == ["disconnected"]
    connected, disconnected = await events_about(own["id"], rabbitmq_url)
    assert disconnected.data.reason == "user"
    assert disconnected.data.connection.revision > connected.data.connection.revision > 0

    async def revoked() -> bool:
        return not await zoom.accepts(token)

    await soon(revoked)


async def what_happened(product: Caller, connection_id: str) -> list[tuple[str, str]]:
    """Return the connection's history as its owner sees it: what, and by whom."""
    found = (await product.call("GET", f"/v1/zoom/connections/{connection_id}")).json()
    return [(line["what"], line["by"]) for line in found["history"]]


async def test_f57_f58_f65_what_happened_stays_with_when_by_whom_and_no_secret(product: Caller, connect: Connect):
    own = await connect(product)
    await disconnect(product, own["id"])
    own = await connect(product)
    assert (await what_happened(product, own["id"]))[:2] == [
        ("connected", product.client_id),
        ("disconnected", product.client_id),
    ]
    assert (await what_happened(product, own["id"]))[-1] == ("connected", product.client_id)


async def test_disconnecting_ten_times_at_once_is_one_disconnect(
    *, product: Caller, connect: Connect, zoom: Zoom, database: Any, rabbitmq_url: str
):
    own = await connect(product)
    await settled(database)
    assert set(await asyncio.gather(*(disconnect(product, own["id"]) for _ in range(10)))) == {204}
    await settled(database)
    kinds = [event.data.event_type for event in await events_about(own["id"], rabbitmq_url)]
    assert kinds == ["zoom.connected.v1", "zoom.disconnected.v1"]
    await eventually(zoom.revocations)
    assert [status for _, status in await zoom.revocations()] == [200]


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
async def test_f67_a_reconnect_makes_the_same_connection_active(
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
