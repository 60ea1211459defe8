"""MongoDB's promises are switched on in code: nothing in an address can weaken them, and a lone server is refused."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pymongo import WriteConcern
from pymongo.errors import DuplicateKeyError, ServerSelectionTimeoutError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from convoke import mongo
from convoke.clock import utc_now
from convoke.mongo import Client, NotAReplicaSet
from local_stack.processes import free_port

WEAK = "w=1&journal=false&readConcernLevel=local&readPreference=secondaryPreferred&retryWrites=false&tz_aware=false"


@pytest.fixture
async def client(mongodb_url: str) -> AsyncIterator[Client]:
    """A client whose address asks for less than we promise."""
    client = mongo.connect(f"{mongodb_url}{'&' if '?' in mongodb_url else '?'}{WEAK}")
    yield client
    client.close()


async def test_an_address_cannot_weaken_what_the_client_asks_for(client: Client, fresh_database: str):
    majority = WriteConcern(w="majority", j=True, wtimeout=mongo.ANSWER_WITHIN)
    for source in (client, client[fresh_database], mongo.database(client, fresh_database)["things"]):
        assert source.write_concern == majority
        assert source.read_concern == ReadConcern("majority")
        assert source.read_preference == ReadPreference.PRIMARY
    assert client.delegate.options.retry_writes


async def test_a_write_asks_the_server_for_majority_and_journal(client: Client, fresh_database: str):
    database = mongo.database(client, fresh_database)
    await database.command("profile", 2)
    await database["things"].insert_one({"_id": 1})
    await database["things"].find_one_and_update({"_id": 1}, {"$set": {"x": 1}})
    await database["things"].find_one({"_id": 1})
    await database.command("profile", 0)
    seen = [entry["command"] async for entry in database["system.profile"].find({"ns": f"{fresh_database}.things"})]
    promise = {"w": "majority", "j": True, "wtimeout": mongo.ANSWER_WITHIN}
    assert [command["writeConcern"] for command in seen if "find" not in command] == [promise, promise]
    assert [command["readConcern"] for command in seen if "find" in command] == [{"level": "majority"}]


async def test_a_stored_time_comes_back_aware_in_utc_and_equal(client: Client, fresh_database: str):
    things = mongo.database(client, fresh_database)["things"]
    berlin = datetime(2026, 12, 1, 10, 0, tzinfo=timezone(timedelta(hours=1)))
    now = utc_now()
    await things.insert_one({"_id": 1, "at": berlin, "now": now})
    stored = await things.find_one({"_id": 1})
    assert stored
    assert (stored["at"], stored["now"]) == (berlin, now)
    assert stored["at"].tzinfo is stored["now"].tzinfo is UTC or stored["at"].utcoffset() == timedelta(0)


async def test_a_replica_set_is_waited_for_and_a_duplicate_key_is_not_taken_for_an_absence(
    client: Client, fresh_database: str
):
    await mongo.wait_for_replica_set(client)
    things = mongo.database(client, fresh_database)["things"]
    await things.insert_one({"_id": 1})
    with pytest.raises(DuplicateKeyError) as duplicate:
        await things.insert_one({"_id": 1})
    assert not isinstance(duplicate.value, mongo.DATABASE_AWAY)


async def test_a_standalone_server_is_refused(standalone_mongodb: str):
    client = mongo.connect(standalone_mongodb)
    with pytest.raises(NotAReplicaSet, match="a replica set is required"):
        await mongo.wait_for_replica_set(client)
    client.close()


async def test_a_server_that_is_away_counts_as_away_within_the_promised_time():
    client = mongo.connect(f"mongodb://127.0.0.1:{free_port()}/")
    async with asyncio.timeout(mongo.ANSWER_WITHIN / 1_000 + 2):
        with pytest.raises(ServerSelectionTimeoutError) as away:
            await client["test"]["things"].insert_one({})
    assert isinstance(away.value, mongo.DATABASE_AWAY)
    client.close()
