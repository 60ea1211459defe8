"""What an erasure removes from one collection.

Every document is erased and marked with the erasure in one write, so what was removed can be counted at any time:
no crash between two writes loses a count, and doing it again changes nothing.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from structlog.stdlib import BoundLogger, get_logger

from convoke.mongo import Collection, Document
from convoke.vault import CannotDecrypt

log: BoundLogger = get_logger(__name__)

Scope = Literal["zoom_data", "person", "organization"]

BATCH = 100
"""Documents between two looks at the lease; some tenths of a second."""

NEEDED: Final = "needed"
"""What is still in use, such as a booking that is ahead: it is erased once it is not.

So is what cannot be read: nobody knows yet whose it is, and its key may come back.
"""

Erased = Callable[[Document], Document | Literal["needed"] | None]
"""Returns what becomes of a document: an update, a tombstone to replace it, NEEDED, or None where it is left alone."""

Renew = Callable[[], Awaitable[None]]
"""Holds the lease for another batch. Raises what ends the work."""


@dataclass(frozen=True)
class Erasure:
    """A request to erase. `person` is the mail address of the one whose data it is, in lower case.

    `requested_by` is the API client that asked, where the service knows it.
    """

    id: str
    organization_id: str
    scope: Scope
    requested_at: datetime
    person: str | None = field(default=None, repr=False)
    requested_by: str | None = None

    def is_of(self, address: str | None) -> bool:
        """Tell whether a mail address is the person's."""
        return self.person is not None and address is not None and folded(address) == self.person


@dataclass(frozen=True)
class Portion:
    """The documents `which` of an owner's in one collection; `what` names them in the receipt.

    `guards` are fields of which one changes with every change of a document that matters here: what was changed
    meanwhile is looked at again.
    """

    what: str
    collection: Collection
    erased: Erased
    owner: Document
    which: Document = field(default_factory=dict)
    guards: tuple[str, ...] = ()


def folded(address: str) -> str:
    """Return a mail address as it is compared: nobody tells two people apart by capitals."""
    return address.strip().casefold()


def digest_of(erasure_id: str, address: str) -> str:
    """Return what stays of an erased address: enough to know it again, in this one erasure only."""
    return hashlib.sha256(f"{erasure_id}\n{folded(address)}".encode()).hexdigest()


def unmarked(erasure: Erasure) -> Document:
    """Return the condition under which a document was not erased by this erasure yet."""
    return {"erased_by": {"$ne": erasure.id}}


def tombstone(document: Document, *kept: str) -> Document:
    """Return what stays of a document: its id and revision, so that nothing older brings it back."""
    names = ("_id", "organization_id", "revision", "erased_by", *kept)
    return {name: document[name] for name in names if name in document} | {"is_erased": True}


async def create_index(collection: Collection) -> None:
    """Create the index by which what an erasure removed is counted."""
    await collection.create_index(
        [("organization_id", 1), ("erased_by", 1)],
        name="erased_by",
        partialFilterExpression={"erased_by": {"$exists": True}},
    )


async def erase(portion: Portion, erasure: Erasure, renew: Renew) -> int:
    """Erase a portion and return how many documents are still needed, or cannot be read."""
    while True:
        needed, missed = await _erase_once(portion, erasure, renew)
        if not missed:
            return needed


async def removed(portion: Portion, erasure: Erasure) -> int:
    """Return how many documents of a portion this erasure has removed so far."""
    return await portion.collection.count_documents(portion.owner | {"erased_by": erasure.id})


async def _erase_once(portion: Portion, erasure: Erasure, renew: Renew) -> tuple[int, int]:
    """Return how many are needed, and how many were changed by others meanwhile."""
    needed = missed = seen = 0
    async for document in portion.collection.find(portion.owner | portion.which).batch_size(BATCH):
        if seen % BATCH == 0:
            await renew()
        seen += 1
        result = _result(portion, document)
        if result == NEEDED:
            needed += 1
        elif isinstance(result, dict):
            missed += not await _write(portion, erasure, document, result)
    return needed, missed


def _result(portion: Portion, document: Document) -> Document | Literal["needed"] | None:
    try:
        return portion.erased(document)
    except CannotDecrypt as error:
        log.warning("erasure.unreadable", what=portion.what, document=document["_id"], detail=str(error))
        return NEEDED


async def _write(portion: Portion, erasure: Erasure, document: Document, result: Document) -> bool:
    """Store what becomes of a document, with the mark; False where it has changed since it was read."""
    unchanged = {"_id": document["_id"]} | {guard: document.get(guard) for guard in portion.guards}
    if any(name.startswith("$") for name in result):
        marks: dict[str, Any] = {"$addToSet": {"erased_by": erasure.id}}
        return bool((await portion.collection.update_one(unchanged, result | marks)).matched_count)
    marked = result | {"erased_by": sorted({*document.get("erased_by", ()), erasure.id})}
    if result["_id"] != document["_id"]:
        return await _move(portion.collection, document, marked)
    return bool((await portion.collection.replace_one(unchanged, marked)).matched_count)


async def _move(collection: Collection, document: Document, marked: Document) -> bool:
    """Replace a document whose id tells too much; its tombstone is stored first, and only once."""
    await collection.replace_one({"_id": marked["_id"]}, marked, upsert=True)
    await collection.delete_one({"_id": document["_id"]})
    return True
