"""Erasures and their receipts: each is due work for this service's own share, and collects what the others say."""

from datetime import datetime

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from auth_service.domain.erasures import OWN, ErasureKeyReused, ErasureRequest, Receipt, ShareOfService
from convoke.clock import Clock, utc_now
from convoke.contracts import PrivacyErased, PrivacyErasureRequested
from convoke.contracts.topology import TOPOLOGY
from convoke.due_work import Claim
from convoke.erasure.eraser import WHILE_NEEDED, Outcome
from convoke.erasure.portions import Erasure, digest_of, folded
from convoke.erasure.shares import row_of_person
from convoke.ids import new_id
from convoke.messaging.cloudevents import Event
from convoke.messaging.outbox import entry
from convoke.mongo import Database, Document, find_surely
from convoke.vault import Vault


class Erasures:
    """The erasures of all organizations; the person's address is encrypted, and goes with the last look."""

    def __init__(self, database: Database, vault: Vault, clock: Clock = utc_now) -> None:
        self.collection = database["erasures"]
        self._vault = vault
        self._clock = clock

    async def create_indexes(self) -> None:
        await self.collection.create_index([("organization_id", 1), ("_id", 1)], name="page")
        await self.collection.create_index(
            [("organization_id", 1), ("key", 1)],
            name="idempotency_key",
            unique=True,
            partialFilterExpression={"key": {"$exists": True}},
        )

    async def add(self, request: ErasureRequest) -> Receipt:
        """Store a request, due now; returns the first one's receipt for a key that came before.

        Raises ErasureKeyReused.
        """
        document = self._document(request)
        try:
            await self.collection.insert_one(document)
        except DuplicateKeyError:
            known = {"organization_id": request.organization_id, "key": request.key}
            first = await find_surely(self.collection, known)
            if first is None or not _is_same(first, request):
                raise ErasureKeyReused from None
            document = first
        return receipt_of(document)

    async def find(self, organization_id: str, erasure_id: str) -> Receipt | None:
        document = await find_surely(self.collection, {"_id": erasure_id, "organization_id": organization_id})
        return receipt_of(document) if document else None

    async def page(self, organization_id: str, after: str, limit: int) -> list[Receipt]:
        """Return up to `limit` receipts in the order of their ids, beginning behind `after`."""
        wanted = {"organization_id": organization_id, "_id": {"$gt": after}}
        documents = await self.collection.find(wanted).sort("_id", 1).limit(limit).to_list(limit)
        return [receipt_of(document) for document in documents]

    async def answer(self, event: Event[PrivacyErased]) -> bool:
        """Add what a service says to the receipt; False where it said so, or something newer, before."""
        said = event.data
        share = f"shares.{said.service}"
        is_news = {"$or": [{f"{share}.at": None}, {f"{share}.at": {"$lt": event.time}}]}
        values = {"removed": said.removed, "left": said.left or {}, "at": event.time}
        the_one = {"_id": said.erasure_id, "organization_id": event.organization_id, "services": said.service}
        done = await self.collection.update_one(the_one | is_news, {"$set": {share: values}})
        return bool(done.matched_count)

    def erasure_of(self, claim: Claim) -> Erasure:
        """Return what is to be erased. Raises CannotDecrypt."""
        document = claim.document
        return Erasure(
            document["_id"],
            document["organization_id"],
            document["scope"],
            document["requested_at"],
            self.person(document),
            document["requested_by"],
        )

    async def hold(self, claim: Claim, until: datetime) -> bool:
        """Make the lease last until then; False where it is lost."""
        held = await self.collection.update_one(claim.still_ours, {"$set": {"lease.until": until}})
        return bool(held.matched_count)

    async def finish(self, claim: Claim, outcome: Outcome) -> Document | None:
        """Store this service's share, and ask the others for theirs, once.

        They are asked only now: with Zoom disconnected nobody makes anew what they erase. The person's address is kept
        until all have erased it. Returns the document for its outbox, None where the lease is lost.
        """
        now = self._clock()
        before = claim.document["shares"].get(OWN, {}).get("removed", {})
        own = {"removed": outcome.removed_since(before), "left": dict(outcome.left), "at": now}
        change: Document = {"$set": {f"shares.{OWN}": own, "looks": outcome.looks, "lease": None, "is_told": True}}
        due_at = outcome.due_at or (now + WHILE_NEEDED if self._waits_for_others(claim.document) else None)
        if due_at:
            change["$set"]["due_at"] = due_at
        else:
            change["$unset"] = {"due_at": "", "person": ""}
        if not claim.document.get("is_told"):
            change["$push"] = {"outbox": entry(PrivacyErasureRequested, claim.document["requested_at"])}
        return await self.collection.find_one_and_update(claim.still_ours, change, return_document=ReturnDocument.AFTER)

    def _waits_for_others(self, document: Document) -> bool:
        return not all(share.is_done for share in receipt_of(document).shares if share.service != OWN)

    def person(self, document: Document) -> str | None:
        """Return the person's mail address. Raises CannotDecrypt."""
        return self._vault.decrypt(document["person"], *row_of_person(document)) if "person" in document else None

    def _document(self, request: ErasureRequest) -> Document:
        now = self._clock()
        document: Document = {
            "_id": new_id("era"),
            "organization_id": request.organization_id,
            "requested_by": request.requested_by,
            "scope": request.scope,
            "requested_at": now,
            "services": _holders(),
            "shares": {},
            "due_at": now,
            "lease": None,
        }
        key = {"key": request.key} if request.key else {}
        return document | key | (self._of_person(document, request.person) if request.person else {})

    def _of_person(self, document: Document, person: str) -> Document:
        sealed = self._vault.encrypt(folded(person), *row_of_person(document))
        return {"person": sealed, "person_digest": digest_of(document["_id"], person)}


def receipt_of(document: Document) -> Receipt:
    shares = document["shares"]
    unanswered: Document = {"removed": {}, "left": {}, "at": None}
    return Receipt(
        id=document["_id"],
        scope=document["scope"],
        requested_at=document["requested_at"],
        shares=tuple(ShareOfService(service, **shares.get(service, unanswered)) for service in document["services"]),
    )


def _is_same(first: Document, request: ErasureRequest) -> bool:
    digest = digest_of(first["_id"], request.person) if request.person else None
    return (first["scope"], first.get("person_digest")) == (request.scope, digest)


def _holders() -> list[str]:
    """Return the services that hold data: this one, and those that are told of an erasure."""
    told = {stream.queue.partition(".")[0] for stream in TOPOLOGY if PrivacyErasureRequested in stream.events}
    return sorted(told | {OWN})
