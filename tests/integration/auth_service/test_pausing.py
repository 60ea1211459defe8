"""Pausing a connection: told once, whatever is asked how often, and nothing that a disconnected one could do."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.integration.auth_service.replicas import Caller
from tests.integration.auth_service.test_disconnecting import disconnect, what_happened
from tests.integration.auth_service.test_refreshing import events_about, settled

Connect = Callable[..., Awaitable[dict[str, Any]]]


async def switch(product: Caller, connection_id: str, *, is_enabled: object) -> httpx.Response:
    body = {"enabled_for_new_bookings": is_enabled}
    return await product.call("PATCH", f"/v1/zoom/connections/{connection_id}", json=body)


async def test_f28_each_switch_is_told_once_with_a_higher_revision(
    product: Caller, connect: Connect, database: Any, rabbitmq_url: str
):
    own = await connect(product, host_id="hst_1")
    for is_enabled in (False, False, True, True):
        answers = await asyncio.gather(*(switch(product, own["id"], is_enabled=is_enabled) for _ in range(3)))
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.json()["enabled_for_new_bookings"] for answer in answers} == {is_enabled}
        await settled(database)  # so that each event is published with its own snapshot
    connected, paused, resumed = await events_about(own["id"], rabbitmq_url)
    assert (paused.data.event_type, resumed.data.event_type) == ("zoom.settings_changed.v1",) * 2
    assert (paused.data.enabled_for_new_bookings, resumed.data.enabled_for_new_bookings) == (False, True)
    assert paused.data.connection.enabled_for_new_bookings is False
    revisions = [event.data.connection.revision for event in (connected, paused, resumed)]
    assert revisions == sorted(set(revisions))
    lines = ["connected", "paused", "resumed"]
    assert await what_happened(product, own["id"]) == [(line, product.client_id) for line in lines]


async def test_f28_a_pause_outlasts_a_reconnect(product: Caller, connect: Connect, meeting_service: Caller):
    own = await connect(product, host_id="hst_1")
    assert (await switch(product, own["id"], is_enabled=False)).status_code == 200
    await connect(product, host_id="hst_1")
    host = {"organization_id": product.organization_id, "host_id": "hst_1"}
    assert (await meeting_service.access_token(**host)).json()["type"] == "zoom-paused"


async def test_f28_a_disconnected_connection_cannot_be_paused(product: Caller, connect: Connect, database: Any):
    own = await connect(product)
    await disconnect(product, own["id"])
    refused = await switch(product, own["id"], is_enabled=False)
    assert (refused.status_code, refused.json()["type"]) == (409, "zoom-not-connected")
    assert "Connect Zoom again" in refused.json()["detail"]
    assert (await settled(database))["enabled_for_new_bookings"] is True


@pytest.mark.parametrize("body", [{}, {"enabled_for_new_bookings": "no"}, {"enabled_for_new_bookings": False, "x": 1}])
async def test_f28_what_is_no_switch_is_refused(product: Caller, connect: Connect, body: dict[str, object]):
    own = await connect(product)
    refused = await product.call("PATCH", f"/v1/zoom/connections/{own['id']}", json=body)
    assert refused.status_code == 422


async def test_f28_another_organization_cannot_pause(
    new_product: Callable[[], Awaitable[Caller]], connect: Connect, meeting_service: Caller
):
    one, other = await new_product(), await new_product()
    own = await connect(one)
    assert (await switch(other, own["id"], is_enabled=False)).status_code == 404
    assert (await switch(other, "zc_none", is_enabled=False)).status_code == 404
    assert (await switch(meeting_service, own["id"], is_enabled=False)).status_code == 403
    assert (await one.connections())[0]["enabled_for_new_bookings"] is True
