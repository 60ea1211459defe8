"""Nobody waits for a worker's next look: what a request leaves to be done is looked at at once."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from auth_service.mongo.clients import Clients
from auth_service.settings import Settings
from convoke import due_work, mongo
from tests.integration.auth_service.conftest import product_of
from tests.integration.auth_service.owners import OwnerAtZoom
from tests.integration.auth_service.replicas import MovableClock, replica, soon
from tests.integration.auth_service.test_connecting import is_checked_up
from tests.integration.auth_service.test_deauthorization import has_ended, removal, remove_app, standing
from tests.integration.auth_service.test_erasing import begun, own_is_done, receipt_when
from tests.integration.auth_service.test_webhooks import post
from tests.integration.auth_service.zoom_app import Zoom

NewOwner = Callable[[], Awaitable[OwnerAtZoom]]

HOURLY = 3_600.0


@pytest.fixture
async def new_owner(
    settings: Settings, clock: MovableClock, clients: Clients, zoom: Zoom, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[NewOwner]:
    """Return what makes owners in products of their own, at a replica whose workers look by themselves only hourly."""
    monkeypatch.setattr(due_work, "LOOK_EVERY", HOURLY)
    async with replica(settings, clock) as http:

        async def new_owner() -> OwnerAtZoom:
            return OwnerAtZoom(await product_of(http, clients), zoom)

        yield new_owner


async def is_refused(owner: OwnerAtZoom, connection: dict[str, Any]) -> bool:
    return (await standing(owner.product, connection["id"]))[0] == "reauthorization_required"


async def test_b9_a_new_connection_is_checked_up(new_owner: NewOwner):
    owner = await new_owner()
    await owner.connect()
    await soon(lambda: is_checked_up(owner.product))


async def test_b9_b16_an_accepted_one_is_checked_up(new_owner: NewOwner):
    owner = await new_owner()
    await owner.connect()
    await soon(lambda: is_checked_up(owner.product))
    await owner.connect("host-2")
    await soon(lambda: is_checked_up(owner.product))


async def test_b17_tokens_that_a_consent_elsewhere_ended_are_found(new_owner: NewOwner):
    one, other = await new_owner(), await new_owner()
    first = await one.connect()
    await soon(lambda: is_checked_up(one.product))
    await other.connect()
    await soon(lambda: is_refused(one, first))


async def test_b16_b17_also_where_that_consent_is_not_accepted_yet(new_owner: NewOwner):
    owner = await new_owner()
    await owner.connect("host-1")
    of_host = await owner.connect("host-2", "hst_2")
    await soon(lambda: is_checked_up(owner.product))
    assert (await owner.come_back("host-2")).status_code == 303
    await soon(lambda: is_refused(owner, of_host))


async def test_b17_also_where_the_newer_tokens_cannot_be_used(new_owner: NewOwner):
    """Zoom does not say whose they are, so they are given back; but they have ended those that the connection has."""
    owner = await new_owner()
    own = await owner.connect()
    await soon(lambda: is_checked_up(owner.product))
    await owner.zoom.fault("get_user", "status", status=403)
    assert (await owner.come_back()).status_code == 403
    await soon(lambda: is_refused(owner, own))


async def test_b16_what_is_not_accepted_is_revoked(new_owner: NewOwner):
    owner = await new_owner()
    await owner.connect()
    await owner.decide("keep", await owner.come_back("host-2"))
    await soon(lambda: is_revoked(owner))


async def is_revoked(owner: OwnerAtZoom) -> bool:
    return bool(await owner.zoom.revocations())


async def test_f60_a_reported_removal_is_looked_at_also_where_the_report_was_not_stored_to_its_end(
    new_owner: NewOwner, store: mongo.Database
):
    owner = await new_owner()
    own = await owner.connect()
    await soon(lambda: is_checked_up(owner.product))
    await remove_app(owner.zoom)
    await store.command({"collMod": "webhooks", "validator": {"_id": "no report"}})
    assert (await post(owner.product.http, removal())).status_code == 500
    await soon(lambda: has_ended(owner.product, own["id"]))


async def test_f69_an_erasure_begins(new_owner: NewOwner):
    owner = await new_owner()
    address = await begun(owner.product, scope="zoom_data")
    assert await receipt_when(owner.product, address, own_is_done)
