"""An attempt to connect belongs to the browser that began it: whoever gets hold of its addresses can do nothing.

RFC 9700, 2.1 and 4.7; ASVS 5.0, 10.2.1.
"""

from collections.abc import Awaitable, Callable
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integration.auth_service.owners import query_of, stranger, text_of
from tests.integration.auth_service.replicas import PUBLIC_URL, Caller, MovableClock
from tests.integration.auth_service.zoom_app import Zoom


async def link_of(product: Caller) -> str:
    return str((await product.begin()).json()["authorization_url"])


async def test_f7_f8_the_permissions_and_their_purposes_are_shown_before_zooms_own_page(product: Caller):
    answer = await product.begin()
    link = answer.json()["authorization_url"]
    assert link.startswith(f"{PUBLIC_URL}/v1/zoom/authorizations/")
    page = await product.browser.open(link)
    assert page.status_code == 200
    needed = (await product.call("GET", "/v1/zoom")).json()["needed_scopes"]
    assert len(needed) >= 6
    shown = unescape(page.text)
    assert not [scope for scope in needed if scope["scope"] not in shown or scope["purpose"] not in shown]
    assert "Connect Zoom with A product" in page.text
    assert "your password stays there" in page.text
    assert "<script" not in page.text
    zooms = await product.browser.proceed(link)
    assert urlsplit(zooms).path == "/oauth/authorize"


async def test_rfc9700_asvs_10_2_1_a_callback_in_another_browser_connects_nothing_and_spends_nothing(
    product: Caller, zoom: Zoom
):
    address = await zoom.consent(await product.start())
    stolen = await stranger(product).open(address)
    assert stolen.status_code == 403
    assert "not the browser in which you began" in stolen.text
    assert await zoom.token_calls() == []
    assert (await product.come_back(address)).status_code == 200


async def test_rfc9700_an_attackers_code_and_state_are_no_good_in_the_victims_browser(
    new_product: Callable[[], Awaitable[Caller]], zoom: Zoom
):
    """The victim is led to a callback that would connect the attacker's Zoom account."""
    attacker, victim = await new_product(), await new_product()
    await victim.start()
    address = await zoom.consent(await attacker.start(), "host-9")
    assert (await victim.browser.open(address)).status_code == 403
    assert await victim.connections() == await attacker.connections() == []


async def test_a_link_belongs_to_the_browser_that_went_on_first_and_a_look_takes_nothing(product: Caller):
    link = await link_of(product)
    preview = stranger(product)
    assert (await preview.open(link)).status_code == 200  # as a mail scanner or a chat does
    await product.browser.proceed(link)
    assert (await preview.open(link)).status_code == 403
    assert (await preview.send(link)).status_code == 403
    assert (await product.browser.open(link)).status_code == 200


async def test_who_goes_back_and_on_again_comes_back_with_the_newer_state_only(product: Caller, zoom: Zoom):
    link = await link_of(product)
    first = await zoom.consent(await product.browser.proceed(link))
    second = await zoom.consent(await product.browser.proceed(link))
    assert (await product.come_back(first)).status_code == 400
    assert (await product.come_back(second)).status_code == 200
    assert (await product.browser.open(link)).status_code == 409


async def test_a_form_that_another_page_sends_goes_nowhere(product: Caller):
    link = await link_of(product)
    await product.browser.open(link)
    assert (await product.browser.send(link)).status_code == 403
    assert (await product.browser.send(link, proof="0" * 64)).status_code == 403


@pytest.mark.parametrize("change", [lambda link: f"{link}x", lambda link: link.partition(".")[0], lambda _: "za_x.y"])
async def test_a_made_up_link_is_a_page_that_says_so(product: Caller, change: Callable[[str], str]):
    link = (await link_of(product)).rpartition("/")[2]
    page = await product.browser.open(f"/v1/zoom/authorizations/{change(link)}")
    assert page.status_code == 400
    assert "not ours" in page.text


async def test_a_link_is_good_for_ten_minutes(product: Caller, clock: MovableClock):
    answer = (await product.begin()).json()
    clock.advance(minutes=10, seconds=1)
    page = await product.browser.open(answer["authorization_url"])
    assert page.status_code == 410
    assert "took too long" in page.text


async def test_the_cookie_is_bound_to_the_host_and_out_of_reach_for_scripts(product: Caller):
    page = await product.http.get(f"/v1/zoom/authorizations/{(await link_of(product)).rpartition('/')[2]}")
    cookie = page.headers["set-cookie"]
    assert cookie.startswith("__Host-zoom_connect=")
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie
    assert page.headers["cache-control"] == "no-store"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


async def test_what_is_stored_of_an_attempt_opens_nothing(product: Caller, database: Any):
    link = await link_of(product)
    state = query_of(await product.browser.proceed(link))["state"]
    stored = str(await database["authorizations"].find_one())
    secret = link.rpartition(".")[2]
    assert not [one for one in (secret, state, *product.browser.cookies.values()) if one in stored]


async def test_f78_f79_what_zoom_shows_instead_is_explained_before_it_does(product: Caller):
    """Whoever meets a page of Zoom's own does not come back from it."""
    page = text_of(await product.browser.open(await link_of(product)))
    assert "Request Access" in page
    assert "(4,709)" in page
    assert "private window" in page
    assert "Sign out at zoom.us" in page
