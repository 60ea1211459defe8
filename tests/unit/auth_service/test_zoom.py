"""The Zoom client against answers that a well-behaved sandbox never gives."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from auth_service.domain.connections import Tokens
from auth_service.zoom import (
    AccessRefused,
    AppRefused,
    GrantRefused,
    Zoom,
    ZoomUnavailable,
    http_client,
    is_zooms,
    origin_of,
)
from convoke.clock import utc_now

GRANT = {
    "access_token": "a",
    "refresh_token": "r",
    "expires_in": 3599,
    "scope": "user:read:user",
    "token_type": "bearer",
}
API_URL = "https://api.zoom.us"


def zoom_that_answers(answer: httpx.Response | Exception, seen: list[httpx.Request] | None = None) -> Zoom:
    def handle(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Zoom(
        httpx.AsyncClient(transport=httpx.MockTransport(handle)),
        oauth_url="https://zoom.us",
        api_url=API_URL,
        client_id="id",
        client_secret="secret",
        redirect_uri="https://auth.test/v1/zoom/callback",
    )


def granted(**changes: Any) -> httpx.Response:
    return httpx.Response(200, json={**GRANT, **changes})


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://api-eu.zoom.us", "https://api-eu.zoom.us"),
        ("https://eu01api.zoom.us/", "https://eu01api.zoom.us"),
        (None, API_URL),
        ("", API_URL),
        ("https://evil.example", API_URL),
        ("https://zoom.us.evil.example", API_URL),
        ("https://evilzoom.us", API_URL),
        ("http://api.zoom.us", API_URL),
        ("https://user@api.zoom.us", API_URL),
        ("https://api.zoom.us:8443", API_URL),
        ("https://api.zoom.us/path", API_URL),
        ("https://evil.example#.zoom.us", API_URL),
        ("https://evil.example\\.zoom.us", API_URL),
        ("https://evil.example?.zoom.us", API_URL),
        ("https://[::1", API_URL),
        ("https://api.zoom.us:99999", API_URL),
        ("file:///etc/passwd", API_URL),
    ],
)
async def test_an_api_address_is_used_only_if_it_is_zooms(given: str | None, used: str):
    tokens = await zoom_that_answers(granted(api_url=given)).refresh("r")
    assert tokens.api_url == used


def test_only_https_on_zoom_us_and_below_is_zooms():
    assert is_zooms("https://zoom.us")
    assert is_zooms("https://api.zoom.us")
    assert not is_zooms("http://zoom.us")
    assert not is_zooms("https://notzoom.us")
    assert origin_of("https://API.Zoom.us/") == "https://api.zoom.us"


async def test_unknown_fields_and_an_absent_scope_do_no_harm():
    answer = httpx.Response(200, json={**{key: GRANT[key] for key in GRANT if key != "scope"}, "new": {"x": 1}})
    assert (await zoom_that_answers(answer).refresh("r")).scopes == ()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(502, text="<html>"),
        httpx.Response(429, json={"code": 429}),
        httpx.Response(200, text="not json"),
        httpx.Response(200, json=[]),
        granted(refresh_token=None),
        granted(refresh_token=""),
        granted(expires_in=-1),
        granted(expires_in=10**12),
        granted(access_token="x" * 30_000),
        httpx.ConnectTimeout("no"),
        httpx.ReadError("no"),
        httpx.RemoteProtocolError("no"),
    ],
)
async def test_what_is_no_clear_answer_leaves_the_outcome_open(answer: httpx.Response | Exception):
    with pytest.raises(ZoomUnavailable):
        await zoom_that_answers(answer).refresh("r")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"reason": "Invalid Token!", "error": "invalid_grant"}, GrantRefused),
        (401, {"reason": "Invalid Token!", "error": "invalid_request"}, GrantRefused),
        (400, {"reason": "Invalid authorization code", "error": "invalid_request"}, GrantRefused),
        (401, {"reason": "Invalid client_id or client_secret", "error": "invalid_client"}, AppRefused),
        (400, {"reason": "Redirect URI mismatch", "error": "invalid_request"}, AppRefused),
        (400, {"reason": "Bad request", "error": "invalid_request"}, AppRefused),
        (400, {"reason": "The app is disabled. (4,717)", "error": "invalid_grant"}, GrantRefused),
        (400, {"reason": "Token scopes differ (4,711)", "error": "invalid_request"}, GrantRefused),
        (401, {"reason": "Disabled by the admin", "error": "invalid_request", "code": 4738}, GrantRefused),
        (400, {"reason": "The app is disabled. (4,717)", "error": "invalid_request"}, AppRefused),
        (404, [], AppRefused),
        (302, {}, AppRefused),
    ],
)
async def test_a_refusal_is_told_apart_by_what_to_do_next(status: int, body: Any, error: type[Exception]):
    with pytest.raises(error):
        await zoom_that_answers(httpx.Response(status, json=body)).refresh("r")


async def test_rfc9700_a_redirect_is_not_followed_and_nothing_secret_is_in_an_address():
    seen: list[httpx.Request] = []
    moved = httpx.Response(307, headers={"location": "https://evil.example/"})
    with pytest.raises(AppRefused):
        await zoom_that_answers(moved, seen).refresh("the-refresh-token")
    [request] = seen
    assert "the-refresh-token" not in str(request.url)
    assert "secret" not in str(request.url)
    async with http_client() as client:
        assert not client.follow_redirects
        assert None not in client.timeout.as_dict().values()


TOKENS = Tokens("a", "r", utc_now(), (), API_URL)


@pytest.mark.parametrize(
    ("kind", "plan"), [(1, "basic"), (2, "licensed"), (4, "unassigned"), (99, "unknown"), (None, "unknown")]
)
async def test_a_zoom_user_has_a_plan_or_an_unknown_one(kind: int | None, plan: str):
    answer = httpx.Response(200, json={"id": "u", "email": None, "type": kind})
    user = await zoom_that_answers(answer).me(TOKENS)
    assert (user.id, user.email, user.account_id, user.plan) == ("u", "", "", plan)


ME_FAILURES: list[tuple[Callable[[], httpx.Response], type[Exception]]] = [
    (lambda: httpx.Response(400, json={"code": 4711, "message": "does not contain scopes"}), AccessRefused),
    (lambda: httpx.Response(401, text="<result/>"), AccessRefused),
    (lambda: httpx.Response(401, json={"code": 124, "message": "Invalid access token."}), GrantRefused),
    (lambda: httpx.Response(503), ZoomUnavailable),
    (lambda: httpx.Response(200, json={"email": "no id"}), ZoomUnavailable),
]


@pytest.mark.parametrize(("answer", "error"), ME_FAILURES)
async def test_a_user_that_cannot_be_read_is_an_error(answer: Callable[[], httpx.Response], error: type[Exception]):
    with pytest.raises(error):
        await zoom_that_answers(answer()).me(TOKENS)
