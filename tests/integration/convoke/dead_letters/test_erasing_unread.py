"""Erasing what cannot be read: it is left and said, blocks nothing, and goes once its key is back or by an operator."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretBytes

from convoke.clock import utc_now
from convoke.contracts import PrivacyErasureRequested
from convoke.contracts.topology import BOOKING_SERVICE_NOTIFICATIONS as STREAM
from convoke.due_work import DueWork
from convoke.erasure.eraser import LEASE, Eraser
from convoke.erasure.portions import Erasure, Portion, erase, unmarked
from convoke.erasure.shares import Shares
from convoke.messaging.broker import publishing_broker
from convoke.messaging.cloudevents import Event
from convoke.messaging.dead_letters.erasing import dead_letters_portions
from convoke.messaging.dead_letters.letter import Letter
from convoke.messaging.dead_letters.office import DeadLetterOffice
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.messaging.outbox import Outbox
from convoke.messaging.publisher import Publisher
from convoke.mongo import Database, Document
from convoke.vault import CannotDecrypt, Vault

NOW = datetime(2026, 11, 21, tzinfo=UTC)
GUEST = "gus@guest.example"
LETTER = Letter(
    "dl_1", STREAM.queue, "not_json", "no JSON", None, None, None, None, NOW, NOW, body=b"of org_1: " + GUEST.encode()
)
VAULT = Vault({"k1": SecretBytes(b"v" * 32)})


@pytest.fixture
def unread(database: Database) -> DeadLetters:
    """The same letters, where the key that sealed them is not there."""
    return DeadLetters(database, Vault({"k2": SecretBytes(b"w" * 32)}), [STREAM])


async def held() -> None:
    """Keep the lease."""


async def erased(letters: DeadLetters, scope: Any, person: str | None = None) -> int:
    """Return how many are left."""
    erasure = Erasure("era_1", "org_1", scope, NOW, person)
    return sum([await erase(portion, erasure, held) for portion in dead_letters_portions(letters, erasure)])


async def states(database: Database) -> list[str]:
    return [letter["state"] async for letter in database["dead_letters"].find().sort("_id", 1)]


@pytest.mark.parametrize("scope", ["zoom_data", "person", "organization"])
async def test_f70_a_letter_of_nobody_that_cannot_be_read_is_left_and_goes_once_its_key_is_back(
    scope: Any, letters: DeadLetters, unread: DeadLetters, database: Database
):
    person = GUEST if scope == "person" else None
    await letters.keep(LETTER)
    assert await erased(unread, scope, person) == 1
    assert await states(database) == ["waiting"]
    assert await erased(letters, scope, person) == 0
    assert await states(database) == ["discarded"]


@pytest.mark.parametrize("scope", ["zoom_data", "organization"])
async def test_f70_a_letter_of_the_organization_goes_unread(
    scope: Any, letters: DeadLetters, unread: DeadLetters, database: Database
):
    await letters.keep(replace(LETTER, organization_id="org_1"))
    assert await erased(unread, scope) == 0
    assert await states(database) == ["discarded"]


async def test_f70_a_letter_that_cannot_be_read_holds_up_no_other(
    letters: DeadLetters, unread: DeadLetters, database: Database
):
    await letters.keep(LETTER)
    await unread.keep(replace(LETTER, id="dl_2"))
    await unread.keep(replace(LETTER, id="dl_3", body=b"of org_2"))
    assert await erased(unread, "organization") == 1
    assert await states(database) == ["waiting", "discarded", "waiting"]


async def test_a_letter_whose_key_is_lost_can_be_discarded(
    unread: DeadLetters, office: DeadLetterOffice, database: Database
):
    await unread.keep(LETTER)
    with pytest.raises(CannotDecrypt):
        await office.read(LETTER.id)
    await office.discard(await office.read(LETTER.id, with_body=False), "ada", "its key is lost")
    assert await states(database) == ["discarded"]


async def test_f69_f68_of_zooms_data_only_what_was_left_is_looked_at_again(vhost: str, database: Database):
    """A second look at the rest would find what a new connection has made since."""
    lost_keys = {"letter_1"}

    def emptied(document: Document) -> Document:
        if document["_id"] in lost_keys:
            raise CannotDecrypt
        return {"$set": {"link": None}}

    def portions(erasure: Erasure) -> list[Portion]:
        owner = {"organization_id": "org_1"}
        return [Portion(name, database[name], emptied, owner, unmarked(erasure)) for name in ("letters", "links")]

    shares, broker = Shares("meeting-service", database, VAULT), publishing_broker(vhost)
    outbox = Outbox(shares.collection, Publisher(broker), shares.expand)
    asked = PrivacyErasureRequested(erasure_id="era_1", organization_id="org_1", scope="zoom_data")
    await shares.add(Event("evt_1", "/auth-service", "era_1", NOW, "org_1", asked))

    async def look() -> Document:
        await shares.collection.update_one({}, {"$set": {"due_at": utc_now()}})
        claim = await DueWork(shares.collection, LEASE).claim()
        assert claim
        await Eraser(shares, portions, outbox, utc_now).work(claim)
        [share] = await shares.collection.find().to_list(None)
        return dict(share)

    for name in ("letters", "links"):
        await database[name].insert_one({"_id": f"{name[:-1]}_1", "organization_id": "org_1", "link": "before"})
    assert (await look())["left"] == {"letters": 1}
    await database["links"].insert_one({"_id": "link_2", "organization_id": "org_1", "link": "since"})
    lost_keys.clear()
    share = await look()
    assert (share["left"], share["removed"]) == ({}, {"letters": 1, "links": 1})
    assert "due_at" not in share
    assert [one["link"] for one in await database["links"].find().sort("_id", 1).to_list(None)] == [None, "since"]
    await outbox.drain()
    await broker.stop()
