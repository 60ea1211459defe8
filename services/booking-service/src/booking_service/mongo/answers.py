"""Answers to requests that carried an Idempotency-Key, kept in the document that the request made or changed."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from booking_service.domain.answers import Answer, Request
from booking_service.domain.refusals import KeyReused, NotPreparedYet
from convoke.mongo import Collection, Document
from convoke.rekeying import Secret
from convoke.vault import Vault

KEPT_FOR = timedelta(hours=48)


class Answers:
    """The first answers in one collection; at most one per organization and key, by a unique index."""

    def __init__(self, collection: Collection, vault: Vault) -> None:
        self._collection = collection
        self._vault = vault
        self._indexed = False

    async def create_indexes(self) -> None:
        await self._collection.create_index(
            [("organization_id", 1), ("idempotency.key", 1)],
            name="idempotency_key",
            unique=True,
            partialFilterExpression={"idempotency.key": {"$exists": True}},
        )
        await self._collection.create_index("idempotency.at", name="idempotency_at", sparse=True)
        self._indexed = True

    def entries(self, document_id: str, request: Request, answer: Answer, now: datetime) -> list[Document]:
        """Return what to put into `idempotency` in the same write as the change: nothing without a key.

        Raises NotPreparedYet: a service answers HTTP before its indexes, made last here, are there.
        """
        if not self._indexed:
            raise NotPreparedYet("the service is just starting")
        if request.key is None:
            return []
        entry = {"key": request.key, "fingerprint": request.fingerprint, "status": answer.status, "by_key": True}
        sealed = self._vault.encrypt(answer.body, *_row(request.organization_id, document_id, entry))
        return [{**entry, "body": sealed, "at": now}]

    async def first(self, request: Request) -> Answer | None:
        """Return what this request was told before. Raises KeyReused where the key belongs to another request."""
        if request.key is None:
            return None
        document = await self._collection.find_one(
            {"organization_id": request.organization_id, "idempotency.key": request.key}, {"idempotency": 1}
        )
        return self.first_in(document, request) if document else None

    def first_in(self, document: Document, request: Request) -> Answer | None:
        """Do as `first`, looking into one document only."""
        entry = _entry_of(request.key, document.get("idempotency", ()))
        if entry is None:
            return None
        if entry["fingerprint"] != request.fingerprint:
            raise KeyReused("the key was used for a request with another path or body")
        body = self._vault.decrypt(entry["body"], *_row(request.organization_id, document["_id"], entry))
        return Answer(entry["status"], body)

    async def forget(self, before: datetime) -> int:
        """Drop what was answered before a moment; returns in how many documents."""
        old = {"at": {"$lt": before}}
        done = await self._collection.update_many({"idempotency.at": {"$lt": before}}, {"$pull": {"idempotency": old}})
        return done.modified_count


def _entry_of(key: bytes | None, entries: Iterable[Document]) -> Document | None:
    return next((entry for entry in entries if key is not None and entry["key"] == key), None)


def secrets_of(document: Document) -> Iterator[Secret]:
    """Yield what is sealed in the answers that a document keeps."""
    for at, entry in enumerate(document.get("idempotency", ())):
        yield Secret(f"idempotency.{at}.body", _row(document["organization_id"], document["_id"], entry))


def _row(organization_id: str, document_id: str, entry: Document) -> tuple[str, ...]:
    """Return what an answer is bound to: its key, too, save in entries from before that, which have no `by_key`."""
    key = (entry["key"].hex(),) if entry.get("by_key") else ()
    return organization_id, document_id, "answer", *key
