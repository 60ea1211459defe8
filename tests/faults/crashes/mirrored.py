"""Every operation on a collection in memory is done on a real one too, and both have to answer the same."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from pymongo.errors import DuplicateKeyError
from pymongo.results import InsertOneResult, UpdateResult

from convoke.mongo import Collection, Document
from tests.faults.crashes.memory_collection import Cursor, MemoryCollection


class Differs(BaseException):
    """MongoDB answers otherwise than our memory does. No `except Exception` of a service may swallow it."""


class MirroredCollection:
    """Answers as the memory does. Raises Differs."""

    def __init__(self, memory: MemoryCollection, real: Collection) -> None:
        self._memory = memory
        self._real = real
        self._one_at_a_time = asyncio.Lock()  # else two tasks could meet in another order here than there

    def with_options(self, **_: Any) -> "MirroredCollection":
        return self

    async def create_index(self, *keys: Any, **options: Any) -> str:
        return str(await self._both("create_index", *keys, **options))

    async def insert_one(self, document: Document) -> Any:
        return await self._both("insert_one", document)

    async def update_one(self, *update: Any, **options: Any) -> Any:
        return await self._both("update_one", *update, **options)

    async def update_many(self, *update: Any) -> Any:
        return await self._both("update_many", *update)

    async def find_one_and_update(self, *update: Any, **options: Any) -> Any:
        return await self._both("find_one_and_update", *update, **options)

    async def find_one(self, *query: Any, **options: Any) -> Any:
        return await self._both("find_one", *query, **options)

    def find(self, *query: Any) -> "_MirroredCursor":
        return _MirroredCursor(self._one_at_a_time, lambda: self._memory.find(*query), self._real.find(*query))

    async def compare(self) -> None:
        """Raise Differs where the two do not hold the same documents."""
        on_disk = await self._real.find().to_list(None)
        _compare("the documents", _by_id(self._memory.stored.documents.values()), _by_id(on_disk))

    async def _both(self, operation: str, *arguments: Any, **options: Any) -> Any:
        async with self._one_at_a_time:
            result, seen = await _outcome(lambda: getattr(self._memory, operation)(*arguments, **options))
            _, real = await _outcome(lambda: getattr(self._real, operation)(*arguments, **options))
        _compare(f"{operation}{arguments} {options}", seen, real)
        if isinstance(result, DuplicateKeyError):
            raise result
        return result


class _MirroredCursor:
    def __init__(self, one_at_a_time: asyncio.Lock, memory: Callable[[], Cursor], real: Any) -> None:
        self._one_at_a_time = one_at_a_time
        self._memory = memory
        self._real = real

    def sort(self, *keys: Any) -> "_MirroredCursor":
        return _MirroredCursor(self._one_at_a_time, lambda: self._memory().sort(*keys), self._real.sort(*keys))

    def limit(self, most: int) -> "_MirroredCursor":
        return _MirroredCursor(self._one_at_a_time, lambda: self._memory().limit(most), self._real.limit(most))

    async def to_list(self, most: int | None) -> list[Document]:
        async with self._one_at_a_time:
            found = self._memory().documents
            _compare("find", _by_id(found), _by_id(await self._real.to_list(most)))
        return found

    async def __aiter__(self) -> Any:
        for document in await self.to_list(None):
            yield document


def _by_id(found: Iterable[Document]) -> list[Document]:
    """Put them in one order: what was not asked to be sorted has none."""
    return sorted(found, key=lambda document: str(document["_id"]))


async def _outcome(operation: Callable[[], Awaitable[Any]]) -> tuple[Any, Any]:
    try:
        result = await operation()
    except DuplicateKeyError as error:
        return error, dict((error.details or {})["keyPattern"])
    if isinstance(result, UpdateResult):
        return result, (result.matched_count, result.modified_count)
    return result, result.inserted_id if isinstance(result, InsertOneResult) else result


def _compare(what: str, in_memory: Any, real: Any) -> None:
    if in_memory == real:
        return
    if isinstance(in_memory, dict) and isinstance(real, dict):  # the whole would hide what differs
        differing = {key for key in in_memory | real if in_memory.get(key) != real.get(key)}
        in_memory, real = ({key: one.get(key) for key in differing} for one in (in_memory, real))
    raise Differs(f"{what[:200]}\n  in memory {in_memory}\n  MongoDB   {real}")
