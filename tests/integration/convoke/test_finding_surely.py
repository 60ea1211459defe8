"""What was confirmed is found, also on a primary that cannot show it yet."""

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from pymongo import WriteConcern

from convoke import mongo
from convoke.mongo import Collection, find_surely
from local_stack.mongodb_replica_set import MongoDBReplicaSet
from local_stack.processes import free_ports

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def replica_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoDBReplicaSet]:
    members = MongoDBReplicaSet(tmp_path_factory.mktemp("members"), ports=free_ports(3))
    try:
        members.start()
        yield members
    finally:
        members.kill()


@pytest.fixture
async def things(replica_set: MongoDBReplicaSet) -> AsyncIterator[Collection]:
    client = mongo.connect(replica_set.url)
    collection = mongo.database(client, f"tested-{uuid.uuid4().hex[:8]}")["things"]
    await collection.insert_one({"_id": "the first, which makes the collection"})
    yield collection
    client.close()


@contextmanager
def followers_stand_still(replica_set: MongoDBReplicaSet) -> Iterator[None]:
    """Keep what is written on the primary alone: it cannot know of a majority, like one that was just elected."""
    primary = replica_set.primary()
    pids = [process.pid for member in replica_set.members if member is not primary for process in member.processes]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def test_what_a_majority_read_cannot_show_yet_is_waited_for(
    replica_set: MongoDBReplicaSet, things: Collection
) -> None:
    with followers_stand_still(replica_set):
        await things.with_options(write_concern=WriteConcern(w=1)).insert_one({"_id": "b", "x": 1})
        assert await things.find_one({"_id": "b"}) is None
        asked = asyncio.create_task(find_surely(things, {"_id": "b"}, {"x": 1}))
        await asyncio.wait([asked], timeout=0.2)
    assert await asked == {"_id": "b", "x": 1}


async def test_what_was_never_there_is_not_found(things: Collection) -> None:
    assert await find_surely(things, {"_id": "c"}) is None
