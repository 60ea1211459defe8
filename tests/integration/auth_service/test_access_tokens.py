"""Handing out Zoom's access tokens: whose, how fresh, and what meeting-service is told where there is none."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from auth_service.settings import Settings
from tests.integration.auth_service.replicas import SERVICE, SERVICE_SECRET, Caller, MovableClock, replica, soon
from tests.integration.auth_service.test_connecting import is_checked_up
from tests.integration.auth_service.zoom_app import Zoom

Connect = Callable[..., Awaitable[dict[str, Any]]]


def fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:16]


def slug(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"]


async def test_f12_the_hosts_own_connection_wins_and_its_token_works_at_zoom(
    product: Caller, connect: Connect, meeting_service: Caller, zoom: Zoom, sandbox: str
):
    await connect(product, user_id="host-1")
    own = await connect(product, host_id="hst_1", user_id="host-2")
    answer = await meeting_service.access_token(organization_id=product.organization_id, host_id="hst_1")
    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert body["connection_id"] == own["id"]
    assert (body["zoom_user_id"], body["email"], body["api_url"]) == ("host-2", "host-2@example.com", sandbox)
    assert (body["zoom_account_id"], body["plan"]) == ("account-pro", "licensed")
    assert "meeting:write:meeting" in body["scopes"]
    assert await zoom.accepts(body["access_token"])


async def test_a_host_without_a_connection_uses_the_organizations(
    product: Caller, connect: Connect, meeting_service: Caller
):
    shared = await connect(product)
    answer = await meeting_service.access_token(organization_id=product.organization_id, host_id="hst_9")
    assert answer.json()["connection_id"] == shared["id"]


async def test_f12_a_broken_own_connection_never_falls_back_to_the_organizations(
    product: Caller, connect: Connect, meeting_service: Caller, zoom: Zoom, clock: MovableClock
):
    await connect(product, user_id="host-1")
    own = await connect(product, host_id="hst_1", user_id="host-2")
    await zoom.http.post("/sandbox/deauthorize", json={"user_id": "host-2"})
    clock.advance(hours=2)
    for asked in ({"host_id": "hst_1"}, {"connection_id": own["id"]}, {"host_id": "hst_1"}):
        answer = await meeting_service.access_token(organization_id=product.organization_id, **asked)
        assert slug(answer) == (409, "zoom-reauthorization-required")


async def test_a_paused_connection_makes_no_meetings_but_serves_those_that_exist(
    product: Caller, connect: Connect, meeting_service: Caller, database: Any
):
    own = await connect(product, host_id="hst_1")
    await database["connections"].update_one({}, {"$set": {"enabled_for_new_bookings": False}})
    organization = {"organization_id": product.organization_id}
    assert slug(await meeting_service.access_token(**organization, host_id="hst_1")) == (409, "zoom-paused")
    assert (await meeting_service.access_token(**organization, connection_id=own["id"])).status_code == 200


async def test_without_any_connection_meeting_service_is_told_so(
    product: Caller, connect: Connect, meeting_service: Caller, database: Any
):
    organization = {"organization_id": product.organization_id}
    assert slug(await meeting_service.access_token(**organization, host_id="hst_1")) == (404, "zoom-never-connected")
    assert slug(await meeting_service.access_token(**organization, connection_id="none")) == (404, "zoom-not-connected")
    own = await connect(product, host_id="hst_1")
    await database["connections"].update_one({"_id": own["id"]}, {"$set": {"status": "disconnected"}})
    assert slug(await meeting_service.access_token(**organization, host_id="hst_1")) == (404, "zoom-not-connected")


async def test_a_token_tells_since_when_its_owner_has_zoom_whatever_was_connected_again_since(
    product: Caller, connect: Connect, meeting_service: Caller, clock: MovableClock
):
    """The host may have had the organization's before its own: bookings have counted on Zoom since then."""
    asked = {"organization_id": product.organization_id, "host_id": "hst_1"}
    first = await connect(product)
    clock.advance(days=1)
    own = await connect(product, host_id="hst_1", user_id="host-2")
    clock.advance(days=1)
    again = await connect(product, host_id="hst_1", user_id="host-2")
    assert again["connected_at"] > own["connected_at"] > first["connected_at"]
    assert (await meeting_service.access_token(**asked)).json()["connected_since"] == first["connected_at"]
    of_own = await meeting_service.access_token(organization_id=product.organization_id, connection_id=own["id"])
    assert of_own.json()["connected_since"] == own["connected_at"]


async def test_f68_a_token_tells_when_its_connection_was_connected_last(
    product: Caller, connect: Connect, meeting_service: Caller, clock: MovableClock
):
    await connect(product)
    clock.advance(days=1)
    again = await connect(product)
    asked = {"organization_id": product.organization_id, "host_id": "hst_1"}
    assert (await meeting_service.access_token(**asked)).json()["connected_at"] == again["connected_at"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"organization_id": "o"},
        {"organization_id": "o", "host_id": "h", "connection_id": "c"},
        {"organization_id": {"$gt": ""}, "host_id": "h"},
        {"organization_id": "o", "host_id": "h", "rejected": "not-a-fingerprint"},
        {"organization_id": "o", "host_id": "h" * 101},
    ],
)
async def test_a_request_that_names_no_single_connection_is_refused(body: dict[str, Any], meeting_service: Caller):
    assert slug(await meeting_service.access_token(**body)) == (422, "invalid-request")


async def test_half_a_character_in_a_request_is_refused_and_not_an_error_of_ours(meeting_service: Caller):
    headers = {"authorization": f"Bearer {await meeting_service.token()}", "content-type": "application/json"}
    body = rb'{"organization_id": "\ud800", "host_id": "h"}'
    answer = await meeting_service.http.post("/internal/v1/zoom/access-tokens", content=body, headers=headers)
    assert slug(answer) == (422, "invalid-request")


async def test_a_token_that_zoom_refused_is_refreshed_once_however_often_it_is_reported(
    product: Caller, connect: Connect, meeting_service: Caller, zoom: Zoom
):
    await connect(product, host_id="hst_1")
    asked = {"organization_id": product.organization_id, "host_id": "hst_1"}
    first = (await meeting_service.access_token(**asked)).json()["access_token"]
    await zoom.forget_calls()
    reports = [meeting_service.access_token(**asked, rejected=fingerprint(first)) for _ in range(10)]
    tokens = {answer.json()["access_token"] for answer in await asyncio.gather(*reports)}
    assert len(tokens) == 1
    assert tokens != {first}
    assert len(await zoom.token_calls()) == 1


@pytest.fixture
async def other_meeting_service(settings: Settings, clock: MovableClock) -> AsyncIterator[Caller]:
    """A caller of a second replica."""
    async with replica(settings, clock) as http:
        yield Caller(http, SERVICE, SERVICE_SECRET)


async def test_fifty_requests_at_two_replicas_at_expiry_cause_one_refresh(
    *,
    clock: MovableClock,
    product: Caller,
    connect: Connect,
    meeting_service: Caller,
    other_meeting_service: Caller,
    zoom: Zoom,
    database: Any,
):
    await connect(product, host_id="hst_1")
    await zoom.forget_calls()
    # Nothing is due by itself: only the requests themselves can bring the refresh about.
    await database["connections"].update_one({}, {"$set": {"due_at": clock() + timedelta(days=1)}})
    await zoom.http.post("/sandbox/clock", json={"advance_seconds": 3600})
    clock.advance(hours=1)
    await zoom.fault("token", "slow", delay_seconds=0.5)
    both = [meeting_service, other_meeting_service]
    asked = {"organization_id": product.organization_id, "host_id": "hst_1"}
    answers = await asyncio.gather(*(both[number % 2].access_token(**asked) for number in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    [token] = {answer.json()["access_token"] for answer in answers}
    assert await zoom.accepts(token)
    assert [(call["operation"], call["status"]) for call in await zoom.token_calls()] == [("token", 200)]
    assert [connection["status"] for connection in await product.connections()] == ["active"]


async def test_a_connection_in_use_is_refreshed_ahead_of_expiry_and_an_idle_one_within_a_week(
    *, product: Caller, connect: Connect, meeting_service: Caller, zoom: Zoom, clock: MovableClock, database: Any
):
    await connect(product, host_id="hst_1")
    await soon(lambda: is_checked_up(product))  # which counts as use once the tokens are refreshed

    async def refreshed_to(version: int) -> bool:
        return bool((await database["connections"].find_one())["tokens"]["version"] == version)

    clock.advance(minutes=50)
    await soon(lambda: refreshed_to(2))
    due_at = (await database["connections"].find_one())["due_at"]
    assert timedelta(days=5, hours=23) < due_at - clock() < timedelta(days=7)
    clock.advance(days=7)
    await soon(lambda: refreshed_to(3))
    asked = {"organization_id": product.organization_id, "host_id": "hst_1"}
    await zoom.forget_calls()
    assert (await meeting_service.access_token(**asked)).status_code == 200
    assert await zoom.token_calls() == []
    clock.advance(minutes=50)
    await soon(lambda: refreshed_to(4))


async def test_while_zoom_is_down_a_token_that_is_still_good_is_used_and_then_the_caller_is_told_when_to_come_back(
    product: Caller, connect: Connect, meeting_service: Caller, zoom: Zoom, clock: MovableClock
):
    await connect(product, host_id="hst_1")
    asked = {"organization_id": product.organization_id, "host_id": "hst_1"}
    await zoom.fault("token", "down", times=None)
    clock.advance(minutes=58, seconds=30)
    assert (await meeting_service.access_token(**asked)).status_code == 200
    clock.advance(minutes=2)
    answer = await meeting_service.access_token(**asked)
    assert slug(answer) == (503, "zoom-unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    await zoom.heal()
    clock.advance(minutes=5)

    async def answers_again() -> bool:
        return (await meeting_service.access_token(**asked)).status_code == 200

    await soon(answers_again)


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 502}, {"kind": "status", "status": 401}])
async def test_trouble_that_is_not_the_owners_never_costs_the_connection(
    *,
    fault: dict[str, Any],
    product: Caller,
    connect: Connect,
    meeting_service: Caller,
    zoom: Zoom,
    clock: MovableClock,
):
    await connect(product, host_id="hst_1")
    await zoom.fault("token", times=None, **fault)  # else whoever asks a second time, the due refresh too, succeeds
    clock.advance(hours=2)
    answer = await meeting_service.access_token(organization_id=product.organization_id, host_id="hst_1")
    assert slug(answer) == (503, "zoom-unavailable")
    assert [connection["status"] for connection in await product.connections()] == ["active"]


async def test_ciphertexts_that_were_swapped_between_connections_do_not_open(
    product: Caller, connect: Connect, meeting_service: Caller, database: Any
):
    await connect(product, host_id="hst_1", user_id="host-1")
    await connect(product, host_id="hst_2", user_id="host-2")
    rows = database["connections"]
    one, other = await rows.find_one({"host_id": "hst_1"}), await rows.find_one({"host_id": "hst_2"})
    swaps = {
        "another connection's token": other["tokens"]["access"],
        "the same connection's refresh token": one["tokens"]["refresh"],
    }
    for sealed in swaps.values():
        await rows.update_one({"_id": one["_id"]}, {"$set": {"tokens.access": sealed}})
        answer = await meeting_service.access_token(organization_id=product.organization_id, host_id="hst_1")
        assert slug(answer) == (500, "secret-unreadable")
    restored = {"tokens.access": one["tokens"]["access"], "tokens.version": 7}
    await rows.update_one({"_id": one["_id"]}, {"$set": restored})
    answer = await meeting_service.access_token(organization_id=product.organization_id, host_id="hst_1")
    assert slug(answer) == (500, "secret-unreadable")
