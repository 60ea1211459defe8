"""What there is to know about a connection, from what Zoom said of its user."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from auth_service.domain.connections import Connection, Owner, ZoomUser
from auth_service.domain.findings import NO_PASSCODE, Account, findings_of, found_at_zoom
from auth_service.domain.scopes import NEEDED_SCOPES, OPTIONAL_SCOPES

NOW = datetime(2026, 11, 20, tzinfo=UTC)
USER = ZoomUser("zoom-user", "zoom-account", "hanna@host.example", "licensed")
ALL = tuple(scope.name for scope in (*NEEDED_SCOPES, *OPTIONAL_SCOPES))
SOUND = Account(USER, "active", may_schedule=True, waiting_room=False, asks_for_passcode=True, passcode_in_link=True)


def connection(**other: Any) -> Connection:
    known = Connection(
        id="zc_1",
        revision=1,
        owner=Owner("org_1", "hst_1"),
        status="active",
        user=USER,
        scopes=ALL,
        api_url="https://api.zoom.us",
        enabled_for_new_bookings=True,
        connected_at=NOW,
        connected_since=NOW,
        token_version=1,
        sealed_data_key="",
        sealed_access_token="",
        sealed_refresh_token="",
        expires_at=NOW,
        due_at=None,
        refresh_failures=0,
        refresh_failed_at=None,
        found=(),
    )
    return replace(known, **other)


def codes(account: Account, scopes: tuple[str, ...] = ALL) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity) for finding in found_at_zoom(scopes, account)]


def test_b9_a_sound_connection_has_no_findings():
    assert codes(SOUND) == []
    assert findings_of(connection()) == ()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"status": "inactive"}, ("zoom_host_not_allowed", "error")),
        ({"status": "pending", "may_schedule": False}, ("zoom_host_not_allowed", "error")),
        ({"may_schedule": False}, ("zoom_host_not_allowed", "error")),
        ({"waiting_room": True}, ("zoom_waiting_room", "notice")),
        ({"asks_for_passcode": False, "passcode_in_link": False}, ("zoom_no_passcode", "warning")),
        ({"passcode_in_link": False}, ("zoom_passcode_not_in_link", "notice")),
    ],
)
def test_b9_each_thing_that_zoom_says_is_one_finding(said: dict[str, Any], expected: tuple[str, str]):
    assert codes(replace(SOUND, **said)) == [expected]


def test_b9_what_zoom_did_not_say_is_no_finding():
    assert codes(Account()) == []


@pytest.mark.parametrize("missing", NEEDED_SCOPES, ids=lambda scope: scope.name)
def test_b9_f75_each_missing_permission_is_found_with_its_purpose(missing: Any):
    [finding] = found_at_zoom(tuple(name for name in ALL if name != missing.name), SOUND)
    assert (finding.code, finding.severity) == ("zoom_scope_missing", "error")
    assert missing.name in finding.detail
    assert missing.purpose in finding.detail


def test_b9_f75_an_optional_permission_is_no_error():
    assert codes(SOUND, tuple(scope.name for scope in NEEDED_SCOPES)) == [("zoom_optional_scope_missing", "notice")]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"status": "disconnected"}, ["zoom_not_connected"]),
        ({"status": "reauthorization_required"}, ["zoom_reauthorization_required"]),
        ({"enabled_for_new_bookings": False}, ["zoom_paused", "zoom_no_passcode"]),
        ({"user": replace(USER, plan="basic")}, ["zoom_basic_plan", "zoom_no_passcode"]),
        ({"user": replace(USER, plan="unassigned")}, ["zoom_host_not_allowed", "zoom_no_passcode"]),
    ],
)
def test_b9_f17_f28_a_connections_own_state_comes_first_and_an_ended_one_has_no_other(
    state: dict[str, Any], expected: list[str]
):
    assert [finding.code for finding in findings_of(connection(found=(NO_PASSCODE,), **state))] == expected


@pytest.mark.parametrize(("plan", "at_once"), [("basic", "one meeting at a time"), ("licensed", "2 meetings")])
def test_b10_a_shared_connection_says_how_many_meetings_it_holds_at_a_time(plan: Any, at_once: str):
    shared = connection(owner=Owner("org_1"), user=replace(USER, plan=plan))
    [finding] = [one for one in findings_of(shared) if one.code == "zoom_meetings_at_once"]
    assert at_once in finding.detail
    assert finding.severity == "notice"


def test_an_unassigned_user_who_may_not_schedule_is_told_once():
    user = replace(USER, plan="unassigned")
    assert found_at_zoom(ALL, replace(SOUND, user=user, may_schedule=False)) == ()
