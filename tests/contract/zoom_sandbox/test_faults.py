"""Faults on demand, as a client of HTTP sees them, and what the sandbox has done meanwhile."""

import asyncio
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
import requests

from tests.contract.zoom_sandbox.app_at_zoom import START, AppAtZoom, Host, Json, refused, true_in_the_end

TALK = {"topic": "Talk", "start_time": START}


async def _post(host: Host, **request: Any) -> httpx.Response:
    return await host.call("POST", "/users/me/meetings", json=TALK, **request)


async def _only_fault(app: AppAtZoom) -> Json:
    (fault,) = await app.control("GET", "/faults")
    return dict(fault)


async def _last_call(app: AppAtZoom) -> Json:
    return dict((await app.control("GET", "/calls"))[-1])


async def test_a_lost_answer_closes_the_connection_after_the_meeting_was_made(app: AppAtZoom, host: Host) -> None:
    await app.fault("create_meeting", "answer_lost")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await _post(host)
    assert [each["topic"] for each in await app.meetings()] == ["Talk"]
    call = await _last_call(app)
    assert (call["operation"], call["status"], call["answered"]) == ("create_meeting", 201, False)
    assert (await _post(host)).status_code == 201


async def test_other_clients_see_a_lost_connection_too(app: AppAtZoom, host: Host, sandbox_address: str) -> None:
    await app.fault("get_user", "down")
    headers = {"authorization": f"Bearer {host.access_token}"}
    with pytest.raises(requests.ConnectionError):
        await asyncio.to_thread(requests.get, f"{sandbox_address}/v2/users/me", headers=headers, timeout=5)


async def test_a_late_commit_closes_the_connection_and_makes_the_meeting_afterwards(app: AppAtZoom, host: Host) -> None:
    await app.fault("create_meeting", "late_commit", delay_seconds=600)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await _post(host)
    assert await app.meetings() == []
    await app.advance(minutes=10)

    async def committed() -> bool:
        return len(await app.meetings()) == 1

    await true_in_the_end(committed)
    assert (await _last_call(app))["status"] == 201


async def test_a_reset_forgets_late_commits(app: AppAtZoom, host: Host) -> None:
    await app.fault("create_meeting", "late_commit", delay_seconds=600)
    with pytest.raises(httpx.TransportError):
        await _post(host)
    await app.control("POST", "/reset")
    await app.advance(minutes=10)
    assert await app.control("GET", "/meetings") == []
    assert await app.control("GET", "/calls") == []


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_status_is_answered_and_nothing_is_done(app: AppAtZoom, host: Host, status: int) -> None:
    await app.fault("create_meeting", "status", status=status)
    assert (await _post(host)).status_code == status
    assert await app.meetings() == []


async def test_a_status_after_the_commit_hides_a_meeting_that_was_made(app: AppAtZoom, host: Host) -> None:
    await app.fault("create_meeting", "status_after_commit", status=504)
    answer = await _post(host)
    assert (answer.status_code, answer.headers["content-type"]) == (504, "text/html")
    assert len(await app.meetings()) == 1


async def test_a_slow_answer_outlasts_the_client_and_still_counts(app: AppAtZoom, host: Host) -> None:
    await app.fault("create_meeting", "slow", delay_seconds=600)
    with pytest.raises(httpx.ReadTimeout):
        await _post(host, timeout=0.05)
    assert await app.meetings() == []
    await app.advance(minutes=10)

    async def committed() -> bool:
        return len(await app.meetings()) == 1

    await true_in_the_end(committed)


async def test_a_slow_answer_comes_in_the_end(app: AppAtZoom, host: Host) -> None:
    await app.fault("get_user", "slow", delay_seconds=0.05)
    answer = await host.call("GET", "/users/me")
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 0.05


async def test_down_refuses_every_operation_until_it_is_removed(app: AppAtZoom, host: Host) -> None:
    fault_id = await app.fault("*", "down", times=None)
    for call in (_post(host), host.call("GET", "/users/me"), app.refresh(host.refresh_token)):
        with pytest.raises(httpx.TransportError):
            await call
    assert (await _only_fault(app))["hits"] == 3
    await app.control("DELETE", f"/faults/{fault_id}")
    assert await app.meetings() == []
    assert (await app.refresh(host.refresh_token)).status_code == 200


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("rate_limited_second", "maximum per-second rate limit"),
        ("rate_limited_day", "maximum daily rate limit"),
        ("rate_limited_host", "daily rate limit (100) of Meeting Create/Update API requests"),
    ],
)
async def test_a_rate_limit_on_demand_has_zooms_words(app: AppAtZoom, host: Host, kind: str, words: str) -> None:
    await app.fault("create_meeting", kind)
    answer = await _post(host)
    assert refused(answer)[:2] == (429, 429)
    assert words in refused(answer)[2]
    assert await app.meetings() == []


async def test_an_error_can_come_as_xml(app: AppAtZoom, host: Host) -> None:
    await app.fault("create_meeting", "xml_error")
    answer = await _post(host)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/xml")
    assert ET.fromstring(answer.text).findtext("code") == "300"  # noqa: S314 - the sandbox wrote it
    assert await app.meetings() == []


async def test_with_the_switch_errors_are_xml_unless_json_is_accepted(app: AppAtZoom, host: Host) -> None:
    await app.turn(xml_errors=True)
    asked = await host.call("GET", "/meetings/1", headers={"accept": "*/*"})
    assert asked.text.endswith("<result><code>3001</code><message>Meeting does not exist: 1.</message></result>")
    assert (await host.call("GET", "/meetings/1")).json()["code"] == 3001
    assert (await host.call("GET", "/users/me", headers={"accept": "*/*"})).json()["id"] == "host-1"


async def test_a_refresh_can_be_told_that_its_token_is_stale(app: AppAtZoom, host: Host) -> None:
    await app.fault("token", "stale_refresh_token")
    stale = await app.refresh(host.refresh_token)
    assert (stale.status_code, stale.json()) == (400, {"reason": "Invalid Token!", "error": "invalid_grant"})
    assert (await app.refresh(host.refresh_token)).status_code == 200


async def test_a_refresh_whose_answer_is_lost_has_spent_its_token(app: AppAtZoom, host: Host) -> None:
    await app.fault("token", "answer_lost")
    with pytest.raises(httpx.TransportError):
        await app.refresh(host.refresh_token)
    assert (await app.refresh(host.refresh_token)).json()["error"] == "invalid_grant"


async def test_a_fault_meets_so_many_calls_of_its_operation_and_user(app: AppAtZoom, host: Host) -> None:
    other = await app.host("host-2")
    await app.fault("get_user", "status", status=503, times=2, user_id="host-1")
    assert (await other.call("GET", "/users/me")).status_code == 200
    assert (await host.call("GET", "/users/me/settings")).status_code == 200
    statuses = [(await host.call("GET", "/users/me")).status_code for _ in range(3)]
    assert statuses == [503, 503, 200]
    assert (await _only_fault(app))["hits"] == 2


async def test_faults_of_a_user_reach_his_token_calls(app: AppAtZoom, host: Host) -> None:
    other = await app.host("host-2")
    await app.fault("token", "stale_refresh_token", user_id="host-1")
    assert (await app.refresh(other.refresh_token)).status_code == 200
    assert (await app.refresh(host.refresh_token)).status_code == 400


async def test_faults_are_met_in_the_order_they_were_ordered(app: AppAtZoom, host: Host) -> None:
    await app.fault("get_user", "status", status=500)
    await app.fault("*", "status", status=502)
    assert [(await host.call("GET", "/users/me")).status_code for _ in range(3)] == [500, 502, 200]


@pytest.mark.parametrize(
    "order",
    [
        {"operation": "fly", "kind": "down"},
        {"operation": "*", "kind": "tired"},
        {"operation": "*", "kind": "down", "times": 0},
        {"operation": "*", "kind": "status", "status": 200},
        {"operation": "create_meeting", "kind": "stale_refresh_token"},
        {"operation": "create_meeting", "kind": "grant_refused"},
        {"operation": "*", "kind": "down", "user": "host-1"},
    ],
)
async def test_a_fault_that_cannot_be_is_refused(app: AppAtZoom, order: Json) -> None:
    assert (await app.http.post("/sandbox/faults", json=order)).status_code == 422


async def test_a_grant_can_be_refused_in_zooms_words(app: AppAtZoom, host: Host) -> None:
    await app.fault("token", "grant_refused", reason="App is disabled. (4,717)")
    refused_grant = await app.refresh(host.refresh_token)
    assert refused_grant.status_code == 400
    assert refused_grant.json() == {"reason": "App is disabled. (4,717)", "error": "invalid_request"}
