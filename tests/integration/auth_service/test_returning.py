"""Connecting from anywhere in a product, and coming back to where one was: with a result, and with nothing secret."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integration.auth_service.owners import HOME, OwnerAtZoom, query_of
from tests.integration.auth_service.replicas import MovableClock


@pytest.fixture
def owner(newcomer: OwnerAtZoom) -> OwnerAtZoom:
    """Return an owner who has not connected Zoom yet."""
    return newcomer


@pytest.mark.parametrize(
    "return_to",
    [
        f"{HOME}/integrations",
        f"{HOME}/services/new?draft=%7B%22title%22%3A%22Yoga%22%7D&step=2",
        f"{HOME}/classes/42/schedule?week=9",
        f"{HOME}/welcome?step=meeting-location",
    ],
)
async def test_f1_f2_f3_f4_f9_an_owner_connects_from_anywhere_and_returns_there(owner: OwnerAtZoom, return_to: str):
    back = await owner.come_back(return_to=return_to, host_id="hst_1")
    assert back.status_code == 303
    location = back.headers["location"]
    [connection] = await owner.product.connections()
    separator = "&" if "?" in return_to else "?"
    assert location == f"{return_to}{separator}zoom=connected&connection_id={connection['id']}"
    assert (back.headers["cache-control"], back.headers["referrer-policy"]) == ("no-store", "no-referrer")


@pytest.mark.parametrize(
    ("decision", "fault", "result"),
    [
        ("decline", None, {"zoom": "declined", "reason": "declined"}),
        ("allow", {"kind": "down"}, {"zoom": "failed", "reason": "zoom-unavailable"}),
        ("allow", {"kind": "stale_refresh_token"}, {"zoom": "failed", "reason": "code-refused"}),
        ("allow", {"kind": "grant_refused", "reason": "(4,709)"}, {"zoom": "failed", "reason": "redirect-mismatch"}),
        ("allow", {"kind": "grant_refused", "reason": "(4,711)"}, {"zoom": "failed", "reason": "permissions-changed"}),
        ("allow", {"kind": "grant_refused", "reason": "(4,717)"}, {"zoom": "failed", "reason": "app-disabled"}),
        ("allow", {"kind": "grant_refused", "reason": "(4,733)"}, {"zoom": "failed", "reason": "code-refused"}),
        ("allow", {"kind": "grant_refused", "reason": "(4,734)"}, {"zoom": "failed", "reason": "code-refused"}),
        ("allow", {"kind": "grant_refused", "reason": "(4,738)"}, {"zoom": "failed", "reason": "disabled-by-admin"}),
    ],
)
async def test_f9_f77_f82_what_went_wrong_is_told_where_the_owner_came_from(
    owner: OwnerAtZoom, decision: str, fault: dict[str, str] | None, result: dict[str, str]
):
    """Zoom's documented numbers, the owner's own decision, and Zoom being away."""
    if fault:
        await owner.zoom.fault("token", **fault)
    back = await owner.come_back(return_to=f"{HOME}?a=1", decision=decision)
    assert back.status_code == 303
    assert query_of(back.headers["location"]) == {"a": "1", **result}
    assert await owner.product.connections() == []


async def test_f9_who_took_too_long_or_comes_twice_is_led_back_too(owner: OwnerAtZoom, clock: MovableClock):
    address = await owner.zoom.consent(await owner.product.start(return_to=HOME))
    clock.advance(minutes=10, seconds=1)
    late = await owner.product.come_back(address)
    assert query_of(late.headers["location"]) == {"zoom": "expired", "reason": "expired"}
    address = await owner.zoom.consent(await owner.product.start(return_to=HOME))
    await owner.product.come_back(address)
    again = await owner.product.come_back(address)
    assert query_of(again.headers["location"]) == {"zoom": "failed", "reason": "state-used"}


async def test_f9_no_token_no_code_and_no_state_is_in_the_address_that_the_owner_returns_to(owner: OwnerAtZoom):
    address = await owner.zoom.consent(await owner.product.start(return_to=HOME))
    secrets = query_of(address)
    back = (await owner.product.come_back(address)).headers["location"]
    assert secrets.keys() == {"code", "state"}
    assert not [secret for secret in secrets.values() if secret in back]
    assert urlsplit(back).fragment == ""


@pytest.mark.parametrize("return_to", ["https://evil.example/", f"{HOME}x", f"{HOME}/../admin", "javascript:alert(1)"])
async def test_f9_nobody_is_sent_to_an_address_that_is_not_registered(
    owner: OwnerAtZoom, database: Any, return_to: str
):
    refused = await owner.product.begin(return_to=return_to)
    assert (refused.status_code, refused.json()["type"]) == (422, "return-not-allowed")
    assert refused.json()["errors"][0]["field"] == "body.return_to"
    assert refused.json()["errors"][0]["message"]
    assert await database["authorizations"].count_documents({}) == 0


async def test_f9_what_one_organization_has_registered_is_nothing_to_another(
    owner: OwnerAtZoom, new_product: Any, database: Any
):
    other = await new_product()
    refused = await other.begin(return_to=HOME)
    assert (refused.status_code, refused.json()["type"]) == (422, "return-not-allowed")
    assert (await owner.product.begin(return_to=HOME)).status_code == 201
    assert await database["authorizations"].count_documents({"return_to": HOME}) == 1
