"""Check-ups: what Zoom says of a connection's user is found, kept, shown and told, and only where it is news."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from auth_service.domain.connections import Finding
from auth_service.mongo.checkups import Checkups
from auth_service.mongo.documents import connection_of
from convoke import mongo
from tests.integration.auth_service.checkups import CheckedUp, ask, codes, one
from tests.integration.auth_service.replicas import Caller
from tests.integration.auth_service.test_refreshing import events_about, settled
from tests.integration.auth_service.zoom_app import Zoom
from zoom_sandbox.users import APP_SCOPES

Connect = Callable[..., Awaitable[dict[str, Any]]]


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
