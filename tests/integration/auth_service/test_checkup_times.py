"""When Zoom is asked in a check-up: daily, on request, again after an outage, once for all, and never after an end."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from auth_service.mongo.checkups import Checkups
from auth_service.mongo.documents import connection_of
from auth_service.settings import Settings
from convoke import mongo
from convoke.clock import utc_now
from tests.integration.auth_service.checkups import CheckedUp, ask, codes, looks, one
from tests.integration.auth_service.replicas import Caller, MovableClock, replica, soon
from tests.integration.auth_service.test_disconnecting import disconnect
from tests.integration.auth_service.test_refreshing import events_about, settled
from tests.integration.auth_service.zoom_app import Zoom

Connect = Callable[..., Awaitable[dict[str, Any]]]


async def test_b9_f11_a_daily_look_finds_what_changed_at_zoom_and_tells_it(
    *, product: Caller, zoom: Zoom, checked_up: CheckedUp, clock: MovableClock, database: Any, rabbitmq_url: str
):
    connection = await checked_up()
    await zoom.user("host-1", type=1, email="new@host.example")
    clock.advance(hours=27)

    async def changed() -> bool:
        found = await one(product, connection["id"])
        return (found["plan"], found["email"]) == ("basic", "new@host.example")

    await soon(changed)
    assert codes(await one(product, connection["id"])) == {"zoom_basic_plan"}
    await settled(database)
    _, told = await events_about(connection["id"], rabbitmq_url)
    assert (told.data.event_type, told.data.connection.plan) == ("zoom.settings_changed.v1", "basic")
    row = await database["connections"].find_one()
    assert 20 <= (row["checkup"]["due_at"] - clock()).total_seconds() / 3600 <= 27


async def test_b9_on_request_zoom_is_asked_at_once_and_not_too_often(
    product: Caller, zoom: Zoom, checked_up: CheckedUp, clock: MovableClock
):
    connection = await checked_up()
    await zoom.turn(passcodes=False)
    before = await looks(zoom)
    answers = await asyncio.gather(*(ask(product, connection["id"]) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 429, 429, 429, 429]
    assert await looks(zoom) == before + 1
    [found] = [answer.json() for answer in answers if answer.status_code == 200]
    assert codes(found) == {"zoom_no_passcode"}
    assert found["checked_at"] > connection["checked_at"]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert (refused.json()["type"], int(refused.headers["retry-after"]) <= 30) == ("too-many-checkups", True)
    clock.advance(seconds=31)
    assert (await ask(product, connection["id"])).status_code == 200


@pytest.mark.parametrize("kind", ["down", "status", "rate_limited_second"])
async def test_b9_while_zoom_is_out_the_old_findings_stay_and_it_is_asked_again(
    *, product: Caller, zoom: Zoom, checked_up: CheckedUp, clock: MovableClock, database: Any, kind: str
):
    await zoom.turn(passcodes=False)
    connection = await checked_up()
    await zoom.turn(passcodes=True)
    await zoom.fault("get_user_settings", kind, times=None)
    refused = await ask(product, connection["id"])
    assert (refused.status_code, refused.json()["type"]) == (503, "zoom-unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert await one(product, connection["id"]) == connection
    row = await database["connections"].find_one()
    assert (row["checkup"]["failures"], row["checkup"]["lease"]) == (1, None)
    assert row["checkup"]["due_at"] > clock()
    await zoom.heal()
    clock.advance(minutes=1)

    async def mended() -> bool:
        return codes(await one(product, connection["id"])) == set()

    await soon(mended)


async def test_b9_a_disconnected_connection_is_not_asked_about_until_it_is_connected_again(
    *, product: Caller, connect: Connect, zoom: Zoom, checked_up: CheckedUp, clock: MovableClock, database: Any
):
    connection = await checked_up()
    await disconnect(product, connection["id"])
    assert codes((await ask(product, connection["id"])).json()) == {"zoom_not_connected"}
    before = await looks(zoom)
    clock.advance(days=2)

    async def rests() -> bool:
        return "due_at" not in (await database["connections"].find_one())["checkup"]

    await soon(rests)
    assert await looks(zoom) == before
    again = await connect(product, host_id="hst_1")

    async def looked_at() -> bool:
        return bool((await one(product, again["id"]))["checked_at"])

    await soon(looked_at)


async def test_b9_a_check_up_calls_zoom_no_more_once_the_connection_is_ended(
    product: Caller, zoom: Zoom, checked_up: CheckedUp
):
    connection = await checked_up()
    before = await looks(zoom)
    await zoom.forget_calls()
    await zoom.fault("get_user", "slow", delay_seconds=1)
    asked = asyncio.create_task(ask(product, connection["id"]))

    async def is_under_way() -> bool:
        return bool((await zoom.http.get("/sandbox/calls", params={"operation": "get_user"})).json())

    await soon(is_under_way)
    await zoom.fault("revoke", "down")  # what is left of the check-up must not be stopped by Zoom
    await disconnect(product, connection["id"])
    assert codes((await asked).json()) == {"zoom_not_connected"}
    assert (before, await looks(zoom)) == (1, 0)


async def test_b9_nobody_is_told_to_wait_longer_than_between_two_check_ups(
    checked_up: CheckedUp, database: Any, store: mongo.Database
):
    """Also where another request was counted after this one had begun."""
    await checked_up()
    connection = connection_of(await database["connections"].find_one())
    began = utc_now()
    counted, then = began + timedelta(seconds=1), began + timedelta(seconds=1.5)
    assert await Checkups(store, lambda: counted).may_ask(connection) is None
    assert await Checkups(store, iter([began, then]).__next__).may_ask(connection) == timedelta(seconds=29.5)


async def test_b9_connections_from_before_there_were_check_ups_are_looked_at_and_told(
    *,
    product: Caller,
    checked_up: CheckedUp,
    settings: Settings,
    clock: MovableClock,
    database: Any,
    rabbitmq_url: str,
):
    """So whoever listens since this version learns of all connections at once, without a replay."""
    connection = await checked_up()
    await settled(database)
    await events_about(connection["id"], rabbitmq_url)
    await database["connections"].update_one({}, {"$unset": {"checkup": ""}})
    assert (await one(product, connection["id"]))["checked_at"] is None
    async with replica(settings, clock):
        clock.advance(minutes=1)
        await soon(lambda: has_been_told(database))
        told = (await events_about(connection["id"], rabbitmq_url))[0].data
        assert (told.event_type, told.connection.status) == ("zoom.settings_changed.v1", "active")
        clock.advance(hours=5)

        async def looked_at() -> bool:
            return bool((await one(product, connection["id"]))["checked_at"])

        await soon(looked_at)


async def has_been_told(database: Any) -> bool:
    row = await database["connections"].find_one({"outbox": []})
    return row is not None and "checkup" in row


async def test_b9_two_replicas_look_once(
    product: Caller, connect: Connect, zoom: Zoom, settings: Settings, clock: MovableClock
):
    async with replica(settings, clock):
        own = await connect(product)

        async def looked_at() -> bool:
            return bool((await one(product, own["id"]))["checked_at"])

        await soon(looked_at)
        first = datetime.fromisoformat((await one(product, own["id"]))["checked_at"])
        clock.advance(hours=27)

        async def again() -> bool:
            return datetime.fromisoformat((await one(product, own["id"]))["checked_at"]) > first

        await soon(again)
    assert await looks(zoom) == 2
