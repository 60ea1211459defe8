"""An erasure ends a choice between two Zoom users, whatever is being done with it (B16, F69)."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from auth_service.mongo.choices import FINISHED_WITHIN
from auth_service.mongo.portions import Portions
from auth_service.settings import Settings
from convoke import mongo
from convoke.erasure.portions import Erasure, Renew, erase
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.vault import Vault
from tests.integration.auth_service.choices import connected_user, is_erased
from tests.integration.auth_service.owners import OwnerAtZoom, choice_in
from tests.integration.auth_service.replicas import MovableClock, soon


async def is_found(database: Any) -> bool:
    """Tell whether an erasure has emptied the choice."""
    return bool((await database["choices"].find_one())["user"]["id"] == "")


async def test_b16_f69_an_erasure_ends_a_choice_that_was_left_in_the_middle_too(
    owner: OwnerAtZoom, clock: MovableClock, database: Any
):
    await owner.come_back("host-2")
    decided = {"decision": "accepted", "due_at": clock() + FINISHED_WITHIN}
    await database["choices"].update_one({}, {"$set": decided})
    assert (await owner.product.call("POST", "/v1/erasures", json={"scope": "zoom_data"})).status_code == 202
    await soon(lambda: is_found(database))
    clock.advance(seconds=FINISHED_WITHIN.total_seconds() + 1)

    async def ended() -> bool:
        return await is_erased(database) and ("host-2", 200) in await owner.zoom.revocations()

    await soon(ended)
    [connection] = await owner.product.connections()
    assert connection["status"] == "disconnected"


async def test_b16_f69_an_erasure_of_the_former_user_leaves_the_pair_that_the_connection_has_taken(
    owner: OwnerAtZoom, clock: MovableClock, database: Any
):
    """Whoever accepted died before the pair was erased from the choice, and there the erasure finds it."""
    back = await owner.come_back("host-2")
    before = await database["choices"].find_one()
    assert (await owner.decide("accept", back)).status_code == 200
    left = {"decision": "accepted", "tokens": before["tokens"], "due_at": clock() + FINISHED_WITHIN}
    await database["choices"].update_one({}, {"$set": left})
    asked = {"scope": "person", "person": "host-1@example.com"}
    assert (await owner.product.call("POST", "/v1/erasures", json=asked)).status_code == 202
    await soon(lambda: is_found(database))
    clock.advance(seconds=FINISHED_WITHIN.total_seconds() + 1)
    await soon(lambda: is_erased(database))
    assert await owner.zoom.revocations() == []
    assert await connected_user(owner) == "host-2"


async def test_b16_f69_an_erasure_ends_the_choice_and_the_tokens_that_wait_are_revoked(
    owner: OwnerAtZoom, database: Any
):
    back = await owner.come_back("host-2")
    asked = await owner.product.call("POST", "/v1/erasures", json={"scope": "zoom_data"})
    assert asked.status_code == 202

    async def ended() -> bool:
        return await is_erased(database) and ("host-2", 200) in await owner.zoom.revocations()

    await soon(ended)
    assert "example.com" not in str(await database["choices"].find_one())
    assert (await owner.product.browser.open(choice_in(back))).status_code == 410
    receipt = (await owner.product.call("GET", asked.headers["location"])).json()
    [own] = [share for share in receipt["services"] if share["service"] == "auth-service"]
    assert own["removed"]["zoom_choices"] == 1


@pytest.fixture
def erase_choices(
    owner: OwnerAtZoom, settings: Settings, clock: MovableClock, store: mongo.Database
) -> Callable[[Renew], Awaitable[int]]:
    """Erases Zoom's data from the choices; what it is given goes on between reading and writing."""
    vault = Vault(settings.encryption_keys)

    async def erase_them(meanwhile: Renew) -> int:
        erasure = Erasure("era_1", owner.product.organization_id, "zoom_data", clock())
        portions = Portions(store, DeadLetters(store, vault, ()), clock).of(erasure)
        [choices] = [portion for portion in portions if portion.what == "zoom_choices"]
        return await erase(choices, erasure, meanwhile)

    return erase_them


async def test_b16_f69_a_choice_that_is_accepted_while_it_is_erased_stays_accepted(
    owner: OwnerAtZoom, database: Any, erase_choices: Callable[[Renew], Awaitable[int]]
):
    """Between reading a choice and writing what stays of it the owner may decide."""
    back = await owner.come_back("host-2")

    async def accept_meanwhile() -> None:
        if not await is_erased(database):
            assert (await owner.decide("accept", back)).status_code == 200

    assert await erase_choices(accept_meanwhile) == 0
    row = await database["choices"].find_one()
    assert (row["decision"], row["user"]["id"]) == ("accepted", "")
    assert await is_erased(database)


async def test_b16_f69_a_choice_that_is_finished_while_it_is_erased_is_not_due_without_its_tokens(
    owner: OwnerAtZoom, clock: MovableClock, database: Any, erase_choices: Callable[[Renew], Awaitable[int]]
):
    await owner.come_back("host-2")
    decided = {"decision": "accepted", "due_at": clock() + FINISHED_WITHIN}
    await database["choices"].update_one({}, {"$set": decided})

    async def finish_meanwhile() -> None:
        gone = {"tokens.access": "", "tokens.refresh": "", "due_at": ""}  # as Choices.finish leaves it
        await database["choices"].update_one({"decision": "accepted"}, {"$unset": gone})

    assert await erase_choices(finish_meanwhile) == 0
    row = await database["choices"].find_one()
    assert (row["decision"], row["user"]["id"], "due_at" in row) == ("accepted", "", False)


async def test_b16_f69_whoever_carries_out_a_choice_that_is_erased_has_the_time_to_finish(
    owner: OwnerAtZoom, clock: MovableClock, database: Any, erase_choices: Callable[[Renew], Awaitable[int]]
):
    await owner.come_back("host-2")
    decided = {"decision": "accepted", "due_at": clock() + FINISHED_WITHIN}
    await database["choices"].update_one({}, {"$set": decided})
    before = await database["choices"].find_one()

    async def nothing_meanwhile() -> None:
        """Keep the lease."""

    assert await erase_choices(nothing_meanwhile) == 0
    row = await database["choices"].find_one()
    assert (row["decision"], row["due_at"]) == ("expired", before["due_at"])
