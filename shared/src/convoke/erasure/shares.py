"""The collection `erasures` of a service that was asked to erase its share; the documents stay, as tombstones.

Whoever was erased is kept as a digest, by which a late event about them is known again.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from convoke.clock import Clock, utc_now
from convoke.contracts import MeetingFailed, MeetingReady, PrivacyErased, PrivacyErasureRequested
from convoke.due_work import Claim
from convoke.erasure.eraser import BEGINS_AFTER, Outcome
from convoke.erasure.portions import Erasure, digest_of, folded
from convoke.messaging.cloudevents import Event
from convoke.messaging.outbox import Expand, entry
from convoke.mongo import Collection, Database, Document
from convoke.rekeying import Secret
from convoke.vault import Vault


class Shares:
    """What a service was asked to erase, and what it removed."""

    def __init__(self, service: str, database: Database, vault: Vault, clock: Clock = utc_now) -> None:
        self.collection: Collection = database["erasures"]
        self.expand = _expander(service)
        self._vault = vault
        self._clock = clock

    async def create_indexes(self) -> None:
        await self.collection.create_index([("organization_id", 1)], name="organization")

    async def add(self, event: Event[PrivacyErasureRequested]) -> bool:
        """Keep a request, due now; False where it is known."""
        asked = event.data
        document: Document = {
            "_id": asked.erasure_id,
            "organization_id": asked.organization_id,
            "scope": asked.scope,
            "requested_at": event.time,
            "due_at": self._clock() + BEGINS_AFTER,
            "lease": None,
        }
        if asked.person:
            person = folded(asked.person)
            document["person"] = self._vault.encrypt(person, *row_of_person(document))
            document["person_digest"] = digest_of(asked.erasure_id, person)
        try:
            await self.collection.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    async def knows(self, erasure_id: str) -> bool:
        return await self.collection.find_one({"_id": erasure_id}, {"_id": 1}) is not None

    async def forbid(self, event: Event[Any]) -> bool:
        """Tell whether an event is about what was erased: of an organization for ever, of the others until then."""
        # Of the many persons whom a large organization may have erased, none concerns what is new.
        since = [
            {"scope": "organization"},
            {"scope": "zoom_data", "requested_at": {"$gte": _connected_at(event.data) or event.time}},
            {"scope": "person", "requested_at": {"$gte": event.time}},
        ]
        async for share in self.collection.find({"organization_id": event.organization_id, "$or": since}):
            if share["scope"] == "organization":
                return True
            if share["scope"] == "zoom_data" and isinstance(event.data, MeetingReady | MeetingFailed):
                return True
            if share["scope"] == "person" and self._is_over_for(share, event.data):
                return True
        return False

    def erasure_of(self, claim: Claim) -> Erasure:
        """Return what is to be erased. Raises CannotDecrypt."""
        share = claim.document
        person = self._vault.decrypt(share["person"], *row_of_person(share)) if "person" in share else None
        return Erasure(share["_id"], share["organization_id"], share["scope"], share["requested_at"], person)

    async def hold(self, claim: Claim, until: datetime) -> bool:
        """Make the lease last until then; False where it is lost."""
        held = await self.collection.update_one(claim.still_ours, {"$set": {"lease.until": until}})
        return bool(held.matched_count)

    async def finish(self, claim: Claim, outcome: Outcome) -> Document | None:
        """Store the outcome, and say so where it is news. After the last look the address is gone, too.

        Returns the document for its outbox, None where the lease is lost.
        """
        said = {"removed": outcome.removed_since(claim.document.get("removed", {})), "left": dict(outcome.left)}
        change: Document = {"$set": {**said, "looks": outcome.looks, "lease": None}}
        if outcome.due_at:
            change["$set"]["due_at"] = outcome.due_at
        else:
            change["$unset"] = {"due_at": "", "person": ""}
        if {name: claim.document.get(name) for name in said} != said:
            change["$push"] = {"outbox": entry(PrivacyErased, self._clock())}
        return await self.collection.find_one_and_update(claim.still_ours, change, return_document=ReturnDocument.AFTER)

    def _is_over_for(self, share: Document, data: Any) -> bool:
        """Tell whether an event tells of a booking of the person that is not ahead any more.

        One that was just cancelled may still be owed mails and a deletion at Zoom: a later look erases it.
        """
        booking, session = getattr(data, "booking", None), getattr(data, "session", None)
        if booking is None or session is None:
            return False
        people = {digest_of(share["_id"], address) for address in (booking.invitee.email, session.host.email)}
        is_settled = "canceled" in {booking.status, session.status} and "person" not in share
        is_over = is_settled or session.ends_at <= self._clock()
        return is_over and share["person_digest"] in people


def _connected_at(data: Any) -> datetime | None:
    """Return when Zoom was connected for the link in an event: what was made before a request may be told after it."""
    meeting = data.meeting if isinstance(data, MeetingReady | MeetingFailed) else None
    return meeting.connected_at if meeting else None


def _expander(service: str) -> Expand:
    def expand(share: Document, pending: Document) -> Sequence[Event[Any]]:
        erased = PrivacyErased(
            erasure_id=share["_id"], service=service, removed=share["removed"], left=share["left"] or None
        )
        return [
            Event(
                id=pending["id"],
                source=f"/{service}",
                subject=share["_id"],
                time=pending["time"],
                organization_id=share["organization_id"],
                data=erased,
                traceparent=pending["traceparent"],
            )
        ]

    return expand


def secrets_of(share: Document) -> Iterator[Secret]:
    """Yield what is encrypted in the document of an erasure."""
    if "person" in share:
        yield Secret("person", row_of_person(share))


def row_of_person(share: Document) -> tuple[str, ...]:
    """Return what the address in an erasure's document is bound to."""
    return share["organization_id"], share["_id"], "person"
