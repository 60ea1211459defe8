"""A choice between two Zoom users that is refused, runs out or is cut short leaves no tokens behind (B16)."""

from functools import partial
from typing import Any

import pytest
from pymongo import ReturnDocument

from auth_service.mongo.choices import FINISHED_WITHIN
from tests.integration.auth_service.choices import connected_user, is_erased
from tests.integration.auth_service.owners import OwnerAtZoom, choice_in
from tests.integration.auth_service.replicas import MovableClock, soon


async def test_b16_who_dies_between_the_decision_and_the_connection_is_made_up_for(
    owner: OwnerAtZoom, clock: MovableClock, database: Any
):
    await owner.come_back("host-2")
    decided = {"decision": "accepted", "due_at": clock() + FINISHED_WITHIN}
    await database["choices"].update_one({}, {"$set": decided})  # as Choices.accept leaves it
    assert await connected_user(owner) == "host-1"
    clock.advance(seconds=FINISHED_WITHIN.total_seconds() + 1)

    async def taken_over() -> bool:
        return await connected_user(owner) == "host-2" and await is_erased(database)

    await soon(taken_over)
    assert await owner.zoom.revocations() == []


async def test_b16_who_dies_between_the_connection_and_the_erasure_of_the_pair_undoes_nothing_later(
    owner: OwnerAtZoom, clock: MovableClock, database: Any
):
    """The pair in the choice is dead by then: the connection has been given others."""
    back = await owner.come_back("host-2")
    before = await database["choices"].find_one()
    assert (await owner.decide("accept", back)).status_code == 200
    later = await database["connections"].find_one_and_update(
        {"zoom_user_id": "host-2"}, {"$inc": {"tokens.version": 1}}, return_document=ReturnDocument.AFTER
    )
    left = {"decision": "accepted", "tokens": before["tokens"], "due_at": clock()}
    await database["choices"].update_one({}, {"$set": left})
    clock.advance(seconds=2)
    await soon(lambda: is_erased(database))
    now = await database["connections"].find_one({"zoom_user_id": "host-2"})
    assert (now["tokens"]["version"], now["tokens"]["access"]) == (
        later["tokens"]["version"],
        later["tokens"]["access"],
    )
    assert await owner.zoom.revocations() == []


async def test_b16_kept_the_former_account_goes_on_and_the_newer_ones_tokens_are_revoked_and_erased(
    owner: OwnerAtZoom, database: Any
):
    page = await owner.decide("keep", await owner.come_back("host-2"))
    assert page.status_code == 200
    assert "Nothing has changed" in page.text
    assert await connected_user(owner) == "host-1"

    async def ended() -> bool:
        return await is_erased(database) and await owner.zoom.revocations() == [("host-2", 200)]

    await soon(ended)
    stored = await database["choices"].find_one()
    assert "email" not in {**stored["user"], **stored["former"]}


async def test_b16_who_never_decides_keeps_the_former_account_and_the_newer_ones_tokens_go(
    owner: OwnerAtZoom, clock: MovableClock, database: Any
):
    back = await owner.come_back("host-2")
    clock.advance(minutes=15, seconds=1)

    async def ended() -> bool:
        return await is_erased(database) and await owner.zoom.revocations() == [("host-2", 200)]

    await soon(ended)
    late = await owner.product.browser.open(choice_in(back))
    assert late.status_code == 410
    assert "the former Zoom account" in late.text
    assert await connected_user(owner) == "host-1"


async def is_put_off(database: Any, clock: MovableClock) -> bool:
    choice = await database["choices"].find_one()
    return bool(choice["due_at"] > clock() and choice["lease"] is None)


async def test_b16_while_zoom_is_down_the_revocation_waits_until_an_hour_after_the_last_moment_to_decide(
    owner: OwnerAtZoom, clock: MovableClock, database: Any
):
    await owner.zoom.fault("revoke", "down", times=None)
    await owner.decide("keep", await owner.come_back("host-2"))
    await soon(partial(is_put_off, database, clock))
    assert not await is_erased(database)
    clock.advance(hours=1, minutes=15)
    await soon(lambda: is_erased(database))


async def test_b16_what_has_expired_before_zoom_could_be_asked_is_renewed_once_to_be_revoked(
    owner: OwnerAtZoom, clock: MovableClock, database: Any
):
    await owner.zoom.fault("revoke", "down", times=2)
    await owner.decide("keep", await owner.come_back("host-2"))
    await soon(partial(is_put_off, database, clock))
    await owner.zoom.forget_calls()
    clock.advance(hours=1, minutes=1)
    await soon(partial(is_put_off, database, clock))
    clock.advance(minutes=3)
    await soon(lambda: is_erased(database))
    assert [call["user_id"] for call in await owner.zoom.token_calls()].count("host-2") == 1
    assert ("host-2", 200) in await owner.zoom.revocations()


@pytest.mark.parametrize("kind", ["down", "status"])
async def test_b16_tokens_that_were_accepted_and_cannot_be_given_to_the_connection_are_revoked(
    *, kind: str, owner: OwnerAtZoom, clock: MovableClock, database: Any
):
    await owner.come_back("host-2")
    await owner.zoom.fault("get_user", kind, status=403, times=None)
    decided = {"decision": "accepted", "due_at": clock()}
    await database["choices"].update_one({}, {"$set": decided})  # as who dies right after Choices.accept leaves it
    clock.advance(hours=2)
    await soon(lambda: is_erased(database))
    assert ("host-2", 200) in await owner.zoom.revocations()
    assert await connected_user(owner) == "host-1"
