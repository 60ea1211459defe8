"""The memory that the crash points are tried in behaves like MongoDB: in every scenario, and at its edges."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, WriteError

from convoke import mongo
from convoke.mongo import Database
from tests.faults.crashes.effects import Effects, Life
from tests.faults.crashes.enumerator import run
from tests.faults.crashes.memory_collection import MemoryCollection, Stored
from tests.faults.crashes.mirrored import MirroredCollection
from tests.faults.crashes.points import POINTS

NOON = datetime(2029, 3, 4, 12, tzinfo=UTC)
MILLISECOND = NOON.replace(microsecond=1000)


@pytest.fixture
async def database(mongodb_url: str, fresh_database: str) -> AsyncIterator[Database]:
    client = mongo.connect(mongodb_url)
    yield mongo.database(client, fresh_database)
    client.close()


@pytest.fixture
def both(database: Database) -> MirroredCollection:
    return MirroredCollection(MemoryCollection("both", Stored(), Life(Effects())), database["both"])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("scenario", POINTS)
async def test_every_operation_of_a_scenario_is_answered_as_mongodb_does(scenario: str, database: Database):
    mirrors: dict[str, MirroredCollection] = {}

    def mirrored(memory: MemoryCollection) -> Any:
        mirrors[memory.name] = MirroredCollection(memory, database[memory.name])
        return mirrors[memory.name]

    ended = await run(scenario, collection_of=mirrored)
    assert not ended.wrong, str(ended)
    for mirror in mirrors.values():
        await mirror.compare()


UPDATES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"_id": "a"}, {"$set": {"x": 1, "deep.er": (1, 2)}}),
    ({"_id": "a", "x": {"$not": {"$gte": 2}}}, {"$set": {"at": NOON}, "$inc": {"n": 1}}),
    ({"missing": None}, {"$inc": {"n": 1}}),
    ({"list.at": {"$lt": MILLISECOND}}, {"$pull": {"list": {"at": {"$lt": MILLISECOND}}}}),
    ({"list.0": {"$exists": True}}, {"$pull": {"list": {"id": {"$in": ["one"]}}}}),
    ({"list.id": "two"}, {"$push": {"list": {"$each": [{"id": "three"}], "$slice": -2}}}),
    ({"list.id": {"$ne": "two"}}, {"$set": {"found": "not two"}}),
    ({"times": {"$lte": NOON}}, {"$pull": {"times": {"$lte": NOON}}}),
    ({"$or": [{"x": {"$in": [0, 7]}}, {"x": {"$nin": [0, None]}}]}, {"$min": {"at": NOON, "first": NOON}}),
    ({"x": {"$gt": 0}}, {"$unset": {"list": ""}}),
    ({"x": {"$lt": 99}}, {"$set": {"x": "text is no number"}}),
    ({"list.1": {"$exists": False}}, {"$set": {"short": True}}),
    ({"lease.until": NOON}, {"$set": {"lease.until": MILLISECOND}}),
]


@pytest.mark.parametrize(("query", "update"), UPDATES, ids=lambda value: str(value)[:60])
async def test_an_update_does_what_mongodb_does(
    both: MirroredCollection, query: dict[str, Any], update: dict[str, Any]
):
    entries = [{"id": "one", "at": NOON}, {"id": "two", "at": MILLISECOND}]
    await both.insert_one({"_id": "a", "x": 0, "at": MILLISECOND, "list": entries, "times": [NOON, MILLISECOND]})
    await both.insert_one({"_id": "b", "x": 7, "missing": None, "list": [], "times": [], "lease": {"until": NOON}})
    await both.insert_one({"_id": "c"})
    await both.update_many(query, update)
    await both.compare()


async def test_an_upsert_takes_over_what_its_filter_says(both: MirroredCollection):
    await both.update_one({"_id": "a", "n": {"$lt": 2}}, {"$inc": {"n": 1}, "$setOnInsert": {"at": NOON}}, upsert=True)
    await both.update_one({"_id": "a", "n": {"$lt": 2}}, {"$inc": {"n": 1}, "$setOnInsert": {"at": NOON}}, upsert=True)
    with pytest.raises(DuplicateKeyError):
        await both.find_one_and_update({"_id": "a", "n": {"$lt": 2}}, {"$inc": {"n": 1}}, upsert=True)
    await both.find_one_and_update({"_id": "b", "flag": None}, {"$inc": {"n": 1}}, upsert=True)
    await both.compare()


async def test_the_first_by_its_order_is_claimed(both: MirroredCollection):
    for name, due in (("late", MILLISECOND), ("early", NOON), ("never", None)):
        await both.insert_one({"_id": name, "due_at": due, "lease": None})
    claim = {"due_at": {"$lte": MILLISECOND}, "$or": [{"lease": None}, {"lease.until": {"$lte": NOON}}]}
    lease = {"$set": {"lease": {"owner": "me", "until": MILLISECOND}}}
    after = ReturnDocument.AFTER
    claimed = [
        await both.find_one_and_update(claim, lease, sort=[("due_at", 1)], return_document=after) for _ in range(3)
    ]
    assert [document and document["_id"] for document in claimed] == ["early", "late", None]


async def test_a_unique_index_sees_every_element_and_only_what_its_filter_lets_in(both: MirroredCollection):
    only_claims = {"claims": {"$exists": True}}
    keys = [("organization_id", 1), ("claims", 1)]
    await both.create_index(keys, name="claims", unique=True, partialFilterExpression=only_claims)
    await both.insert_one({"_id": "a", "organization_id": "o", "claims": ["h/1", "h/2"]})
    await both.insert_one({"_id": "b", "organization_id": "o"})
    await both.insert_one({"_id": "c", "organization_id": "o"})
    await both.insert_one({"_id": "d", "organization_id": "other", "claims": ["h/2"]})
    with pytest.raises(DuplicateKeyError):
        await both.insert_one({"_id": "e", "organization_id": "o", "claims": ["h/2", "h/3"]})
    with pytest.raises(DuplicateKeyError):
        await both.update_one({"_id": "b"}, {"$set": {"claims": ["h/1"]}})
    await both.update_one({"_id": "a"}, {"$unset": {"claims": ""}})
    await both.update_one({"_id": "b"}, {"$set": {"claims": ["h/1"]}})
    await both.compare()


async def test_two_operators_on_one_field_are_refused(database: Database):
    conflicting = {"$push": {"outbox": 1}, "$pull": {"outbox": 2}}
    memory: Any = MemoryCollection("both", Stored(), Life(Effects()))
    for collection in (memory, database["both"]):
        await collection.insert_one({"_id": "a"})
        with pytest.raises(WriteError, match="conflict"):
            await collection.update_one({"_id": "a"}, conflicting)


@pytest.mark.parametrize("query", [{"x": {"$regex": "a"}}, {"$nor": [{}]}, {"x": {"$elemMatch": {}}}])
async def test_what_no_store_uses_is_refused(query: dict[str, Any]):
    memory = MemoryCollection("refusing", Stored({"a": {"_id": "a", "x": "a"}}), Life(Effects()))
    with pytest.raises(NotImplementedError):
        await memory.find_one(query)
    with pytest.raises(NotImplementedError):
        await memory.update_one({}, {"$rename": {"x": "y"}})
