"""What meeting-service learns of connections to plan by: the same, in every state, as when it asks for a token."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import httpx
import pytest

from auth_service.http import standings
from convoke.contracts.meetings import FailureCode
from convoke.identity import ServiceToken
from meeting_service.auth import AuthService, ZoomAccessTokens, ZoomConnections
from meeting_service.ports import Refused
from tests.integration.auth_service.replicas import PUBLIC_URL, SERVICE, SERVICE_SECRET, Caller, MovableClock

Connect = Callable[..., Awaitable[dict[str, Any]]]
HOST = "hst_1"
State = dict[str, Any] | None
Stand = Callable[[State, str | None, str], Awaitable[None]]


@pytest.fixture
def asked(auth: httpx.AsyncClient) -> AuthService:
    return AuthService(auth, PUBLIC_URL, ServiceToken(auth, PUBLIC_URL, SERVICE, SERVICE_SECRET, "auth-service"))


@pytest.fixture
def stand(product: Caller, connect: Connect, database: Any) -> Stand:
    """Connect an owner, unless the state is None, and bring the connection into it."""

    async def stand(state: State, host_id: str | None, user_id: str) -> None:
        if state is not None:
            made = await connect(product, host_id=host_id, user_id=user_id)
            await database["connections"].update_one({"_id": made["id"]}, {"$set": {"status": "active", **state}})

    return stand


async def test_a_connection_is_known_with_its_user_and_since_when(
    product: Caller, connect: Connect, asked: AuthService, clock: MovableClock
):
    first = await connect(product, user_id="host-1")
    clock.advance(days=1)
    await connect(product, user_id="host-2")
    found = (await ZoomConnections(asked).of(product.organization_id)).find(first["id"])
    assert found is not None
    assert (found.zoom_user_id, found.host_id, found.lacks) == ("host-2", None, None)
    assert found.since == datetime.fromisoformat(first["connected_at"])


async def test_all_pages_are_read(
    product: Caller, connect: Connect, asked: AuthService, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(standings, "PAGE", 2)
    made = [await connect(product, host_id=f"hst_{number}") for number in range(5)]
    known = await ZoomConnections(asked).of(product.organization_id)
    assert [known.find(one["id"]) is not None for one in made] == [True] * 5


async def test_another_organization_has_none_of_them(
    product: Caller, new_product: Callable[[], Awaitable[Caller]], connect: Connect, asked: AuthService
):
    made = await connect(product)
    other = await new_product()
    assert (await ZoomConnections(asked).of(other.organization_id)).find(made["id"]) is None


async def test_no_tenant_reads_how_connections_stand(product: Caller):
    path = f"/internal/v1/zoom/connections?organization_id={product.organization_id}"
    assert (await product.call("GET", path)).status_code == 403


@pytest.mark.parametrize(
    ("states", "lacks"),
    [
        ((None, None), "zoom_not_connected"),
        ((None, {}), None),
        (({}, {}), None),
        (({"status": "reauthorization_required"}, {}), "zoom_reauthorization_required"),
        (({"enabled_for_new_bookings": False}, {}), "zoom_paused"),
        (({"status": "disconnected"}, {}), None),
        (({"status": "disconnected"}, {"enabled_for_new_bookings": False}), "zoom_paused"),
        (({"status": "disconnected"}, None), "zoom_not_connected"),
        ((None, {"status": "disconnected"}), "zoom_not_connected"),
    ],
)
async def test_a_plan_finds_the_connection_whose_token_would_be_given_out(
    product: Caller, stand: Stand, asked: AuthService, states: tuple[State, State], lacks: FailureCode | None
):
    """The states are of the host's own connection and of the organization's."""
    await stand(states[0], HOST, "host-2")
    await stand(states[1], None, "host-1")
    connections = await ZoomConnections(asked).of(product.organization_id)
    maker = connections.of_host(HOST)
    found = (maker.lacks_to_make, maker.id, connections.since(HOST)) if maker else ("zoom_not_connected", None, None)
    assert found[0] == lacks
    given = await given_out(asked, product.organization_id)
    assert given == (found if lacks is None else (lacks, None, None))


async def given_out(asked: AuthService, organization_id: str) -> tuple[FailureCode | None, str | None, datetime | None]:
    """Return why no token is given out for the host, or whose is and since when Zoom is connected."""
    try:
        access = await ZoomAccessTokens(asked).to_make(organization_id, HOST)
    except Refused as refused:
        return refused.code, None, None
    return None, access.connection_id, access.connected_since
