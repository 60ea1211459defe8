"""Another Zoom user than before is shown, with what will come of it, before anything changes (B16)."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from auth_service.mongo.choices import secrets_of
from auth_service.settings import Settings
from convoke.vault import CannotDecrypt, Vault
from tests.integration.auth_service.choices import connected_user, is_erased
from tests.integration.auth_service.owners import HOME, OwnerAtZoom, choice_in, query_of, stranger, text_of
from tests.integration.auth_service.replicas import MovableClock, soon
from tests.integration.auth_service.test_disconnecting import disconnect
from tests.integration.auth_service.test_refreshing import events_about, settled

Meanwhile = Callable[[OwnerAtZoom, MovableClock], Awaitable[None]]


async def test_b16_f16_f83_both_accounts_are_shown_and_nothing_changes_before_the_owner_agrees(owner: OwnerAtZoom):
    back = await owner.come_back("host-2")
    page = await owner.product.browser.open(choice_in(back))
    assert page.status_code == 200
    assert "host-1@example.com" in page.text
    assert "host-2@example.com" in page.text
    assert "How many meetings are planned with the former account cannot be said just now" in text_of(page)
    assert "gets a new link, and host and guest are mailed it once" in text_of(page)
    assert "Keep host-1@example.com" in page.text
    assert await connected_user(owner) == "host-1"


async def test_b16_b17_what_the_newer_user_had_connected_elsewhere_is_known_to_be_over_at_once(owner: OwnerAtZoom):
    """Zoom ends a user's earlier tokens with every consent, also where it is not accepted here yet."""
    assert (await owner.come_back("host-2", "hst_2")).status_code == 200

    async def is_checked_up() -> bool:
        return all(found["checked_at"] for found in await owner.product.connections())

    await soon(is_checked_up)
    assert (await owner.come_back("host-2")).status_code == 303

    async def is_known() -> bool:
        states = {found["host_id"]: found["status"] for found in await owner.product.connections()}
        return states == {None: "active", "hst_2": "reauthorization_required"}

    await soon(is_known)


async def test_b16_to_keep_an_account_that_was_disconnected_is_shown_not_to_connect_it(owner: OwnerAtZoom):
    in_use = await owner.product.browser.open(choice_in(await owner.come_back("host-2")))
    assert "not connected now" not in text_of(in_use)
    [own] = await owner.product.connections()
    assert await disconnect(owner.product, own["id"]) == 204
    ended = await owner.product.browser.open(choice_in(await owner.come_back("host-2")))
    assert "not connected now" in text_of(ended)
    assert "does not connect it again" in text_of(ended)


async def test_b16_accepted_the_newer_account_takes_over_and_is_told_with_the_former_one(
    owner: OwnerAtZoom, rabbitmq_url: str, database: Any
):
    page = await owner.decide("accept", await owner.come_back("host-2"))
    assert page.status_code == 200
    assert "Zoom is connected: host-2@example.com" in page.text
    assert await connected_user(owner) == "host-2"
    [connection] = await owner.product.connections()
    await settled(database)
    last = (await events_about(connection["id"], rabbitmq_url))[-1]
    assert (last.data.event_type, last.data.previous_zoom_user_id) == ("zoom.connected.v1", "host-1")
    assert await is_erased(database)
    assert await owner.zoom.revocations() == []


async def test_b16_a_disconnected_account_counts_as_the_former_one_and_an_erased_one_does_not(
    owner: OwnerAtZoom, database: Any
):
    [connection] = await owner.product.connections()
    await owner.product.call("DELETE", f"/v1/zoom/connections/{connection['id']}")
    assert (await owner.come_back("host-2")).status_code == 303
    await database["connections"].update_one({}, {"$set": {"zoom_user_id": "", "zoom_account_id": "", "email": ""}})
    assert (await owner.come_back("host-3")).status_code == 200
    assert await connected_user(owner) == "host-3"


async def test_b16_the_same_account_is_asked_nothing(owner: OwnerAtZoom, database: Any):
    assert (await owner.come_back("host-1")).status_code == 200
    assert await database["choices"].count_documents({}) == 0


async def test_b16_f9_who_came_from_the_products_page_is_asked_first_and_then_sent_back(owner: OwnerAtZoom):
    kept = await owner.decide("keep", await owner.come_back("host-2", return_to=f"{HOME}?a=1"))
    assert kept.status_code == 303
    assert query_of(kept.headers["location"]) == {"a": "1", "zoom": "kept", "reason": "kept"}
    changed = await owner.decide("accept", await owner.come_back("host-3", return_to=f"{HOME}?a=1"))
    [connection] = await owner.product.connections()
    result = {"a": "1", "zoom": "connected", "connection_id": connection["id"]}
    assert query_of(changed.headers["location"]) == result


async def test_b16_only_the_owners_browser_decides_with_our_own_form_and_once(owner: OwnerAtZoom):
    address = choice_in(await owner.come_back("host-2"))
    assert (await stranger(owner.product).open(address)).status_code == 400
    assert (await stranger(owner.product).send(address, decision="accept")).status_code == 403
    assert (await owner.product.browser.send(address, decision="accept")).status_code == 403
    assert (await owner.product.browser.send(address, decision="accept", proof="0" * 64)).status_code == 403
    assert await connected_user(owner) == "host-1"
    page = await owner.product.browser.open(address)
    proof = page.text.partition('name="proof" value="')[2].partition('"')[0]
    assert (await owner.product.browser.send(address, decision="accept", proof=proof)).status_code == 200
    again = await owner.product.browser.send(address, decision="keep", proof=proof)
    assert again.status_code == 409
    assert await connected_user(owner) == "host-2"


async def test_b16_where_a_third_account_was_connected_meanwhile_the_owner_is_asked_anew(owner: OwnerAtZoom):
    second = await owner.come_back("host-2")
    third = await owner.come_back("host-3")
    await owner.decide("accept", second)
    page = await owner.decide("accept", third)
    assert page.status_code == 303
    shown = await owner.product.browser.open(f"/v1/zoom/choices/{page.headers['location']}")
    assert "host-2@example.com" in shown.text
    assert "host-3@example.com" in shown.text
    assert await connected_user(owner) == "host-2"


async def test_b16_a_disconnect_after_coming_back_is_the_last_word(owner: OwnerAtZoom, clock: MovableClock):
    back = await owner.come_back("host-2")
    [connection] = await owner.product.connections()
    clock.advance(seconds=1)
    await owner.product.call("DELETE", f"/v1/zoom/connections/{connection['id']}")
    page = await owner.decide("accept", back)
    assert page.status_code == 409
    [connection] = await owner.product.connections()
    assert (connection["status"], connection["zoom_user_id"]) == ("disconnected", "host-1")


async def test_b16_tokens_that_died_while_the_owner_thought_replace_nothing(owner: OwnerAtZoom):
    back = await owner.come_back("host-2")
    await owner.zoom.http.post("/sandbox/deauthorize", json={"user_id": "host-2"})
    page = await owner.decide("accept", back)
    assert page.status_code == 400
    assert "Zoom refused the authorization" in page.text
    assert await connected_user(owner) == "host-1"


async def disconnects(owner: OwnerAtZoom, clock: MovableClock) -> None:
    [connection] = await owner.product.connections()
    clock.advance(seconds=1)
    assert await disconnect(owner.product, connection["id"]) == 204


async def removes_the_app(owner: OwnerAtZoom, _: MovableClock) -> None:
    await owner.zoom.http.post("/sandbox/deauthorize", json={"user_id": "host-2"})


async def finds_zoom_down(owner: OwnerAtZoom, _: MovableClock) -> None:
    await owner.zoom.fault("get_user", "down", times=None)  # a check-up may ask, too


@pytest.mark.parametrize(
    ("meanwhile", "reason"),
    [(disconnects, "overtaken"), (removes_the_app, "code-refused"), (finds_zoom_down, "zoom-unavailable")],
)
async def test_b16_f9_what_goes_wrong_with_a_choice_is_told_where_the_owner_came_from(
    owner: OwnerAtZoom, clock: MovableClock, meanwhile: Meanwhile, reason: str
):
    back = await owner.come_back("host-2", return_to=HOME)
    await meanwhile(owner, clock)
    sent = await owner.decide("accept", back)
    assert sent.status_code == 303
    assert query_of(sent.headers["location"]) == {"zoom": "failed", "reason": reason}


async def test_b16_a_choice_that_expires_while_zoom_answers_is_not_said_to_be_made(
    owner: OwnerAtZoom, clock: MovableClock
):
    back = await owner.come_back("host-2")
    await owner.zoom.forget_calls()
    await owner.zoom.fault("revoke", "down", times=None)  # else Zoom might refuse the tokens first
    await owner.zoom.fault("get_user", "slow", delay_seconds=1, times=None)  # a check-up may ask, too
    page = asyncio.create_task(owner.decide("accept", back))
    await soon(partial(was_asked, owner))
    clock.advance(minutes=15, seconds=1)
    assert (await page).status_code == 410
    assert "took too long" in (await page).text


async def was_asked(owner: OwnerAtZoom) -> bool:
    return bool(await owner.zoom.calls("get_user"))


async def test_b16_while_zoom_is_down_the_choice_stays_open(owner: OwnerAtZoom):
    back = await owner.come_back("host-2")
    await owner.zoom.fault("get_user", "down", times=None)  # a check-up may ask, too
    assert (await owner.decide("accept", back)).status_code == 503
    await owner.zoom.heal()
    assert (await owner.decide("accept", back)).status_code == 200
    assert await connected_user(owner) == "host-2"


async def test_b16_f73_the_tokens_that_wait_are_sealed_for_their_row_and_the_choice_is_bound_to_the_browser(
    owner: OwnerAtZoom, database: Any, settings: Settings
):
    await owner.come_back("host-2")
    stored = await database["choices"].find_one()
    vault = Vault(settings.encryption_keys)
    sealed = {secret.path: (stored["tokens"][secret.path[7:]], secret.row) for secret in secrets_of(stored)}
    access, row = sealed["tokens.access"]
    assert await owner.zoom.accepts(vault.decrypt(access, *row))
    with pytest.raises(CannotDecrypt):
        vault.decrypt(access, *sealed["tokens.refresh"][1])
    assert not [value for value in owner.product.browser.cookies.values() if value in str(stored)]
