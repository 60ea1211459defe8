"""Zoom's one-time refresh tokens, whose answers get lost or come late: at most one reconnect is asked for, and told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aio_pika

from auth_service.handlers.refreshing import LEASE, Refreshing
from auth_service.messaging import events_of
from auth_service.mongo.clients import Clients
from auth_service.mongo.connections import Connections
from auth_service.mongo.documents import connection_of
from auth_service.mongo.refreshes import Refreshes
from auth_service.mongo.sealed_tokens import SealedTokens
from auth_service.settings import Settings
from auth_service.zoom import Zoom as ZoomClient
from auth_service.zoom import http_client
from convoke import mongo
from convoke.contracts.topology import MEETING_SERVICE_ZOOM
from convoke.due_work import DueWork
from convoke.messaging import connections as rabbitmq
from convoke.messaging.cloudevents import Event, parse
from convoke.messaging.outbox import Outbox
from convoke.vault import Vault
from tests.integration.auth_service.conftest import product_of
from tests.integration.auth_service.replicas import Caller, MovableClock, replica, soon
from tests.integration.auth_service.zoom_app import Zoom
from tests.support.eventually import eventually

Connect = Callable[..., Awaitable[dict[str, Any]]]


async def events_about(connection_id: str, rabbitmq_url: str) -> list[Event[Any]]:
    """Take everything off meeting-service's queue and return what concerns one connection.

    A second copy is dropped, as meeting-service drops it: a moved clock has what is being published published again.
    """
    taken: dict[str, Event[Any]] = {}
    connection = await aio_pika.connect(rabbitmq_url)
    async with connection, connection.channel() as channel:
        queue = await channel.get_queue(MEETING_SERVICE_ZOOM.queue)
        while message := await queue.get(fail=False):
            await message.ack()
            event = parse(message.body)
            taken.setdefault(event.id, event)
    return [event for event in taken.values() if event.subject == connection_id]


async def settled(database: Any) -> dict[str, Any]:
    """Return the only connection once it has nothing left to publish."""

    async def published() -> Any:
        return await database["connections"].find_one({"outbox": []})

    row: dict[str, Any] = await eventually(published)
    return row


async def all_told(database: Any) -> None:
    """Return once no connection has anything left to publish."""

    async def nothing_left() -> bool:
        return await database["connections"].find_one({"outbox": {"$ne": []}}) is None

    await soon(nothing_left)


async def test_connecting_and_reconnecting_are_told_to_the_other_services(
    product: Caller, connect: Connect, database: Any, rabbitmq_url: str
):
    connection = await connect(product, host_id="hst_1", user_id="host-1")
    await connect(product, host_id="hst_1", user_id="host-2")
    await settled(database)
    first, second = await events_about(connection["id"], rabbitmq_url)
    assert first.data.event_type == second.data.event_type == "zoom.connected.v1"
    assert first.organization_id == product.organization_id
    assert first.data.previous_zoom_user_id is None
    assert second.data.previous_zoom_user_id == "host-1"
    assert second.data.connection.zoom_user_id == "host-2"
    assert second.data.connection.host_id == "hst_1"


async def test_after_a_lost_answer_the_old_token_is_tried_once_more_and_then_the_owner_is_asked(
    *, product: Caller, connect: Connect, zoom: Zoom, clock: MovableClock, database: Any, rabbitmq_url: str
):
    """E2: Zoom rotated the token and its answer was lost."""
    connection = await connect(product)
    await zoom.forget_calls()
    await zoom.fault("token", "answer_lost")
    clock.advance(hours=1)

    async def is_given_up() -> bool:
        return bool((await database["connections"].find_one())["status"] == "reauthorization_required")

    await soon(is_given_up)
    assert [call["status"] for call in await zoom.token_calls()] == [200, 400]
    row = await settled(database)
    assert "due_at" not in row
    clock.advance(days=8)
    kinds = [event.data.event_type for event in await events_about(connection["id"], rabbitmq_url)]
    assert kinds == ["zoom.connected.v1", "zoom.disconnected.v1"]
    assert len(await zoom.token_calls()) == 2


async def test_after_a_lost_answer_zooms_grace_saves_the_connection(
    product: Caller, connect: Connect, meeting_service: Caller, zoom: Zoom, clock: MovableClock
):
    """E2, where Zoom still takes the old token."""
    await connect(product, host_id="hst_1")
    await zoom.turn(refresh_grace=True)
    await zoom.fault("token", "answer_lost")
    clock.advance(hours=1)

    async def works() -> bool:
        answer = await meeting_service.access_token(organization_id=product.organization_id, host_id="hst_1")
        return answer.status_code == 200 and await zoom.accepts(answer.json()["access_token"])

    await soon(works)
    assert [connection["status"] for connection in await product.connections()] == ["active"]


async def test_a_reconnect_revives_a_connection_that_was_given_up(
    product: Caller, connect: Connect, meeting_service: Caller, zoom: Zoom, clock: MovableClock
):
    connection = await connect(product, host_id="hst_1")
    await zoom.fault("token", "stale_refresh_token")
    clock.advance(hours=1)
    asked = {"organization_id": product.organization_id, "connection_id": connection["id"]}
    assert (await meeting_service.access_token(**asked)).status_code == 409
    assert (await connect(product, host_id="hst_1"))["id"] == connection["id"]
    assert (await meeting_service.access_token(**asked)).status_code == 200


async def test_a_refusal_that_comes_after_the_owner_has_reconnected_harms_nobody(
    product: Caller, connect: Connect, zoom: Zoom, clock: MovableClock, database: Any
):
    """E3: the row is read again before a connection is called dead."""
    await connect(product)
    await zoom.forget_calls()
    await zoom.fault("token", "slow", delay_seconds=1)
    clock.advance(hours=1)
    called: list[dict[str, Any]] = await eventually(zoom.token_calls)
    assert called[0]["status"] is None
    await connect(product)

    async def refused() -> bool:
        return [call["status"] for call in await zoom.token_calls()] == [400, 200]

    await soon(refused)
    row = await settled(database)
    assert (row["status"], row["tokens"]["version"]) == ("active", 2)


@asynccontextmanager
async def refreshing_at(settings: Settings) -> AsyncIterator[tuple[Refreshes, DueWork, Refreshing]]:
    """Build what refreshes, without the worker around it."""
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    tokens = SealedTokens(Vault(settings.encryption_keys))
    store = Refreshes(mongo.database(client, settings.mongodb_database), tokens)
    unconnected = rabbitmq.Connections(settings.rabbitmq_url.get_secret_value()).publisher
    async with http_client(settings.zoom_oauth_url) as http:
        zoom = ZoomClient(
            http,
            oauth_url=settings.zoom_oauth_url,
            api_url=settings.zoom_api_url,
            client_id=settings.zoom_client_id,
            client_secret=settings.zoom_client_secret.get_secret_value(),
            redirect_uri=settings.redirect_uri,
        )
        connections = Connections(mongo.database(client, settings.mongodb_database), tokens)
        outbox = Outbox(store.collection, unconnected, events_of)
        refreshing = Refreshing(store, connections, tokens, zoom, outbox)
        yield store, DueWork(store.collection, LEASE), refreshing
    client.close()


async def test_new_tokens_that_arrive_after_another_replica_gave_up_revive_the_connection(
    *, settings: Settings, clock: MovableClock, clients: Clients, connect: Connect, zoom: Zoom, database: Any
):
    """E3: the replica that was refused was the slower one."""
    async with replica(settings, clock) as http:
        await connect(await product_of(http, clients))
    await zoom.forget_calls()
    await zoom.fault("token", "slow", delay_seconds=0.5)
    await database["connections"].update_one({}, {"$set": {"due_at": clock(), "outbox": []}})
    async with refreshing_at(settings) as (store, due, refreshing):
        claim = await due.claim()
        assert claim is not None
        waiting = asyncio.create_task(refreshing.refresh(claim))
        await eventually(zoom.token_calls)
        assert await store.give_up(connection_of(claim.document))
        await waiting
    row = await database["connections"].find_one()
    assert (row["status"], row["tokens"]["version"]) == ("active", 2)
    kinds = [entry["type"] for entry in row["outbox"]]
    assert kinds == ["zoom.disconnected.v1", "zoom.connected.v1"]
