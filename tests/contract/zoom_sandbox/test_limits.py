"""Rate limits: the account's buckets, the host's hundred changes a day, and Zoom's words for each."""

import httpx
import pytest

from tests.contract.zoom_sandbox.app_at_zoom import AppAtZoom, Host, refused

PER_SECOND = "You have reached the maximum per-second rate limit for this API. Try again later."
PER_DAY = (
    "You have reached the maximum daily rate limit for this API. "
    "Refer to the response header for details on when you can make another request."
)
PER_HOST = (
    "You have exceeded the daily rate limit ({}) of Meeting Create/Update API requests permitted for "
    "this particular user. You may resume these requests at GMT 00:00:00."
)


async def _calls_until_refused(app: AppAtZoom, host: Host, path: str, most: int) -> tuple[int, httpx.Response]:
    """Call as fast as a test can; a slow machine may cross a second, and is let begin again."""
    for _ in range(20):
        await app.advance(seconds=1)
        answers = [await host.call("GET", path) for _ in range(most + 1)]
        refusals = [answer for answer in answers if answer.status_code == 429]
        if refusals:
            return most + 1 - len(refusals), refusals[0]
    raise AssertionError(f"{most + 1} calls never fell into one second")


@pytest.mark.parametrize(
    ("plan", "path", "category", "limit"),
    [
        ("free", "/users/me", "Light", 4),
        ("free", "/users/me/meetings", "Medium", 2),
        ("pro", "/users/me", "Light", 30),
        ("pro", "/users/me/meetings", "Medium", 20),
    ],
)
async def test_an_account_may_call_so_often_a_second(
    app: AppAtZoom, plan: str, path: str, category: str, limit: int
) -> None:
    await app.control("POST", "/users", json={"id": "host-1", "plan": plan})
    allowed, answer = await _calls_until_refused(app, await app.host(), path, limit)
    assert allowed >= limit
    assert refused(answer) == (429, 429, PER_SECOND)
    assert answer.headers["x-ratelimit-category"] == category
    assert answer.headers["x-ratelimit-type"] == "QPS"
    assert "retry-after" not in answer.headers


async def test_the_users_of_an_account_share_its_limit_and_a_second_later_it_is_free_again(app: AppAtZoom) -> None:
    for user_id in ("host-1", "host-2"):
        await app.control("POST", "/users", json={"id": user_id, "plan": "free"})
    first, second = await app.host("host-1"), await app.host("host-2")
    await _calls_until_refused(app, first, "/users/me", 4)
    await app.advance(seconds=1)
    for host in (first, first, second, second):
        assert (await host.call("GET", "/users/me")).status_code == 200


async def test_medium_and_light_calls_are_counted_apart(app: AppAtZoom) -> None:
    host = await app.host("basic-1")
    for path in ("/users/me", "/users/me", "/users/me", "/users/me/meetings", "/users/me/meetings", "/users/me"):
        assert (await host.call("GET", path)).status_code == 200


async def test_the_limits_can_be_switched_off(app: AppAtZoom) -> None:
    await app.turn(rate_limits=False)
    host = await app.host("basic-1")
    assert {(await host.call("GET", "/users/me")).status_code for _ in range(20)} == {200}


async def test_the_code_of_a_rate_limit_is_a_switch(app: AppAtZoom) -> None:
    await app.turn(rate_limit_code=4001)
    _, answer = await _calls_until_refused(app, await app.host("basic-1"), "/users/me/meetings", 2)
    assert refused(answer) == (429, 4001, PER_SECOND)


async def test_the_weight_of_a_create_is_a_switch(app: AppAtZoom) -> None:
    await app.turn(create_meeting_label="Heavy")
    host = await app.host()
    answer = await host.call("POST", "/users/me/meetings", json={})
    assert answer.headers["x-ratelimit-category"] == "Heavy"


async def test_a_daily_limit_names_the_instant_of_the_next_call(app: AppAtZoom, host: Host) -> None:
    await app.fault("*", "rate_limited_day")
    answer = await host.call("GET", "/users/me")
    assert refused(answer) == (429, 429, PER_DAY)
    assert answer.headers["x-ratelimit-type"] == "Daily-limit"
    assert answer.headers["retry-after"].endswith("T00:00:00Z")


async def test_a_host_makes_a_hundred_changes_a_day(app: AppAtZoom, host: Host) -> None:
    await app.turn(rate_limits=False)
    meeting = await host.create()
    for _ in range(99):
        assert (await host.change(meeting["id"], topic="Again")).status_code == 204
    changed = await host.change(meeting["id"], topic="Once more")
    created = await host.call("POST", "/users/me/meetings", json={})
    for answer in (changed, created):
        assert refused(answer) == (429, 429, PER_HOST.format(100))
        assert answer.headers["x-ratelimit-category"] == "Light"
        assert "retry-after" not in answer.headers
        assert "x-ratelimit-type" not in answer.headers


async def test_reading_deleting_and_other_hosts_are_outside_the_hosts_limit(app: AppAtZoom, host: Host) -> None:
    await app.turn(host_daily_limit=1)
    meeting = await host.create()
    assert refused(await host.change(meeting["id"], topic="x"))[2] == PER_HOST.format(1)
    await host.read(meeting["id"])
    assert (await host.delete(meeting["id"])).status_code == 204
    await (await app.host("host-2")).create()


async def test_the_hosts_limit_starts_again_at_midnight_utc(app: AppAtZoom, host: Host) -> None:
    await app.turn(host_daily_limit=1)
    await host.create()
    await app.advance(minutes=11 * 60)
    late = await app.host()
    assert (await late.call("POST", "/users/me/meetings", json={})).status_code == 429
    await app.advance(minutes=60)
    await (await app.host()).create()


async def test_the_hosts_limit_can_be_switched_off(app: AppAtZoom, host: Host) -> None:
    await app.turn(host_daily_limit=None, rate_limits=False)
    for _ in range(101):
        await host.create()
