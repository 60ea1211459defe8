"""The collection `correspondence`: one document per booking, with what is known, what was told and what is owed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from convoke.clock import Clock
from convoke.due_work import Claim
from convoke.mongo import Collection, Database, Document
from convoke.rekeying import Secret
from convoke.tracing import current_traceparent
from convoke.vault import Vault
from notifier.domain.deliveries import OPEN, Correspondence, Delivery, State, due_at
from notifier.domain.snapshot import Snapshot

LEASE = timedelta(seconds=30)
"""What one mail may take (smtp.MAIL_WITHIN), and a margin for the writes around it; each of them renews it."""

FREE: Document = {"lease": None, "attempts": 0, "reason": None}

ATTEMPTS_TO_WRITE = 50
"""Handlers of one booking that may meet; each round at least one of them gets its write through."""


class Contended(Exception):
    """A booking's document could not be written: others kept changing it, or it belongs to another organization."""


class Correspondences:
    """Stores correspondences; what was known of a booking and its rendered mails are encrypted."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self.collection: Collection = database["correspondence"]
        self._vault = vault
        self._clock = clock

    async def learn(self, organization_id: str, booking_id: str, newest: Callable[[Snapshot | None], Snapshot]) -> bool:
        """Store what an event adds to what is known of a booking; tell whether a mail is due.

        `newest` returns the same snapshot for an event that is not newer: nothing is written then.
        Raises Contended.
        """
        for _ in range(ATTEMPTS_TO_WRITE):
            document = await self.find(organization_id, booking_id)
            if document and "is_erased" in document:
                return False
            known = self.read(document) if document else None
            snapshot = newest(known.snapshot if known else None)
            if known and snapshot is known.snapshot:
                return False
            after = self._after(known, organization_id, booking_id, snapshot)
            now = self._clock()
            due = due_at(after, now)
            if document and "due_at" in document:
                # Work that is asked for or under way looks again: it may be writing what was read here.
                due = due or now
            if await self._store(document, after, due):
                return due is not None
        raise Contended(f"booking {booking_id}")

    async def find(self, organization_id: str, booking_id: str) -> Document | None:
        return await self.collection.find_one({"_id": booking_id, "organization_id": organization_id})

    async def find_for_operator(self, booking_id: str) -> Document | None:
        """Return a document of any organization: for services, which have none of their own."""
        return await self.collection.find_one({"_id": booking_id})

    def read(self, document: Document) -> Correspondence:
        """Return the correspondence in a document. Raises CannotDecrypt."""
        row = document["organization_id"], document["_id"]
        return Correspondence(
            booking_id=document["_id"],
            organization_id=document["organization_id"],
            snapshot=Snapshot.model_validate_json(self._vault.decrypt(document["snapshot"], *row, "snapshot")),
            deliveries=tuple(Delivery(**delivery) for delivery in document["deliveries"]),
            sequence=document["sequence"],
            attempts=document["attempts"],
            traceparent=document["traceparent"],
        )

    def sealed(self, correspondence: Correspondence, delivery: Delivery, mime: bytes) -> str:
        """Return a rendered mail as it may be stored with its delivery."""
        return self._vault.encrypt(mime.decode("ascii"), *_row(correspondence, delivery))

    def opened(self, correspondence: Correspondence, delivery: Delivery) -> bytes:
        """Return the mail stored with a delivery. Raises CannotDecrypt."""
        return self._vault.decrypt(delivery.mime or "", *_row(correspondence, delivery)).encode("ascii")

    def without_link(self, correspondence: Correspondence) -> Document:
        """Return the change that takes the link out of what is known, and every rendered mail, from whoever sends it.

        Mails that were not accepted yet are not sent any more: what they would say is gone.
        """
        row = correspondence.organization_id, correspondence.booking_id
        snapshot = correspondence.snapshot.model_copy(update={"meeting": None, "ready_at": 0})
        given_up = [_without_mail(delivery) for delivery in correspondence.deliveries]
        values: Document = {
            "revision": list(snapshot.revision),
            "snapshot": self._vault.encrypt(snapshot.model_dump_json(), *row, "snapshot"),
            "deliveries": [dict(vars(delivery)) for delivery in given_up],
        }
        return {"$set": values | FREE, "$unset": {"due_at": ""}}

    async def begin(self, claim: Claim, correspondence: Correspondence, events: Sequence[Document]) -> Claim | None:
        """Store what is about to be sent; return the claim with its lease renewed.

        None where the lease is lost or a newer revision is there.
        """
        return await self._save(claim, correspondence, events, {"revision": claim.document["revision"]})

    async def record(self, claim: Claim, correspondence: Correspondence, events: Sequence[Document]) -> Claim | None:
        """Store what became of a mail, also where a newer revision has come meanwhile.

        Returns the claim with its lease renewed, None where it is lost.
        """
        return await self._save(claim, correspondence, events, {})

    async def finish(
        self,
        claim: Claim,
        correspondence: Correspondence,
        events: Sequence[Document],
        *,
        due_at: datetime | None,
        attempts: int,
        reason: str | None,
    ) -> Document | None:
        """Store what became of the mails and give the lease back, in one write.

        Returns the document for its outbox, None where the lease is lost. A document that a newer revision reached
        meanwhile stays due as that wants it.
        """
        result = _change(correspondence, events, {"lease": None, "attempts": attempts, "reason": reason})
        if due_at:
            result["$set"]["due_at"] = due_at
        else:
            result["$unset"] = {"due_at": ""}
        same = {"revision": claim.document["revision"]}
        return await self._give_back(claim, same, result) or await self._give_back(
            claim, {}, _change(correspondence, events, FREE)
        )

    async def release(self, claim: Claim) -> None:
        """Give the lease back without a result: a newer revision is there, and due."""
        await self._give_back(claim, {}, {"$set": FREE})

    async def _give_back(self, claim: Claim, condition: Document, result: Document) -> Document | None:
        return await self.collection.find_one_and_update(
            claim.still_ours | condition, result, return_document=ReturnDocument.AFTER
        )

    async def _save(
        self, claim: Claim, correspondence: Correspondence, events: Sequence[Document], condition: Document
    ) -> Claim | None:
        until = self._clock() + LEASE
        change = _change(correspondence, events, {"lease.until": until})
        result = await self.collection.update_one(claim.still_ours | condition, change)
        return replace(claim, until=until) if result.matched_count else None

    def _after(
        self, known: Correspondence | None, organization_id: str, booking_id: str, snapshot: Snapshot
    ) -> Correspondence:
        return Correspondence(
            booking_id=booking_id,
            organization_id=organization_id,
            snapshot=snapshot,
            deliveries=known.deliveries if known else (),
            sequence=known.sequence if known else 0,
            traceparent=current_traceparent(),
        )

    async def _store(self, before: Document | None, after: Correspondence, due: datetime | None) -> bool:
        row = after.organization_id, after.booking_id
        news: Document = {
            "revision": list(after.snapshot.revision),
            "snapshot": self._vault.encrypt(after.snapshot.model_dump_json(), *row, "snapshot"),
            "traceparent": after.traceparent,
            "attempts": 0,
            "reason": None,
        } | found_by(after.snapshot)
        if due:
            news["due_at"] = due
        if before is None:
            return await self._insert(after, news)
        # A tombstone has the revision of what it stands for.
        same = {"_id": row[1], "organization_id": row[0], "revision": before["revision"], "is_erased": None}
        update = await self.collection.update_one(same, {"$set": news})
        return update.matched_count == 1

    async def _insert(self, after: Correspondence, news: Document) -> bool:
        document = {
            "_id": after.booking_id,
            "organization_id": after.organization_id,
            "deliveries": [],
            "sequence": 0,
            "lease": None,
            **news,
        }
        try:
            await self.collection.insert_one(document)
        except DuplicateKeyError:
            return False
        return True


def found_by(snapshot: Snapshot) -> Document:
    """Return what a booking's document has in plain, to be found by."""
    session = snapshot.session
    return {
        "starts_at": session.starts_at,
        "ends_at": session.ends_at,
        "host_id": session.host.id,
        "on_zoom": snapshot.depends_on_zoom,
    }


def _change(correspondence: Correspondence, events: Sequence[Document], others: Document) -> Document:
    mails = {
        "deliveries": [dict(vars(delivery)) for delivery in correspondence.deliveries],
        "sequence": correspondence.sequence,
    }
    return {"$set": mails | others} | ({"$push": {"outbox": {"$each": list(events)}}} if events else {})


def _without_mail(delivery: Delivery) -> Delivery:
    if delivery.state not in OPEN:
        return replace(delivery, mime=None)
    state: State = "in_doubt" if delivery.state == "sending" else "superseded"
    return replace(delivery, state=state, reason="its link was erased", mime=None)


def _row(correspondence: Correspondence, delivery: Delivery) -> tuple[str, ...]:
    return correspondence.organization_id, correspondence.booking_id, f"deliveries.{delivery.id}.mime"


def secrets_of(document: Document) -> Iterator[Secret]:
    """Yield what is sealed in a booking's document."""
    row = document["organization_id"], document["_id"]
    yield Secret("snapshot", (*row, "snapshot"))
    for at, delivery in enumerate(document["deliveries"]):
        if delivery["mime"]:
            yield Secret(f"deliveries.{at}.mime", (*row, f"deliveries.{delivery['id']}.mime"))
