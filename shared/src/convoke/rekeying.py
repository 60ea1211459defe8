"""Changing the key that seals a service's secrets, while its replicas go on.

How far it is, the secrets say themselves: each names its key. So it may be stopped anywhere and begun again, and a run
that finds nothing to do writes nothing. A document that a replica changes meanwhile is read again, and one under a
lease left to its holder for a moment: what that read before it will write again.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from convoke.clock import Clock, utc_now
from convoke.mongo import Collection, Database, Document
from convoke.vault import CannotDecrypt, Vault

TRIES, PAUSE = 20, 0.05
"""Times that one document is read again because others are at it, and seconds between; another run finds the rest."""

READ_AT_ONCE = 100

_SEALED = re.compile(r"v1\.([^.]+)\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]+={0,2}")


@dataclass(frozen=True)
class Secret:
    """A secret that the key ring sealed: where it is in its document (`seats.0.join_token`), and its row."""

    path: str
    row: tuple[str, ...]


@dataclass(frozen=True)
class Sealed:
    """A collection with secrets, and which ones a document of it has."""

    collection: Collection
    secrets_of: Callable[[Document], Iterable[Secret]]

    def secrets_in(self, document: Document) -> Iterable[Secret]:
        """Return the secrets of a document of any kind: what was erased left a tombstone that has none."""
        return () if document.get("is_erased") else self.secrets_of(document)


class Rekeying:
    """Puts the secrets of one service's database under the ring's first key.

    `unreadable` names each document with a secret that could not be opened, with why.
    """

    def __init__(self, database: Database, vault: Vault, sources: Sequence[Sealed], clock: Clock = utc_now) -> None:
        self.vault = vault
        self._database = database
        self.sources = sources
        self._clock = clock
        self.unreadable: dict[str, str] = {}

    async def secrets_by_key(self) -> Counter[str]:
        """Return how many secrets each key has sealed, by its id: whatever looks like one, in all collections."""
        found = Counter[str]()
        for name in sorted(await self._database.list_collection_names()):
            async for document in self._database[name].find({}).batch_size(READ_AT_ONCE):
                found.update(_kids(document))
        return found

    async def documents(self) -> int:
        """Return about how many documents `run` will look at."""
        return sum([await source.collection.estimated_document_count() for source in self.sources])

    async def run(self) -> AsyncGenerator[int]:
        """Yield, document by document, how many secrets of it are under the first key only now."""
        for source in self.sources:
            async for document in source.collection.find({}).batch_size(READ_AT_ONCE):
                yield await self._rekey(source, document)

    async def _rekey(self, source: Sealed, document: Document | None) -> int:
        """Do one document, as read, and read again as long as others are at it."""
        for _ in range(TRIES):
            change = self._change(source, document) if document else {}
            if not document or not change:
                return 0
            if not self._is_held(document) and await _set_in(source.collection, document, change):
                return len(change)
            await asyncio.sleep(PAUSE)
            document = await source.collection.find_one({"_id": document["_id"]})
        return 0

    def _is_held(self, document: Document) -> bool:
        lease = document.get("lease")
        return lease is not None and lease["until"] > self._clock()

    def _change(self, source: Sealed, document: Document) -> Document:
        """Return what to set: every secret that another key sealed, sealed by the first."""
        change: Document = {}
        for secret in source.secrets_in(document):
            stored = value_at(document, secret.path)
            try:
                sealed = self.vault.reencrypt(stored, *secret.row)
            except CannotDecrypt as error:
                self.unreadable[f"{source.collection.name}/{document['_id']}"] = f"{secret.path}: {error}"
                continue
            if sealed != stored:
                change[secret.path] = sealed
        return change


async def _set_in(collection: Collection, document: Document, change: Document) -> bool:
    """Make a change, unless the document, or who holds it, is no longer as it was read."""
    as_read = {path: value_at(document, path) for path in change} | {"lease": document.get("lease")}
    return bool((await collection.update_one({"_id": document["_id"]} | as_read, {"$set": change})).matched_count)


def value_at(document: Document, path: str) -> Any:
    """Return what a document has at a path as MongoDB writes it, such as `seats.0.join_token`."""
    value: Any = document
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def _kids(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _kids(one)
    elif isinstance(value, str) and (sealed := _SEALED.fullmatch(value)):
        yield sealed[1]
