"""Consent, tokens and their ends, as Zoom's OAuth documents and error records tell."""

import base64
import hashlib
import re
from urllib.parse import urlencode

import httpx
import pytest

from tests.contract.zoom_sandbox.app_at_zoom import (
    CALLBACK,
    CLIENT_ID,
    CLIENT_SECRET,
    OTHER_CALLBACK,
    AppAtZoom,
    Host,
    parameters,
    refused,
)
from zoom_sandbox.users import APP_SCOPES

BAD_CODE = {"reason": "Invalid authorization code", "error": "invalid_grant"}
BAD_TOKEN = {"reason": "Invalid Token!", "error": "invalid_grant"}
VERIFIER = "a-verifier-of-more-than-forty-three-characters-0123456789"
ASKED = {"response_type": "code", "client_id": CLIENT_ID, "redirect_uri": CALLBACK, "state": "s-1"}


async def test_the_consent_page_names_the_app_its_scopes_and_the_users(app: AppAtZoom) -> None:
    page = await app.http.get("/oauth/authorize", params=ASKED | {"scope": "ignored"})
    assert page.status_code == 200
    assert "Convoke is requesting access" in page.text
    assert "meeting:write:meeting" in page.text
    assert '<option value="host-7">host-7@example.com (Licensed)</option>' in page.text
    assert "ignored" not in page.text
    assert re.findall(r'name="decision" value="(\w+)"', page.text) == ["allow", "decline"]


async def test_allowing_on_the_page_redirects_with_a_code_and_the_state(app: AppAtZoom) -> None:
    page = await app.http.get("/oauth/authorize", params=ASKED)
    echoed = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    answer = await app.http.post("/oauth/authorize", data=echoed | {"user_id": "host-2", "decision": "allow"})
    assert answer.status_code == 302
    callback = parameters(answer.headers["location"])
    assert answer.headers["location"].startswith(CALLBACK)
    assert callback["state"] == "s-1"
    assert (await app.exchange(callback["code"])).status_code == 200


async def test_declining_gives_access_denied_and_no_code(app: AppAtZoom) -> None:
    form = ASKED | {"user_id": "host-2", "decision": "decline"}
    answer = await app.http.post("/oauth/authorize", data=form)
    assert parameters(answer.headers["location"]) == {"error": "access_denied", "state": "s-1"}


async def test_state_comes_back_only_if_it_was_sent(app: AppAtZoom) -> None:
    assert set(await app.consent()) == {"code"}
    assert (await app.consent(state="a b&c"))["state"] == "a b&c"


async def test_a_marketplace_install_calls_back_with_a_code_and_no_state(app: AppAtZoom) -> None:
    assert "marketplace/install" in (await app.http.get("/marketplace/install")).text
    answer = await app.http.post("/marketplace/install", data={"user_id": "host-3"})
    assert answer.status_code == 302
    assert set(parameters(answer.headers["location"])) == {"code"}


async def test_without_pre_approval_zoom_shows_its_own_page_and_calls_nobody_back(app: AppAtZoom) -> None:
    await app.turn(pre_approval_required=True)
    asked = await app.http.get("/oauth/authorize", params=ASKED)
    allowed = await app.http.post("/oauth/authorize", data=ASKED | {"user_id": "host-1", "decision": "allow"})
    for page in (asked, allowed):
        assert "You cannot authorize Convoke" in page.text
        assert "location" not in page.headers


@pytest.mark.parametrize(
    "wrong",
    [
        {"redirect_uri": f"{CALLBACK}/"},
        {"redirect_uri": "https://elsewhere.test/callback"},
        {"client_id": "other"},
        {"response_type": "token"},
        {"code_challenge_method": "S512"},
    ],
)
async def test_a_request_that_was_not_configured_gets_a_page_and_no_callback(
    app: AppAtZoom, wrong: dict[str, str]
) -> None:
    answer = await app.http.get("/oauth/authorize", params=ASKED | wrong)
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_tokens_are_long_and_come_with_scope_api_url_and_3599_seconds(
    app: AppAtZoom, sandbox_address: str
) -> None:
    tokens = (await app.exchange((await app.consent())["code"])).json()
    assert len(tokens.pop("access_token")) >= 800
    assert len(tokens.pop("refresh_token")) >= 800
    assert tokens == {
        "token_type": "bearer",
        "expires_in": 3599,
        "scope": " ".join(APP_SCOPES),
        "api_url": sandbox_address,
    }


async def test_a_code_works_once(app: AppAtZoom) -> None:
    code = (await app.consent())["code"]
    assert (await app.exchange(code)).status_code == 200
    again = await app.exchange(code)
    assert (again.status_code, again.json()) == (400, BAD_CODE)


async def test_a_code_lives_five_minutes(app: AppAtZoom) -> None:
    young, old = (await app.consent("host-1"))["code"], (await app.consent("host-2"))["code"]
    await app.advance(minutes=4)
    assert (await app.exchange(young)).status_code == 200
    await app.advance(minutes=1)
    assert (await app.exchange(old)).json() == BAD_CODE


async def test_a_code_is_bound_to_its_redirect_address(app: AppAtZoom) -> None:
    code = (await app.consent())["code"]
    assert (await app.exchange(code, redirect_uri=OTHER_CALLBACK)).status_code == 400
    assert (await app.exchange(code)).status_code == 200


S256 = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("challenge", "accepted"),
    [
        ({"code_challenge": S256, "code_challenge_method": "S256"}, True),
        ({"code_challenge": VERIFIER, "code_challenge_method": "plain"}, True),
        ({"code_challenge": VERIFIER}, True),
        ({"code_challenge": S256}, False),
        ({"code_challenge": VERIFIER, "code_challenge_method": "S256"}, False),
    ],
)
async def test_pkce_is_plain_unless_s256_is_named(app: AppAtZoom, challenge: dict[str, str], *, accepted: bool) -> None:
    code = (await app.consent(**challenge))["code"]
    answer = await app.exchange(code, code_verifier=VERIFIER)
    assert answer.status_code == (200 if accepted else 400)
    assert accepted or answer.json()["error"] == "invalid_grant"


async def test_a_challenged_code_needs_its_verifier(app: AppAtZoom) -> None:
    code = (await app.consent(code_challenge=VERIFIER))["code"]
    assert (await app.exchange(code)).json()["error"] == "invalid_grant"


async def test_a_refresh_token_is_rotated_and_the_old_one_is_dead(app: AppAtZoom, host: Host) -> None:
    rotated = (await app.refresh(host.refresh_token)).json()
    assert rotated["refresh_token"] != host.refresh_token
    stale = await app.refresh(host.refresh_token)
    assert (stale.status_code, stale.json()) == (400, BAD_TOKEN)
    assert (await app.refresh(rotated["refresh_token"])).status_code == 200


async def test_in_grace_mode_a_rotated_refresh_token_still_works(app: AppAtZoom, host: Host) -> None:
    await app.turn(refresh_grace=True)
    assert (await app.refresh(host.refresh_token)).status_code == 200
    assert (await app.refresh(host.refresh_token)).status_code == 200


@pytest.mark.parametrize(("ended", "status"), [(False, 200), (True, 401)])
async def test_whether_a_refresh_ends_the_access_token_is_a_switch(
    app: AppAtZoom, host: Host, *, ended: bool, status: int
) -> None:
    await app.turn(refresh_ends_access_token=ended)
    await app.refresh(host.refresh_token)
    assert (await host.call("GET", "/users/me")).status_code == status


async def test_a_refresh_token_unused_for_ninety_days_is_dead(app: AppAtZoom, host: Host) -> None:
    await app.advance(days=89)
    rotated = (await app.refresh(host.refresh_token)).json()["refresh_token"]
    await app.advance(days=90)
    assert (await app.refresh(rotated)).json() == BAD_TOKEN


async def test_a_new_consent_kills_the_same_users_earlier_tokens_only(app: AppAtZoom, host: Host) -> None:
    other = await app.host("host-2")
    newer = await app.host("host-1")
    assert refused(await host.call("GET", "/users/me")) == (401, 124, "Invalid access token.")
    assert (await app.refresh(host.refresh_token)).json() == BAD_TOKEN
    for living in (newer, other):
        assert (await living.call("GET", "/users/me")).status_code == 200


@pytest.mark.parametrize("credentials", [(CLIENT_ID, "wrong"), ("wrong", CLIENT_SECRET)])
async def test_a_wrong_client_is_told_so(app: AppAtZoom, credentials: tuple[str, str]) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    answer = await app.http.post("/oauth/token", data=form, auth=credentials)
    assert answer.status_code == 401
    assert answer.json() == {"reason": "Invalid client_id or client_secret", "error": "invalid_client"}


async def test_client_credentials_in_the_body_do_not_count(app: AppAtZoom, host: Host) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": host.refresh_token}
    secrets = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    answer = await app.http.post("/oauth/token", data=form | secrets)
    assert answer.json()["error"] == "invalid_client"


async def test_the_token_call_reads_a_form_body_and_nothing_else(app: AppAtZoom, host: Host) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": host.refresh_token}
    in_query = await app.http.post("/oauth/token", params=form, auth=(CLIENT_ID, CLIENT_SECRET))
    as_json = await app.http.post("/oauth/token", json=form, auth=(CLIENT_ID, CLIENT_SECRET))
    as_text = await app.http.post(
        "/oauth/token",
        content=urlencode(form),
        headers={"content-type": "text/plain"},
        auth=(CLIENT_ID, CLIENT_SECRET),
    )
    assert [each.status_code for each in (in_query, as_json, as_text)] == [400, 400, 400]
    assert (await app.refresh(host.refresh_token)).status_code == 200


async def test_other_grants_are_not_supported(app: AppAtZoom) -> None:
    answer = await app.token(grant_type="password")
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


async def test_revoking_ends_access_and_refresh(app: AppAtZoom, host: Host) -> None:
    answer = await app.http.post("/oauth/revoke", data={"token": host.access_token}, auth=(CLIENT_ID, CLIENT_SECRET))
    assert (answer.status_code, answer.json()) == (200, {"status": "success"})
    assert refused(await host.call("GET", "/users/me")) == (401, 124, "Invalid access token.")
    assert (await app.refresh(host.refresh_token)).json() == BAD_TOKEN


async def test_an_access_token_expires_after_an_hour(app: AppAtZoom, host: Host) -> None:
    await app.advance(minutes=59)
    assert (await host.call("GET", "/users/me")).status_code == 200
    await app.advance(minutes=1)
    assert refused(await host.call("GET", "/users/me")) == (401, 124, "Access token is expired.")


async def test_a_removed_app_finds_its_tokens_dead(app: AppAtZoom, host: Host) -> None:
    await app.control("POST", "/deauthorize", json={"user_id": "host-1"})
    assert refused(await host.call("GET", "/users/me")) == (401, 124, "Invalid access token.")
    assert (await app.refresh(host.refresh_token)).json() == BAD_TOKEN


async def test_a_token_in_the_query_string_is_refused(app: AppAtZoom, host: Host) -> None:
    answer = await app.http.get("/v2/users/me", params={"access_token": host.access_token})
    assert refused(answer) == (401, 124, "Invalid access token.")
    both = await host.call("GET", "/users/me", params={"access_token": host.access_token})
    assert both.status_code == 401


async def test_a_call_without_a_token_is_refused(app: AppAtZoom) -> None:
    answer: httpx.Response = await app.http.get("/v2/users/me")
    assert refused(answer) == (401, 124, "Invalid access token.")
