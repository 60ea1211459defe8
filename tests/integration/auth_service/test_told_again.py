"""What auth-service published and the broker lost: connections and relayed webhooks, told again as they are now."""

from collections.abc import Awaitable, Callable
from typing import Any

from auth_service.app import outbox_replay
from auth_service.settings import Settings
from convoke.clock import utc_now
from convoke.messaging.cloudevents import Event
from convoke.messaging.outbox_replay import Wanted
from tests.integration.auth_service.replicas import Caller
from tests.integration.auth_service.test_disconnecting import disconnect
from tests.integration.auth_service.test_refreshing import events_about, settled
from tests.integration.auth_service.test_webhooks import changed, post, relayed
from tests.support.eventually import eventually

Connect = Callable[..., Awaitable[dict[str, Any]]]


async def test_a_connection_is_told_again_as_it_is_now(
    *, product: Caller, connect: Connect, database: Any, rabbitmq_url: str, settings: Settings
):
    since = utc_now()
    connection = await connect(product, host_id="hst_1")
    assert await disconnect(product, connection["id"]) == 204
    await settled(database)
    connected, disconnected = await events_about(connection["id"], rabbitmq_url)
    async with outbox_replay(settings) as replay:

        async def both_counted() -> bool:
            return await replay.count(Wanted(since)) == {"zoom.connected.v1": 1, "zoom.disconnected.v1": 1}

        await eventually(both_counted)  # a replay reads what a majority has
        assert [event.id async for event in replay.tell(Wanted(since))] == [disconnected.id, connected.id]
    first, second = await events_about(connection["id"], rabbitmq_url)
    assert (first.id, first.time, first.data) == (disconnected.id, disconnected.time, disconnected.data)
    assert second.data.connection == disconnected.data.connection


async def test_what_changed_inside_zoom_is_told_again_to_each_organization(
    *,
    new_product: Callable[[], Awaitable[Caller]],
    connect: Connect,
    database: Any,
    rabbitmq_url: str,
    settings: Settings,
):
    one, other = await new_product(), await new_product()
    for product in (one, other):
        await connect(product)
    since = utc_now()
    assert (await post(one.http, changed())).status_code == 204
    [told] = await relayed(database, rabbitmq_url, one.organization_id)
    async with outbox_replay(settings) as replay:
        wanted = Wanted(since, "zoom.meeting_changed.v1")
        await eventually(lambda: replay.count(wanted))
        again: list[Event[Any]] = [event async for event in replay.tell(wanted)]
    assert {event.organization_id for event in again} == {one.organization_id, other.organization_id}
    assert await relayed(database, rabbitmq_url, one.organization_id) == [told]
