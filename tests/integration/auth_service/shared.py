"""The replica that tests share, one after the other: each finds it as if it had just been started."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from pymongo import AsyncMongoClient

from auth_service.app import build_app
from auth_service.settings import Settings
from convoke.lifecycle import Lifecycle
from convoke.settings import load
from tests.integration.auth_service.replicas import MovableClock, running

Documents = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Shared:
    """`http` speaks to the replica, `began_with` is what it found in its `database` or wrote there as it began."""

    environment: dict[str, str]
    clock: MovableClock
    http: httpx.AsyncClient
    lifecycle: Lifecycle
    database: Any
    began_with: Documents = field(repr=False)

    def begin(self) -> None:
        """Have the workers look now, as at a start, and not in the middle of a test that takes less than a second."""
        for worker in self.lifecycle.workers:
            worker.nudge()

    async def forget(self) -> None:
        """Take back what a test has done, and wait for what that has under way."""
        await self._put_back()
        under_way = [worker.drain() for worker in self.lifecycle.workers]
        await asyncio.gather(*under_way, *(outbox.drain() for outbox in self.lifecycle.outboxes))
        await self._put_back()
        self.clock.reset()

    async def _put_back(self) -> None:
        names = await self.database.list_collection_names()
        await asyncio.gather(*(self.database[name].delete_many({}) for name in names))
        for name, documents in self.began_with.items():
            await self.database[name].insert_many(documents)


@asynccontextmanager
async def shared_replica(environment: dict[str, str]) -> AsyncIterator[Shared]:
    """Run it; its database is dropped afterwards."""
    clock, settings = MovableClock(), load(Settings, environment)
    app = build_app(settings, clock=clock)
    url = environment["MONGODB_URL"]
    async with AsyncMongoClient[dict[str, Any]](url, tz_aware=True, readConcernLevel="majority") as client:
        database = client[settings.mongodb_database]
        async with running(app) as http:
            yield Shared(environment, clock, http, app.state.lifecycle, database, await _documents_of(database))
        await client.drop_database(settings.mongodb_database)


async def _documents_of(database: Any) -> Documents:
    found = {name: await database[name].find().to_list() for name in await database.list_collection_names()}
    return {name: documents for name, documents in found.items() if documents}
