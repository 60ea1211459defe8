"""A MongoDB collection in memory, as far as our stores use Motor's; `test_memory_mongodb` holds it to the real one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC
from itertools import product
from typing import Any, Self, TypeVar

import bson
from bson.codec_options import CodecOptions
from pymongo.errors import DuplicateKeyError
from pymongo.results import InsertOneResult, UpdateResult

from convoke.mongo import Document
from tests.faults.crashes import updates
from tests.faults.crashes.effects import Life
from tests.faults.crashes.queries import matches, values_at

_ABSENT = object()
_CODEC: CodecOptions[Document] = CodecOptions(tz_aware=True, tzinfo=UTC)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Index:
    """A unique index; `only_with` is the field whose presence its partial filter asks for."""

    keys: tuple[str, ...]
    only_with: str | None

    def entries(self, document: Document) -> set[tuple[bytes, ...]]:
        """Return the index's entries of a document, one for each element where a field is an array."""
        if self.only_with and not values_at(document, self.only_with):
            return set()
        return set(product(*(_keys(values_at(document, key)) for key in self.keys)))

    def is_untouched(self, before: Document, after: Document) -> bool:
        """Tell whether an update left all fields of the index alone: `updates.applied` shares those."""
        fields = {path.partition(".")[0] for path in (*self.keys, self.only_with or self.keys[0])}
        return all(before.get(field, _ABSENT) is after.get(field, _ABSENT) for field in fields)


@dataclass
class Stored:
    """What is on the disk: it outlives every process. An update changes no document in it, but replaces it."""

    documents: dict[Any, Document] = field(default_factory=dict)
    unique: dict[str, Index] = field(default_factory=dict)

    def find(self, query: Document) -> Iterator[Document]:
        if isinstance(one := query.get("_id"), str):
            return (document for document in [self.documents.get(one)] if document and matches(document, query))
        return (document for document in self.documents.values() if matches(document, query))

    def put(self, document: Document) -> None:
        """Keep a document. Raises DuplicateKeyError where a unique index forbids it."""
        before = self.documents.get(document["_id"], {})
        for index in self.unique.values():
            if before and index.is_untouched(before, document):
                continue
            entries = index.entries(document)
            others = (other for other in self.documents.values() if other["_id"] != document["_id"])
            if any(not entries.isdisjoint(index.entries(other)) for other in others):
                raise _duplicate(dict.fromkeys(index.keys, 1))
        self.documents[document["_id"]] = document


@dataclass
class MemoryCollection:
    """One process's view of a collection. Every call is an effect of that process's life."""

    name: str
    stored: Stored
    life: Life

    def with_options(self, **_: Any) -> Self:
        return self

    async def create_index(self, keys: str | list[tuple[str, int]], **options: Any) -> str:
        if unknown := set(options) - {"name", "unique", "sparse", "partialFilterExpression", "expireAfterSeconds"}:
            raise NotImplementedError(f"an index with {unknown}")
        if options.get("unique"):
            names = (keys,) if isinstance(keys, str) else tuple(name for name, _ in keys)
            self.stored.unique[options["name"]] = Index(names, _only_with(options.get("partialFilterExpression")))
        return str(options["name"])

    async def insert_one(self, document: Document) -> InsertOneResult:
        async def act() -> InsertOneResult:
            if document["_id"] in self.stored.documents:
                raise _duplicate({"_id": 1})
            self.stored.put(copied(document))
            return InsertOneResult(document["_id"], acknowledged=True)

        return await self._do("insert", act)

    async def update_one(self, query: Document, update: Document, *, upsert: bool = False) -> UpdateResult:
        async def act() -> UpdateResult:
            before, after = self._change_first(query, update, None, upsert=upsert)
            return _result(int(before is not None), int(before is not None and before != after))

        return await self._do("update", act) if self._has_effect(query, upsert=upsert) else _result(0, 0)

    async def update_many(self, query: Document, update: Document) -> UpdateResult:
        async def act() -> UpdateResult:
            found = list(self.stored.find(query))
            changed = [self._change(document, update) != document for document in found]
            return _result(len(found), sum(changed))

        return await self._do("update_many", act) if self._has_effect(query) else _result(0, 0)

    async def find_one_and_update(
        self,
        query: Document,
        update: Document,
        *,
        sort: list[tuple[str, int]] | None = None,
        upsert: bool = False,
        return_document: bool = False,
    ) -> Document | None:
        async def act() -> Document | None:
            before, after = self._change_first(query, update, sort, upsert=upsert)
            chosen = after if return_document else before
            return copied(chosen) if chosen else None

        return await self._do("find_and_update", act) if self._has_effect(query, upsert=upsert) else None

    async def find_one(self, query: Document, projection: Document | None = None, **_: Any) -> Document | None:
        found = next(self.stored.find(query), None)
        return _projected(copied(found), projection) if found else None

    async def delete_one(self, query: Document) -> Any:
        raise NotImplementedError("no store deletes")

    def find(self, query: Document, projection: Document | None = None) -> "Cursor":
        return Cursor([_projected(copied(document), projection) for document in self.stored.find(query)])

    def _has_effect(self, query: Document, *, upsert: bool = False) -> bool:
        """Tell whether anything matches: an update of nothing is like a read, and no place to die of its own."""
        self.life.must_live()
        return upsert or next(self.stored.find(query), None) is not None

    async def _do(self, name: str, act: Callable[[], Awaitable[Result]]) -> Result:
        return await self.life.do(f"{self.name}.{name}", act)

    def _change_first(
        self, query: Document, update: Document, sort: list[tuple[str, int]] | None, *, upsert: bool
    ) -> tuple[Document | None, Document | None]:
        found = Cursor(list(self.stored.find(query))).sort(sort or []).documents
        if found:
            return found[0], self._change(found[0], update)
        if not upsert:
            return None, None
        document = updates.from_filter(query)
        if document["_id"] in self.stored.documents:
            raise _duplicate({"_id": 1})
        document = updates.applied(copied(document), copied(update), inserting=True)
        self.stored.put(document)
        return None, document

    def _change(self, before: Document, update: Document) -> Document:
        after = updates.applied(before, copied(update), inserting=False)
        self.stored.put(after)
        return after


@dataclass
class Cursor:
    """What a query found."""

    documents: list[Document]

    def sort(self, keys: str | list[tuple[str, int]], direction: int = 1) -> Self:
        for name, way in reversed([(keys, direction)] if isinstance(keys, str) else keys):
            self.documents.sort(key=lambda document: _order(values_at(document, name)), reverse=way < 0)
        return self

    def limit(self, most: int) -> Self:
        self.documents = self.documents[:most]
        return self

    async def to_list(self, most: int | None) -> list[Document]:
        return self.documents[:most]

    async def __aiter__(self) -> AsyncIterator[Document]:
        for document in self.documents:
            yield document


def copied(document: Document) -> Document:
    """Return a document as it comes back from MongoDB: tuples as lists, times to the millisecond."""
    return bson.decode(bson.encode(document), _CODEC)


def _projected(document: Document, projection: Document | None) -> Document:
    if not projection:
        return document
    shown = [name for name, is_shown in projection.items() if is_shown]
    if not shown:
        return {name: value for name, value in document.items() if name not in projection}
    result = {"_id": document["_id"]}
    for path in shown:
        _show(document, path.split("."), result)
    return result


def _show(document: Document, path: list[str], result: Document) -> None:
    first, *rest = path
    if first not in document:
        return
    if not rest:
        result[first] = document[first]
    elif isinstance(document[first], dict):
        _show(document[first], rest, result.setdefault(first, {}))
    elif isinstance(document[first], list):
        raise NotImplementedError("a projection into an array")


def _only_with(partial: Document | None) -> str | None:
    if partial is None:
        return None
    ((name, condition),) = partial.items()
    if condition != {"$exists": True}:
        raise NotImplementedError(f"a partial index with {condition}")
    return str(name)


def _keys(values: list[Any]) -> Iterable[bytes]:
    flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
    return {bson.encode({"": value}) for value in flat} or {bson.encode({"": None})}


def _order(values: list[Any]) -> tuple[bool, Any]:
    present = [value for value in values if value is not None]
    return bool(present), min(present) if present else 0


def _duplicate(pattern: Document) -> DuplicateKeyError:
    return DuplicateKeyError("E11000 duplicate key error", 11000, {"keyPattern": pattern})


def _result(matched: int, modified: int) -> UpdateResult:
    return UpdateResult({"n": matched, "nModified": modified}, acknowledged=True)
