"""MongoDB with its promises switched on: majority and journal, set in code, on a replica set or not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Any

from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import WriteConcern
from pymongo.errors import ConnectionFailure, DuplicateKeyError, ExecutionTimeout, OperationFailure, WTimeoutError
from pymongo.read_concern import ReadConcern
from structlog.stdlib import BoundLogger, get_logger

log: BoundLogger = get_logger(__name__)

Document = dict[str, Any]
Client = AsyncIOMotorClient[Document]
Collection = AsyncIOMotorCollection[Document]
Database = AsyncIOMotorDatabase[Document]

DATABASE_AWAY = (ConnectionFailure, WTimeoutError, ExecutionTimeout)
"""What MongoDB raises while it cannot be reached or has no primary; the same call may work later."""

TOO_LARGE = (10334, 17419)
"""The server's codes for an update that makes a document larger than 16 MiB; PyMongo measures only what is sent."""

ANSWER_WITHIN = 5_000
"""Milliseconds to find a primary, and for a majority to confirm."""

REDELIVERABLE = WriteConcern(w=1)
"""For a write whose loss only repeats a harmless step; it is cheaper than a majority."""


class NotAReplicaSet(Exception):
    """The server is a standalone one: it keeps no majority promise."""


def connect(url: str) -> Client:
    """Return a client that connects by itself when it is first used."""
    return AsyncIOMotorClient(
        url,
        tz_aware=True,
        tzinfo=UTC,
        w="majority",
        journal=True,
        wtimeoutms=ANSWER_WITHIN,
        readConcernLevel="majority",
        readPreference="primary",
        retryWrites=True,
        serverSelectionTimeoutMS=ANSWER_WITHIN,
        connectTimeoutMS=ANSWER_WITHIN,
        maxPoolSize=64,
    )


def database(client: Client, name: str) -> Database:
    """Return a service's own database; it writes with majority and journal whatever the URL says."""
    return client.get_database(
        name,
        codec_options=CodecOptions(tz_aware=True, tzinfo=UTC),
        write_concern=WriteConcern(w="majority", j=True, wtimeout=ANSWER_WITHIN),
        read_concern=ReadConcern("majority"),
    )


@asynccontextmanager
async def opened(url: str, name: str) -> AsyncIterator[Database]:
    """Give a database to a command, and close its client afterwards."""
    client = connect(url)
    try:
        yield database(client, name)
    finally:
        client.close()


async def find_surely(collection: Collection, the_one: Document, projection: Document | None = None) -> Document | None:
    """Return the one document that `the_one` can match; None only where it was not there when this was called.

    Before MongoDB 8 a primary that was just elected may not show a majority read what its predecessor had confirmed
    (MongoDB: SERVER-53813). A linearizable read waits until it does, at the price of a write to a majority; so only
    nothing is asked for twice. Raises what MongoDB raises while it is away.
    """
    found = await collection.find_one(the_one, projection)
    if found is not None:
        return found
    linearizable = collection.with_options(read_concern=ReadConcern("linearizable"))
    return await linearizable.find_one(the_one, projection, max_time_ms=ANSWER_WITHIN)


def is_refusal_of_document(error: Exception) -> bool:
    """Tell whether a sound MongoDB refused what was to be written: it would refuse the same again."""
    return isinstance(error, DuplicateKeyError) or (isinstance(error, OperationFailure) and error.code in TOO_LARGE)


async def wait_for_replica_set(client: Client) -> None:
    """Return once there is a primary, however long that takes. Raises NotAReplicaSet on a standalone server."""
    while True:
        try:
            hello = await client.admin.command("hello")
        except DATABASE_AWAY as error:
            log.warning("database.unreachable", error=type(error).__name__)
            await asyncio.sleep(1)
            continue
        if "setName" not in hello:
            raise NotAReplicaSet("MONGODB_URL leads to a standalone server; a replica set is required")
        return
