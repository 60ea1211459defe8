"""What auth-service answers, and what that means for the work."""

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from convoke.identity import ServiceToken
from meeting_service.auth import AuthService, ZoomAccessTokens
from meeting_service.ports import Refused

AUTH = "http://auth.test"
GOOD = {
    "connection_id": "zcn_1",
    "zoom_user_id": "u1",
    "access_token": "t",
    "api_url": "https://api.zoom.us/",
    "connected_since": "2030-01-02T03:04:05Z",
}


def tokens(answer: httpx.Response | Callable[[], httpx.Response]) -> ZoomAccessTokens:
    def answers(request: httpx.Request) -> httpx.Response:
        own = {"access_token": "own", "expires_in": 300}
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json=own)
        return answer() if callable(answer) else answer

    http = httpx.AsyncClient(transport=httpx.MockTransport(answers))
    own_token = ServiceToken(http, AUTH, "meeting-service", "secret", "auth-service")
    return ZoomAccessTokens(AuthService(http, AUTH, own_token))


async def test_a_token_comes_with_its_owner_and_the_address_to_use_it_at():
    access = await tokens(httpx.Response(200, json=GOOD)).to_make("org_1", "hst_1")
    assert (access.connection_id, access.zoom_user_id, access.api_url) == ("zcn_1", "u1", "https://api.zoom.us")
    assert access.connected_since == datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


async def test_an_answer_may_say_the_account_and_plan_of_the_user_and_need_not():
    told = GOOD | {"zoom_account_id": "a1", "plan": "licensed"}
    access = await tokens(httpx.Response(200, json=told)).to_make("org_1", "hst_1")
    assert (access.zoom_account_id, access.plan) == ("a1", "licensed")


async def test_f68_an_answer_may_say_when_the_connection_was_connected_last_and_need_not():
    assert (await tokens(httpx.Response(200, json=GOOD)).to_make("org_1", "hst_1")).connected_at is None
    told = GOOD | {"connected_at": "2031-01-02T03:04:05Z"}
    access = await tokens(httpx.Response(200, json=told)).to_make("org_1", "hst_1")
    assert access.connected_at == datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)
    access = await tokens(httpx.Response(200, json=GOOD)).to_make("org_1", "hst_1")
    assert (access.zoom_account_id, access.plan) == ("", "unknown")


async def test_f67_whether_a_connection_is_being_left_is_asked_anew_whatever_is_kept():
    answers = iter([GOOD | {"is_left": True}, GOOD])
    kept = tokens(lambda: httpx.Response(200, json=next(answers)))
    assert (await kept.to_change("org_1", "zcn_1")).is_left
    assert not (await kept.to_withdraw("org_1", "zcn_1")).is_left


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (httpx.Response(404, json={"type": "zoom-never-connected", "detail": "x"}), "zoom_not_connected"),
        (httpx.Response(404, json={"type": "zoom-not-connected", "detail": "x"}), "zoom_not_connected"),
        (httpx.Response(409, json={"type": "zoom-paused", "detail": "x"}), "zoom_paused"),
        (httpx.Response(409, json={"type": "zoom-reauthorization-required"}), "zoom_reauthorization_required"),
        (httpx.Response(503, json={"type": "zoom-unavailable"}), "zoom_unavailable"),
        (httpx.Response(500, text="<html>"), "zoom_unavailable"),
        (httpx.Response(200, text="not JSON"), "zoom_unavailable"),
        (httpx.Response(200, json={"access_token": "t"}), "zoom_unavailable"),
    ],
)
async def test_an_answer_without_a_token_is_a_refusal_with_a_reason(answer: httpx.Response, code: str):
    with pytest.raises(Refused) as refusal:
        await tokens(answer).to_change("org_1", "zcn_1")
    assert refusal.value.code == code
