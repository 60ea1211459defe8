"""Erasing in batches: whoever takes over finishes it, the counts are whole, and what is needed is left."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretBytes

from convoke import mongo
from convoke.clock import utc_now
from convoke.contracts import PrivacyErasureRequested
from convoke.due_work import DueWork
from convoke.erasure import portions
from convoke.erasure.eraser import LEASE, Outcome
from convoke.erasure.portions import NEEDED, Erasure, Portion, create_index, erase, removed, tombstone, unmarked
from convoke.erasure.shares import Shares
from convoke.messaging.cloudevents import Event
from convoke.mongo import Collection, Document
from convoke.vault import Vault

ERASURE = Erasure("era_1", "org_1", "organization", datetime(2026, 11, 21, tzinfo=UTC))


class Died(Exception):
    """The process ends here."""


@dataclass
class Lease:
    """Renewed so often, then lost."""

    renewals: int = 1_000
    renewed: list[None] = field(default_factory=list)

    async def __call__(self) -> None:
        if len(self.renewed) == self.renewals:
            raise Died
        self.renewed.append(None)


@pytest.fixture
async def collection(mongodb_url: str, fresh_database: str) -> AsyncIterator[Collection]:
    client = mongo.connect(mongodb_url)
    collection = mongo.database(client, fresh_database)["things"]
    await create_index(collection)
    await collection.insert_many(
        {"_id": f"thing_{number}", "organization_id": "org_1" if number < 25 else "org_2", "revision": 1, "name": "Gus"}
        for number in range(30)
    )
    yield collection
    client.close()


def all_of(collection: Collection, erased: Any = tombstone) -> Portion:
    return Portion("things", collection, erased, {"organization_id": "org_1"}, unmarked(ERASURE), guards=("revision",))


async def test_b18_whoever_takes_over_a_half_done_erasure_finishes_it_and_counts_all(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(portions, "BATCH", 10)
    with pytest.raises(Died):
        await erase(all_of(collection), ERASURE, Lease(renewals=2))
    assert await removed(all_of(collection), ERASURE) == 20
    for _ in range(2):
        assert await erase(all_of(collection), ERASURE, Lease()) == 0
        assert await removed(all_of(collection), ERASURE) == 25
    left = await collection.find({"name": "Gus"}).to_list(None)
    assert {document["organization_id"] for document in left} == {"org_2"}
    assert len(left) == 5


async def test_b18_what_is_needed_is_counted_and_left(collection: Collection):
    def only_even(document: Document) -> Any:
        return tombstone(document) if int(document["_id"][6:]) % 2 == 0 else NEEDED

    assert await erase(all_of(collection, only_even), ERASURE, Lease()) == 12
    assert await removed(all_of(collection, only_even), ERASURE) == 13


async def test_b18_what_changes_while_it_is_erased_is_looked_at_again(collection: Collection):
    seen: list[int] = []

    class Racing:
        """Gives each document a newer revision the first time that it is looked at."""

        async def __call__(self) -> None:
            if not seen:
                await collection.update_one({"_id": "thing_0"}, {"$set": {"revision": 2, "name": "Newer"}})

    def erased(document: Document) -> Document:
        seen.append(document["revision"])
        return {"$set": {"name": f"erased at {document['revision']}"}}

    await erase(all_of(collection, erased), ERASURE, Racing())
    found = await collection.find_one({"_id": "thing_0"})
    assert found
    assert (found["revision"], found["name"]) == (2, "erased at 2")


async def test_b18_a_receipt_keeps_the_count_of_what_is_forgotten_after_it_was_erased(collection: Collection):
    database: Any = collection.database
    shares = Shares("notifier", database, Vault({"k1": SecretBytes(b"v" * 32)}))
    asked = PrivacyErasureRequested(erasure_id="era_1", organization_id="org_1", scope="organization")
    await shares.add(Event("evt_1", "/auth-service", "era_1", ERASURE.requested_at, "org_1", asked))
    told = []
    for counted in ({"choices": 3, "mails": 1}, {"choices": 2, "mails": 2}, {"mails": 1}):
        await shares.collection.update_one({}, {"$set": {"due_at": utc_now()}})
        claim = await DueWork(shares.collection, LEASE).claim()
        assert claim
        share = await shares.finish(claim, Outcome(counted, {}, 1, utc_now()))
        assert share
        told.append((share["removed"], len(share["outbox"])))
    assert told == [({"choices": 3, "mails": 1}, 1), ({"choices": 3, "mails": 2}, 2), ({"choices": 3, "mails": 2}, 2)]


def test_a_tombstone_keeps_id_and_revision_and_nothing_else():
    document = {"_id": "x", "organization_id": "org_1", "revision": 7, "email": "gus@guest.example", "outbox": [1]}
    assert tombstone(document) == {"_id": "x", "organization_id": "org_1", "revision": 7, "is_erased": True}


def test_nobody_is_told_apart_by_capitals():
    erasure = Erasure("era_1", "org_1", "person", ERASURE.requested_at, "gus@guest.example")
    assert erasure.is_of(" Gus@Guest.EXAMPLE")
    assert not erasure.is_of("gus@guest.example.org")
    assert not erasure.is_of(None)
    assert "gus@guest.example" not in repr(erasure)
