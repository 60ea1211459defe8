"""Check-ups: what Zoom says of a connection's user is found, kept, shown and told, and only where it is news."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from auth_service.domain.connections import Finding
from auth_service.mongo.checkups import Checkups
from auth_service.mongo.documents import connection_of
from auth_service.settings import Settings
from convoke import mongo
from convoke.clock import utc_now
from tests.integration.auth_service.replicas import Caller, MovableClock, replica, soon
from tests.integration.auth_service.test_disconnecting import disconnect
from tests.integration.auth_service.test_refreshing import events_about, settled
from tests.integration.auth_service.zoom_app import Zoom
from tests.support.eventually import eventually
from zoom_sandbox.users import APP_SCOPES

Connect = Callable[..., Awaitable[dict[str, Any]]]
CheckedUp = Callable[..., Awaitable[dict[str, Any]]]


async def one(product: Caller, connection_id: str) -> dict[str, Any]:
    answer = await product.call("GET", f"/v1/zoom/connections/{connection_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def ask(product: Caller, connection_id: str) -> httpx.Response:
    return await product.call("POST", f"/v1/zoom/connections/{connection_id}/checkup")


def codes(connection: dict[str, Any]) -> set[str]:
    return {finding["code"] for finding in connection["findings"]}


async def looks(zoom: Zoom) -> int:
    """Return how often Zoom was asked for its user's settings, as only a check-up does."""
    return len((await zoom.http.get("/sandbox/calls", params={"operation": "get_user_settings"})).json())


@pytest.fixture
def checked_up(product: Caller, connect: Connect) -> CheckedUp:
    """Connect a host and return the connection as the check-up at connecting found it."""

    async def checked_up(user_id: str = "host-1", host_id: str | None = "hst_1") -> dict[str, Any]:
        made = await connect(product, host_id=host_id, user_id=user_id)

        async def found() -> Any:
            connection = await one(product, made["id"])
            return connection if connection["checked_at"] else None

        connection: dict[str, Any] = await eventually(found)
        return connection

    return checked_up


async def test_b9_f10_f11_a_sound_connection_is_shown_with_its_account_and_nothing_is_told_of_its_check_up(
    product: Caller, checked_up: CheckedUp, database: Any, rabbitmq_url: str
):
    connection = await checked_up()
    assert (connection["status"], connection["email"]) == ("active", "host-1@example.com")
    assert (connection["zoom_user_id"], connection["zoom_account_id"]) == ("host-1", "account-pro")
    assert (connection["plan"], connection["findings"], connection["next_step"]) == ("licensed", [], None)
    await settled(database)
    [connected] = await events_about(connection["id"], rabbitmq_url)
    assert connected.data.event_type == "zoom.connected.v1"
    assert connected.data.connection.findings == ()
    assert await one(product, connection["id"]) == connection


async def test_b9_f17_at_connecting_what_zoom_says_is_found_and_told_once(
    zoom: Zoom, checked_up: CheckedUp, database: Any, rabbitmq_url: str
):
    await zoom.user("basic-1", waiting_room=True)
    connection = await checked_up("basic-1")
    assert codes(connection) == {"zoom_basic_plan", "zoom_waiting_room"}
    assert all(finding["next_step"] and finding["detail"] for finding in connection["findings"])
    await settled(database)
    connected, changed = await events_about(connection["id"], rabbitmq_url)
    assert changed.data.event_type == "zoom.settings_changed.v1"
    assert {finding.code for finding in changed.data.connection.findings} == codes(connection)
    assert changed.data.connection.revision > connected.data.connection.revision


async def test_b9_f75_scopes_are_shown_granted_or_missing_each_with_its_purpose(zoom: Zoom, checked_up: CheckedUp):
    lacking = {"meeting:delete:meeting", "user:read:settings"}
    await zoom.user("host-1", scopes=[scope for scope in APP_SCOPES if scope not in lacking])
    connection = await checked_up()
    assert {scope["scope"] for scope in connection["needed_scopes"] if not scope["is_granted"]} == lacking
    assert {scope["scope"] for scope in connection["needed_scopes"] if scope["is_optional"]} == {"user:read:settings"}
    assert all(scope["purpose"] for scope in connection["needed_scopes"])
    assert codes(connection) == {"zoom_scope_missing", "zoom_optional_scope_missing"}
    assert "allow every permission" in connection["next_step"]


@pytest.mark.parametrize("user", [{"may_schedule": False}, {"type": 4}, {"status": "inactive"}, {"status": "pending"}])
async def test_b9_a_user_who_may_not_schedule_is_found_before_a_guest_is_hit(
    zoom: Zoom, checked_up: CheckedUp, user: dict[str, Any]
):
    await zoom.user("host-1", **user)
    connection = await checked_up()
    [finding] = connection["findings"]
    assert (finding["code"], finding["severity"]) == ("zoom_host_not_allowed", "error")
    assert connection["next_step"] == finding["next_step"]


@pytest.mark.parametrize(
    ("switches", "code"),
    [({"passcodes": False}, "zoom_no_passcode"), ({"passcode_in_link": False}, "zoom_passcode_not_in_link")],
)
async def test_b9_the_passcode_policy_is_found(zoom: Zoom, checked_up: CheckedUp, switches: dict[str, bool], code: str):
    await zoom.turn(**switches)
    assert codes(await checked_up()) == {code}


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


async def test_b9_f14_a_token_that_zoom_refuses_is_replaced_and_where_that_fails_the_owner_is_asked_once(
    *, product: Caller, zoom: Zoom, checked_up: CheckedUp, database: Any, rabbitmq_url: str
):
    connection = await checked_up()
    await settled(database)
    await events_about(connection["id"], rabbitmq_url)
    assert (await zoom.http.post("/sandbox/deauthorize", json={"user_id": "host-1"})).is_success
    found = (await ask(product, connection["id"])).json()
    assert (found["status"], codes(found)) == ("reauthorization_required", {"zoom_reauthorization_required"})
    assert "Connect Zoom again" in found["next_step"]
    assert (await ask(product, connection["id"])).json() == found
    await settled(database)
    [told] = await events_about(connection["id"], rabbitmq_url)
    assert (told.data.event_type, told.data.reason) == ("zoom.disconnected.v1", "reauthorization_required")


async def test_b9_a_fresh_token_is_enough_where_only_the_old_one_is_refused(
    product: Caller, zoom: Zoom, checked_up: CheckedUp, database: Any, meeting_service: Caller
):
    connection = await checked_up()
    asked = {"organization_id": product.organization_id, "connection_id": connection["id"]}
    await zoom.turn(refresh_ends_access_token=True)
    before = (await meeting_service.access_token(**asked)).json()["access_token"]
    row = await database["connections"].find_one()
    await zoom.http.post("/sandbox/clock", json={"advance_seconds": 3700})  # Zoom's clock alone: it is over there
    found = await ask(product, connection["id"])
    assert (found.status_code, found.json()["status"]) == (200, "active")
    after = await database["connections"].find_one()
    assert after["tokens"]["version"] == row["tokens"]["version"] + 1
    assert (await meeting_service.access_token(**asked)).json()["access_token"] != before


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


async def test_b9_what_was_found_under_a_consent_is_not_stored_under_the_next_one(
    *, product: Caller, connect: Connect, zoom: Zoom, database: Any, store: mongo.Database
):
    """Its scopes may be others; else they would be looked at only a day later."""
    await zoom.fault("get_user_settings", "down", times=None)
    await connect(product)
    before = connection_of(await database["connections"].find_one())
    await connect(product)
    found = (Finding("zoom_scope_missing", "error", "A permission is missing", "", ""),)
    assert await Checkups(store).store(before, before.user, found) is None
    assert (await database["connections"].find_one())["checkup"]["found"] == []


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
