"""Connecting Zoom, through its own consent page: what is stored, what is refused, and what the owner reads."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.integration.auth_service.owners import query_of, with_query
from tests.integration.auth_service.replicas import PUBLIC_URL, Caller, MovableClock, soon
from tests.integration.auth_service.zoom_app import Zoom

Connect = Callable[..., Awaitable[dict[str, Any]]]


async def test_f7_f11_f16_an_owner_connects_on_zooms_page_and_the_product_sees_which_account_it_is(
    product: Caller, zoom: Zoom
):
    page = await product.come_back(await zoom.consent(await product.start(), "host-3"))
    assert page.status_code == 200
    assert "Zoom is connected: host-3@example.com" in page.text
    assert page.headers["cache-control"] == "no-store"
    [connection] = await product.connections()
    assert (
        connection.items()
        >= {
            "host_id": None,
            "status": "active",
            "email": "host-3@example.com",
            "zoom_user_id": "host-3",
            "zoom_account_id": "account-pro",
            "plan": "licensed",
            "missing_scopes": [],
            "enabled_for_new_bookings": True,
        }.items()
    )
    assert (await product.call("GET", f"/v1/zoom/connections/{connection['id']}")).json() == connection
    assert not [name for name in connection if "token" in name]


async def test_rfc9700_pkce_s256_always_and_no_scope_is_asked_for(product: Caller):
    asked = parse_qs(urlsplit(await product.start()).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"{PUBLIC_URL}/v1/zoom/callback"]
    assert len(asked["state"][0]) >= 43
    assert "scope" not in asked


@pytest.mark.parametrize("host_id", ["", "a b", "x" * 101, {"$ne": None}, 7])
async def test_a_host_id_that_is_none_is_refused_and_nothing_is_stored(host_id: Any, product: Caller, database: Any):
    answer = await product.call("POST", "/v1/zoom/authorizations", json={"host_id": host_id})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body.host_id"
    assert await database["authorizations"].count_documents({}) == 0


async def test_rfc9700_a_state_is_good_for_one_exchange_also_when_it_comes_back_twenty_times_at_once(
    product: Caller, zoom: Zoom
):
    address = await zoom.consent(await product.start())
    pages = await asyncio.gather(*(product.come_back(address) for _ in range(20)))
    assert sorted(page.status_code for page in pages) == [200] + [409] * 19
    assert "used already" in next(page.text for page in pages if page.status_code == 409)
    assert len(await zoom.token_calls()) == 1


async def test_a_state_expires_after_ten_minutes(product: Caller, zoom: Zoom, clock: MovableClock):
    address = await zoom.consent(await product.start())
    clock.advance(minutes=10, seconds=1)
    page = await product.come_back(address)
    assert page.status_code == 410
    assert await zoom.token_calls() == []
    assert await product.connections() == []


async def test_a_state_that_nobody_was_given_is_refused_without_an_exchange(product: Caller, zoom: Zoom):
    address = with_query(await zoom.consent(await product.start()), state="made-up")
    page = await product.come_back(address)
    assert page.status_code == 400
    assert await zoom.token_calls() == []


async def test_rfc9700_a_code_that_another_attempt_obtained_does_not_fit_this_attempts_verifier(
    new_product: Callable[[], Awaitable[Caller]], zoom: Zoom
):
    attacker, victim = await new_product(), await new_product()
    stolen = query_of(await zoom.consent(await victim.start(), "host-2"))["code"]
    address = with_query(await zoom.consent(await attacker.start(), "host-1"), code=stolen)
    page = await attacker.come_back(address)
    assert page.status_code == 400
    assert "Zoom refused the authorization" in page.text
    assert [call["status"] for call in await zoom.token_calls()] == [400]
    assert await attacker.connections() == await victim.connections() == []


async def test_f5_an_install_from_the_marketplace_has_no_state_and_its_code_is_never_exchanged(
    product: Caller, zoom: Zoom
):
    address = await zoom.install()
    assert query_of(address).keys() == {"code"}
    page = await product.come_back(address)
    assert page.status_code == 200
    assert "start from the product" in page.text
    assert await zoom.token_calls() == []
    assert await product.connections() == []


async def test_f77_an_owner_who_declines_is_told_how_to_begin_again_and_the_state_is_spent(product: Caller, zoom: Zoom):
    address = await zoom.consent(await product.start(), decision="decline")
    assert query_of(address)["error"] == "access_denied"
    assert (await product.come_back(address)).status_code == 403
    assert (await product.come_back(address)).status_code == 409


async def test_a_callback_without_a_code_is_a_clear_page(product: Caller):
    state = query_of(await product.start())["state"]
    page = await product.browser.open(f"/v1/zoom/callback?state={state}")
    assert page.status_code == 400
    assert "Connect Zoom" in page.text


@pytest.mark.parametrize("query", ["state=%00", "state=a&state=b&code=c", "code=%ff&state=" + "x" * 5000, "error=<b>"])
async def test_a_made_up_callback_is_a_page_with_a_client_error(query: str, product: Caller, zoom: Zoom):
    page = await product.http.get(f"/v1/zoom/callback?{query}")
    assert 400 <= page.status_code < 500
    assert "<b>" not in page.text
    assert await zoom.token_calls() == []


@pytest.mark.parametrize(("fault", "status"), [("down", 503), ("stale_refresh_token", 400)])
async def test_what_goes_wrong_at_zooms_token_endpoint_stores_nothing(
    fault: str, status: int, product: Caller, zoom: Zoom
):
    address = await zoom.consent(await product.start())
    await zoom.fault("token", fault)
    assert (await product.come_back(address)).status_code == status
    assert await product.connections() == []


async def test_f75_f77_missing_permissions_are_named_with_their_purpose(product: Caller, zoom: Zoom):
    await zoom.user("host-1", scopes=["user:read:user", "meeting:write:meeting", "meeting:read:meeting:admin"])
    page = await product.come_back(await zoom.consent(await product.start()))
    assert "delete the meeting when a booking is canceled (meeting:delete:meeting)" in page.text
    assert "allow every permission" in page.text
    [connection] = await product.connections()
    missing = {scope["scope"] for scope in connection["missing_scopes"]}
    assert missing == {"meeting:update:meeting", "meeting:delete:meeting", "meeting:read:list_meetings"}
    assert all(scope["purpose"] for scope in connection["missing_scopes"])


async def test_f77_without_leave_to_read_the_user_nothing_is_connected(product: Caller, zoom: Zoom):
    await zoom.user("host-1", scopes=["meeting:write:meeting"])
    page = await product.come_back(await zoom.consent(await product.start()))
    assert page.status_code == 403
    assert "A permission is missing" in page.text
    assert await product.connections() == []


async def test_f67_zoom_is_asked_again_whose_tokens_these_are_before_they_are_given_up(
    product: Caller, connect: Connect, zoom: Zoom, meeting_service: Caller
):
    """The exchange has ended the tokens of before, and the code works once."""
    own = await connect(product)
    await zoom.fault("get_user", "rate_limited_second", times=2)
    assert (await connect(product))["id"] == own["id"]
    asked = {"organization_id": product.organization_id, "connection_id": own["id"]}
    assert await zoom.accepts((await meeting_service.access_token(**asked)).json()["access_token"])


@pytest.mark.parametrize(("kind", "status"), [("down", 503), ("status", 403)])
async def test_f67_tokens_of_nobody_knows_whom_are_revoked_and_what_became_of_those_of_before_is_shown(
    *, kind: str, status: int, product: Caller, connect: Connect, zoom: Zoom
):
    await connect(product)
    await soon(lambda: is_checked_up(product))  # which asks Zoom the same
    await zoom.fault("get_user", kind, status=403, times=None)
    page = await product.come_back(await zoom.consent(await product.start()))
    assert page.status_code == status
    assert [call["status"] for call in await zoom.calls("revoke")] == [200]

    async def is_shown() -> bool:
        [connection] = await product.connections()
        return bool(connection["status"] == "reauthorization_required")

    await soon(is_shown)


async def is_checked_up(product: Caller) -> bool:
    return all(connection["checked_at"] for connection in await product.connections())


async def test_f67_a_reconnect_replaces_the_tokens_of_the_same_connection(
    product: Caller, connect: Connect, database: Any
):
    first = await connect(product, user_id="host-1")
    before = await database["connections"].find_one()
    second = await connect(product, user_id="host-2")
    after = await database["connections"].find_one()
    assert first["id"] == second["id"]
    assert second["zoom_user_id"] == "host-2"
    assert await database["connections"].count_documents({}) == 1
    assert after["tokens"]["version"] == before["tokens"]["version"] + 1


async def test_owners_who_connect_twice_at_once_still_have_one_connection(product: Caller, zoom: Zoom, database: Any):
    addresses = [await zoom.consent(await product.start("h1"), f"host-{n}") for n in range(1, 9)]
    pages = await asyncio.gather(*(product.come_back(address) for address in addresses))
    answers = [page.status_code for page in pages]
    assert set(answers) <= {200, 303, 409}, "who came back after another Zoom user is asked, or was overtaken"
    assert await database["connections"].count_documents({}) == 1
    assert (await database["connections"].find_one())["tokens"]["version"] == answers.count(200) > 0


async def test_f12_a_host_and_the_organization_have_a_connection_each(product: Caller, connect: Connect):
    await connect(product, user_id="host-1")
    await connect(product, host_id="hst_1", user_id="host-2")
    found = {(each["host_id"], each["zoom_user_id"]) for each in await product.connections()}
    assert found == {(None, "host-1"), ("hst_1", "host-2")}


async def test_connections_come_in_pages(product: Caller, connect: Connect):
    for number in range(1, 6):
        await connect(product, host_id=f"hst_{number}", user_id=f"host-{number}")
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = (await product.call("GET", f"/v1/zoom/connections?limit=2&cursor={cursor}")).json()
        assert len(page["items"]) <= 2
        seen += [each["zoom_user_id"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(seen) == [f"host-{number}" for number in range(1, 6)]


async def test_api3_a_question_with_a_name_that_is_not_known_is_refused(product: Caller):
    refused = await product.call("GET", "/v1/zoom/connections?host_id=hst_1")
    assert (refused.status_code, refused.json()["type"]) == (422, "invalid-request")
    assert [error["field"] for error in refused.json()["errors"]] == ["query.host_id"]


async def test_two_organizations_see_only_their_own_connections(
    new_product: Callable[[], Awaitable[Caller]], connect: Connect, meeting_service: Caller
):
    one, other = await new_product(), await new_product()
    own = await connect(one, host_id="hst_1", user_id="host-1")
    assert await other.connections() == []
    answers: list[httpx.Response] = [
        await other.call("GET", f"/v1/zoom/connections/{own['id']}"),
        await meeting_service.access_token(organization_id=other.organization_id, connection_id=own["id"]),
        await meeting_service.access_token(organization_id=other.organization_id, host_id="hst_1"),
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404]


@pytest.mark.parametrize("host_id", ["", "hst 1", "hst.1", "hst:1", "höst", "a/../b", "x" * 65, 5])
async def test_a_host_id_that_is_none_is_refused(product: Caller, host_id: object):
    refused = await product.call("POST", "/v1/zoom/authorizations", json={"host_id": host_id})
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == ["body.host_id"]
