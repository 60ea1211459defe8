"""Pausing Zoom: no replica makes a meeting from then on, what exists is moved and deleted, and resuming makes up."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from local_stack.tenant import Tenant, wait_for
from tests.integration.security.system import System

Json = dict[str, Any]
NINE = (datetime.now(UTC) + timedelta(days=3)).replace(hour=9, minute=0, second=0, microsecond=0)
ENOUGH_FOR_BOTH_REPLICAS = 8


def at(hours: int) -> str:
    return (NINE + timedelta(hours=hours)).isoformat()


@pytest.fixture
def book(tenant: Tenant) -> Callable[[int], str]:
    """Book the tenant's host, whose own Zoom is connected, at some hours after nine; returns the booking's id."""
    host_id = tenant.add_host_with_zoom("paused", 1)
    event_type = tenant.add_event_type(title="Talk", duration_minutes=30, location={"kind": "zoom"})
    invitee = {"name": "Gus", "email": "gus@guest.example", "timezone": "Europe/Paris"}

    def book(hours: int) -> str:
        booking = tenant.book(event_type_id=event_type["id"], host_id=host_id, starts_at=at(hours), invitee=invitee)
        return str(booking["id"])

    return book


def switch(tenant: Tenant, *, is_enabled: bool) -> Json:
    [connection] = tenant.call("auth-service", "GET", "/v1/zoom/connections")["items"]
    path = f"/v1/zoom/connections/{connection['id']}"
    return tenant.call("auth-service", "PATCH", path, {"enabled_for_new_bookings": is_enabled})


def meeting(tenant: Tenant, booking_id: str, status: str, reason: str | None = None) -> Json:
    """Return a booking's meeting once it has that status, for that reason."""

    def found() -> Json | None:
        meeting: Json = tenant.booking(booking_id)["meeting"]
        is_so = meeting["status"] == status and meeting.get("reason", {}).get("code") == reason
        return meeting if is_so else None

    return wait_for(f"{status} {reason}", found, within=20)


def warned(tenant: Tenant) -> set[str]:
    [event_type] = tenant.call("booking-service", "GET", "/v1/event-types")["items"]
    return {warning["code"] for warning in event_type["warnings"]}


def made(system: System) -> int:
    calls = httpx.get(f"{system.urls['zoom']}/sandbox/calls", params={"operation": "create_meeting"}, trust_env=False)
    return len(calls.json())


def at_zoom(system: System, meeting_id: int) -> Json:
    meetings = httpx.get(f"{system.urls['zoom']}/sandbox/meetings", trust_env=False).json()
    return next(each for each in meetings if each["id"] == meeting_id)


def test_f28_f29_pause_stops_creates_on_every_replica_and_nothing_else_and_resuming_makes_up(
    system: System, tenant: Tenant, book: Callable[[int], str]
):
    existing = [book(hours) for hours in range(ENOUGH_FOR_BOTH_REPLICAS)]
    links = {booking_id: meeting(tenant, booking_id, "ready") for booking_id in existing}

    assert switch(tenant, is_enabled=False)["enabled_for_new_bookings"] is False
    wait_for("the warning", lambda: warned(tenant) == {"zoom_paused"})
    before = made(system)
    owed = [book(24 + hours) for hours in range(ENOUGH_FOR_BOTH_REPLICAS)]
    for booking_id in owed:
        reason = meeting(tenant, booking_id, "failed", "zoom_paused")["reason"]
        assert "Switch Zoom on again" in reason["action"]
    assert made(system) == before

    moved, canceled = existing[:2]
    tenant.reschedule(moved, at(48), "Train strike")
    assert meeting(tenant, moved, "ready") == links[moved]
    assert at_zoom(system, links[moved]["id"])["start_time"] == at(48).replace("+00:00", "Z")
    tenant.cancel(canceled, "Ill")
    meeting(tenant, canceled, "canceled")
    assert at_zoom(system, links[canceled]["id"])["deleted"]
    assert made(system) == before

    assert switch(tenant, is_enabled=True)["enabled_for_new_bookings"] is True
    new = {meeting(tenant, booking_id, "ready")["join_url"] for booking_id in owed}
    assert len(new) == ENOUGH_FOR_BOTH_REPLICAS
    assert warned(tenant) == set()
