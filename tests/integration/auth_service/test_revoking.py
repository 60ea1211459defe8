"""Who leaves Zoom has the tokens revoked there, however long that takes and whatever fails meanwhile (F56, F57)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from auth_service.mongo.clients import Clients
from auth_service.settings import Settings
from convoke.settings import load
from tests.integration.auth_service.conftest import product_of
from tests.integration.auth_service.network import network_to
from tests.integration.auth_service.replicas import Caller, MovableClock, replica, soon
from tests.integration.auth_service.test_connecting import is_checked_up
from tests.integration.auth_service.test_disconnecting import disconnect, what_happened
from tests.integration.auth_service.zoom_app import Zoom
from tests.support.eventually import eventually

Connect = Callable[..., Awaitable[dict[str, Any]]]


@pytest.mark.parametrize("kind", ["down", "status", "slow"])
async def test_f56_disconnecting_does_not_wait_for_zoom(
    *, kind: str, product: Caller, connect: Connect, zoom: Zoom, database: Any
):
    own = await connect(product)
    await zoom.fault("revoke", kind, delay_seconds=6)
    async with asyncio.timeout(5):
        assert await disconnect(product, own["id"]) == 204
    assert await eventually(zoom.revocations)
    row = await database["connections"].find_one()
    assert (row["tokens"]["access"], row["tokens"]["refresh"]) == ("", "")


async def test_f56_f57_zoom_is_asked_to_revoke_until_it_has(
    product: Caller, connect: Connect, meeting_service: Caller, zoom: Zoom, database: Any
):
    """What is to be revoked is kept sealed until then, where nobody gets it, and is erased with the answer."""
    own = await connect(product)
    asked = {"organization_id": product.organization_id, "connection_id": own["id"]}
    token = (await meeting_service.access_token(**asked)).json()["access_token"]
    await zoom.fault("revoke", "down")
    assert await disconnect(product, own["id"]) == 204
    assert (await meeting_service.access_token(**asked)).status_code == 404
    row = await database["connections"].find_one()
    assert token not in repr(row)

    async def is_revoked() -> bool:
        return [line[0] for line in await what_happened(product, own["id"])] == ["connected", "disconnected", "revoked"]

    await soon(is_revoked)
    assert (await database["connections"].find_one())["ending"] is None
    assert not await zoom.accepts(token)


async def test_f57_tokens_that_zoom_does_not_revoke_within_an_hour_are_erased_all_the_same(
    product: Caller, connect: Connect, zoom: Zoom, database: Any, clock: MovableClock
):
    own = await connect(product)
    await zoom.fault("revoke", "down", times=None)
    await zoom.fault("token", "down", times=None)
    await disconnect(product, own["id"])
    assert await eventually(zoom.revocations)
    assert (await database["connections"].find_one())["ending"]["tokens"]["access"]
    clock.advance(hours=2)

    async def is_erased() -> bool:
        return (await database["connections"].find_one())["ending"] is None

    await soon(is_erased)
    assert (await what_happened(product, own["id"]))[-1] == ("not_revoked", "zoom")


async def test_f56_what_has_expired_unused_is_revoked_too(
    product: Caller, connect: Connect, zoom: Zoom, clock: MovableClock
):
    """An access token lasts an hour; of a connection that nobody used it has run out."""
    own = await connect(product)
    await zoom.fault("token", "down")  # the refresh that is due
    clock.advance(hours=1, minutes=1)
    await disconnect(product, own["id"])

    async def is_revoked() -> bool:
        return ("revoked", "zoom") in await what_happened(product, own["id"])

    await soon(is_revoked)
    assert [status for _, status in await zoom.revocations() if status] == [200]


@pytest.mark.parametrize("while_connected", [True, False])
async def test_f56_f57_where_zooms_new_pair_was_lost_it_is_not_said_to_be_revoked(
    *, while_connected: bool, product: Caller, connect: Connect, zoom: Zoom, database: Any, clock: MovableClock
):
    """Zoom has replaced what had expired, and we died with its answer or never got it: the grant may live on."""
    own = await connect(product)
    await soon(lambda: is_checked_up(product))  # else it asks for a token, too, and the second failure follows at once
    await zoom.fault("token", "answer_lost")
    if while_connected:
        clock.advance(hours=1, minutes=1)
        await eventually(lambda: database["connections"].find_one({"refresh.failures": 1}))
    else:
        await database["connections"].update_one({}, {"$unset": {"due_at": ""}})
        clock.advance(hours=1, minutes=1)
    await disconnect(product, own["id"])

    async def is_told() -> bool:
        clock.advance(seconds=5)
        return ("not_revoked", "zoom") in await what_happened(product, own["id"])

    await soon(is_told)


async def test_f56_a_new_pair_that_cannot_be_stored_is_revoked_all_the_same(
    *, environment: dict[str, str], clients: Clients, connect: Connect, zoom: Zoom, database: Any
):
    server, far_clock = urlsplit(environment["MONGODB_URL"]), MovableClock()
    async with network_to(server.hostname or "", server.port or 27017) as network:
        by_network = f"mongodb://127.0.0.1:{network.port}/?directConnection=true"
        far = load(Settings, {**environment, "MONGODB_URL": by_network})
        async with replica(far, far_clock) as http:
            product = await product_of(http, clients)
            own = await connect(product)
            await database["connections"].update_one({}, {"$unset": {"due_at": ""}})
            await zoom.forget_calls()
            await zoom.fault("token", "slow", delay_seconds=0.5)
            far_clock.advance(hours=1, minutes=1)
            await disconnect(product, own["id"])
            assert await eventually(zoom.token_calls)
            network.cut()
            assert [status for _, status in await eventually(zoom.revocations, within=20)] == [200]
            network.mend()


@pytest.mark.parametrize(("again", "is_called_off"), [("host-1", True), ("host-2", False)])
async def test_f67_connecting_again_calls_the_revocation_off_but_not_of_another_zoom_user(
    *, again: str, is_called_off: bool, product: Caller, connect: Connect, zoom: Zoom, database: Any
):
    own = await connect(product, user_id="host-1")
    await zoom.fault("revoke", "down")
    await disconnect(product, own["id"])
    assert await eventually(zoom.revocations)
    await connect(product, user_id=again)
    assert ((await database["connections"].find_one())["ending"] is None) is is_called_off


async def test_f69_what_zoom_has_not_revoked_yet_is_not_forgotten_where_its_user_was_erased_and_another_connects(
    *, product: Caller, connect: Connect, meeting_service: Caller, zoom: Zoom, database: Any
):
    own = await connect(product, user_id="host-1")
    asked = {"organization_id": product.organization_id, "connection_id": own["id"]}
    token = (await meeting_service.access_token(**asked)).json()["access_token"]
    await zoom.fault("revoke", "down", times=None)
    assert (await product.call("POST", "/v1/erasures", json={"scope": "zoom_data"})).status_code == 202

    async def is_emptied() -> bool:
        return bool((await database["connections"].find_one())["zoom_user_id"] == "")

    await soon(is_emptied)
    await connect(product, user_id="host-2")
    await zoom.heal()

    async def is_revoked() -> bool:
        return ("revoked", "zoom") in await what_happened(product, own["id"])

    await soon(is_revoked)
    assert not await zoom.accepts(token)
