"""What event types warn of, as auth-service's events told it last: whatever comes twice, late, or during a restart."""

import asyncio
from collections.abc import AsyncIterator
from itertools import permutations
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pydantic import SecretStr

from booking_service.handlers.zoom import ZoomHandlers
from booking_service.mongo.zoom_connections import ZoomConnections
from booking_service.settings import Settings
from convoke import mongo
from convoke.clock import utc_now
from convoke.contracts import Connection, Finding, ZoomConnected, ZoomDisconnected, ZoomSettingsChanged
from convoke.ids import new_id
from convoke.messaging.broker import connect, publishing_broker
from convoke.messaging.cloudevents import Event
from convoke.messaging.publisher import Publisher
from tests.integration.booking_service.conftest import NewTenant
from tests.integration.booking_service.replicas import Wire, replica
from tests.integration.booking_service.tenant import EVENT_TYPE, Tenant
from tests.support.eventually import eventually

ZOOM_TYPE = EVENT_TYPE | {"duration_minutes": 60}
NOT_ALLOWED = Finding(
    code="zoom_host_not_allowed", severity="error", title="May not schedule", detail="Zoom says so.", next_step="Ask."
)


def connection_of(organization_id: str, revision: int = 1, **other: Any) -> Connection:
    fields: dict[str, Any] = {
        "id": f"zc_{organization_id[-20:]}",
        "revision": revision,
        "organization_id": organization_id,
        "zoom_user_id": "KDcuGIm1QgePTO8WbOqwIQ",
        "zoom_account_id": "q6gBJVO5TzexKYTb_I2rpg",
        "email": "hanna@host.example",
        "plan": "licensed",
        "scopes": (),
        "missing_scopes": (),
        "status": "active",
        "enabled_for_new_bookings": True,
    }
    return Connection(**fields | other)


def event_of(data: ZoomConnected | ZoomDisconnected | ZoomSettingsChanged) -> Event[Any]:
    connection = data.connection
    return Event(new_id("evt"), "/auth-service", connection.id, utc_now(), connection.organization_id, data)


def connected(organization_id: str, revision: int = 1, **other: Any) -> Event[Any]:
    return event_of(ZoomConnected(connection=connection_of(organization_id, revision, **other)))


def disconnected(organization_id: str, revision: int, reason: Any = "user", **other: Any) -> Event[Any]:
    connection = connection_of(organization_id, revision, **other)
    return event_of(ZoomDisconnected(connection=connection, reason=reason))


def settings_changed(organization_id: str, revision: int, **other: Any) -> Event[Any]:
    connection = connection_of(organization_id, revision, **other)
    is_enabled = bool(connection.enabled_for_new_bookings)
    return event_of(ZoomSettingsChanged(connection=connection, enabled_for_new_bookings=is_enabled))


async def warned(tenant: Tenant) -> dict[str, Any]:
    """Return the codes that the tenant's event type warns of, the same wherever it is shown."""
    one = await tenant.get(f"/v1/event-types/{tenant.event_type_id}")
    [listed] = [each for each in (await tenant.get("/v1/event-types"))["items"] if each["id"] == one["id"]]
    assert listed == one
    return {warning["code"]: warning.get("hosts", {}).get("ids") for warning in one["warnings"]}


async def warns(tenant: Tenant, codes: dict[str, Any]) -> None:
    """Return once the event type warns of these and nothing else."""

    async def does() -> bool:
        assert await warned(tenant) == codes
        return True

    await eventually(does)


@pytest.fixture
async def zoom_type(tenant: Tenant, wire: Wire) -> Tenant:  # noqa: ARG001 - the service has declared its queues
    """A tenant whose event type takes an hour on Zoom."""
    tenant.event_type_id = await tenant.add_event_type(duration_minutes=60)
    return tenant


async def test_f29_an_event_type_warns_of_each_state_until_its_next(zoom_type: Tenant, publisher: Publisher):
    organization_id = zoom_type.organization_id
    assert await warned(zoom_type) == {"zoom_not_connected": None}
    ended = {"status": "disconnected"}
    dead = {"status": "reauthorization_required"}
    paused = {"enabled_for_new_bookings": False}
    steps: list[tuple[Event[Any], set[str]]] = [
        (connected(organization_id, 1), set()),
        (settings_changed(organization_id, 2, **paused), {"zoom_paused"}),
        (settings_changed(organization_id, 3), set()),
        (disconnected(organization_id, 4, "reauthorization_required", **dead), {"zoom_reauthorization_required"}),
        (connected(organization_id, 5, missing_scopes=("meeting:delete:meeting",)), {"zoom_scope_missing"}),
        (settings_changed(organization_id, 6, plan="basic"), {"zoom_basic_plan"}),
        (settings_changed(organization_id, 7, findings=(NOT_ALLOWED,)), {"zoom_host_not_allowed"}),
        (disconnected(organization_id, 8, **ended), {"zoom_not_connected"}),
    ]
    for event, codes in steps:
        await publisher.publish(event)
        await warns(zoom_type, dict.fromkeys(codes))


async def test_f12_f29_a_warning_says_which_hosts_it_concerns(zoom_type: Tenant, publisher: Publisher):
    other = await zoom_type.add_host(name="Grace")
    await publisher.publish(connected(zoom_type.organization_id, host_id=zoom_type.host_id))
    await warns(zoom_type, {"zoom_not_connected": [other]})


async def test_f29_a_connection_of_another_organization_changes_nothing(
    zoom_type: Tenant, new_tenant: NewTenant, publisher: Publisher
):
    stranger = await new_tenant(zoom_type.http)
    await publisher.publish(connected(stranger.organization_id))
    await warns(stranger, {})
    assert await warned(zoom_type) == {"zoom_not_connected": None}


async def test_f29_what_was_told_while_the_service_was_down_is_known_when_it_is_back(
    settings: Settings, new_tenant: NewTenant, fresh_vhost: str, fresh_database: str
):
    mine = settings.model_copy(update={"rabbitmq_url": SecretStr(fresh_vhost), "mongodb_database": fresh_database})
    async with replica(mine) as http:
        tenant = await new_tenant(http)
        await warns(tenant, {"zoom_not_connected": None})
    broker = publishing_broker(fresh_vhost)
    await connect(broker)
    # The newer one comes first, as it may after an outage.
    await Publisher(broker).publish(connected(tenant.organization_id, 2))
    await Publisher(broker).publish(disconnected(tenant.organization_id, 1, status="disconnected"))
    await broker.stop()
    async with replica(mine) as http:
        tenant.http = http
        await warns(tenant, {})


@pytest.fixture
async def connections(mongodb_url: str, fresh_database: str) -> AsyncIterator[ZoomConnections]:
    client: AsyncIOMotorClient[dict[str, Any]] = mongo.connect(mongodb_url)
    yield ZoomConnections(mongo.database(client, fresh_database)["zoom_connections"])
    client.close()


async def test_f29_every_order_of_the_events_ends_in_the_same_knowledge(connections: ZoomConnections):
    handlers = ZoomHandlers(connections)
    for number, order in enumerate(permutations(range(3))):
        organization_id = f"org_{number}"
        events = [
            connected(organization_id, 1),
            settings_changed(organization_id, 2, enabled_for_new_bookings=False),
            disconnected(organization_id, 3, status="disconnected", enabled_for_new_bookings=False),
        ]
        for index in (*order, *order):
            await handlers.remember_connection(events[index])
        [known] = await connections.of(organization_id)
        assert (known.revision, known.status, known.is_enabled) == (3, "disconnected", False)


async def test_f29_of_events_that_are_the_first_at_the_same_moment_the_newest_is_remembered(
    connections: ZoomConnections,
):
    """After an outage the first that is heard of a connection may be several events at once."""
    handlers = ZoomHandlers(connections)
    for number in range(50):
        organization_id = f"org_{number}"
        events = [connected(organization_id, revision) for revision in (1, 2, 3)]
        await asyncio.gather(*(handlers.remember_connection(event) for event in events))
        [known] = await connections.of(organization_id)
        assert known.revision == 3


async def test_f29_a_connected_event_that_is_told_late_or_again_does_not_revive_an_ended_connection(
    connections: ZoomConnections,
):
    """Events carry the connection as it is when they are published: `outbox replay` tells the newest of each again."""
    await ZoomHandlers(connections).remember_connection(connected("org_1", 2, status="disconnected"))
    [known] = await connections.of("org_1")
    assert known.status == "disconnected"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (connected("org_1", status=None, enabled_for_new_bookings=None), ("active", True)),
        (disconnected("org_1", 1, status=None, enabled_for_new_bookings=None), ("disconnected", True)),
        (
            disconnected("org_1", 1, "reauthorization_required", status=None, enabled_for_new_bookings=None),
            ("reauthorization_required", True),
        ),
        (settings_changed("org_1", 1, status=None, enabled_for_new_bookings=None), ("active", False)),
    ],
)
async def test_an_event_from_before_snapshots_had_a_status_is_understood(
    connections: ZoomConnections, event: Event[Any], expected: tuple[str, bool]
):
    await ZoomHandlers(connections).remember_connection(event)
    [known] = await connections.of("org_1")
    assert (known.status, known.is_enabled) == expected


async def test_f23_an_event_type_made_before_connecting_warns_in_its_answer_and_may_be_refused_instead(
    zoom_type: Tenant, publisher: Publisher
):
    warning = (await zoom_type.call("POST", "/v1/event-types", json=ZOOM_TYPE)).json()["warnings"][0]
    assert warning.keys() == {"code", "title", "detail", "next_step"}
    assert warning["code"] == "zoom_not_connected"
    insisting = ZOOM_TYPE | {"require_connection": True}
    refused = await zoom_type.call("POST", "/v1/event-types", json=insisting, key="k")
    assert (refused.status_code, refused.json()["type"]) == (409, "zoom-not-connected")
    phone = insisting | {"location": {"kind": "phone", "detail": "+49 30 1"}}
    assert (await zoom_type.call("POST", "/v1/event-types", json=phone)).status_code == 201

    await publisher.publish(connected(zoom_type.organization_id))
    await warns(zoom_type, {})
    made = await zoom_type.call("POST", "/v1/event-types", json=insisting, key="k")
    assert (made.status_code, made.json()["warnings"]) == (201, [])

    await publisher.publish(disconnected(zoom_type.organization_id, 2, status="disconnected"))
    await warns(zoom_type, {"zoom_not_connected": None})
    again = await zoom_type.call("POST", "/v1/event-types", json=insisting, key="k")
    assert (again.status_code, again.json()) == (201, made.json())
