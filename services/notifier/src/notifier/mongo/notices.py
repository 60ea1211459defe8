"""The collection `notices`: one document per Zoom connection, with how it stands and what its owner was told."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime

from pymongo.errors import DuplicateKeyError

from convoke.clock import Clock
from convoke.due_work import Claim
from convoke.mongo import Collection, Database, Document
from convoke.rekeying import Secret
from convoke.vault import Vault
from notifier.domain.notices import Ending, NoticeMail, Notices, Standing, ToldOfZoom, with_event
from notifier.mongo.correspondence import ATTEMPTS_TO_WRITE, LEASE, Contended


class NoticesStore:
    """Stores notices; mail addresses and rendered mails are encrypted. `version` grows with every event."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self.collection: Collection = database["notices"]
        self._vault = vault
        self._clock = clock

    async def create_indexes(self) -> None:
        keys = [("organization_id", 1), ("host_id", 1)]
        await self.collection.create_index(keys, name="organization")

    async def learn(self, told: ToldOfZoom, time: datetime) -> bool:
        """Store what an event adds; tell whether a notice is owed. Raises Contended.

        Where the connection works again, or is gone as its owner wants it, the mail under way goes in the same write,
        from whoever is about to send it.
        """
        for _ in range(ATTEMPTS_TO_WRITE):
            document = await self.find(told.connection.organization_id, told.connection.id)
            if document and document.get("is_erased"):
                return False
            known = self.read(document) if document else None
            standing = with_event(known.standing if known else None, told, time)
            if known and standing == known.standing:
                return False
            after = replace(known, standing=standing) if known else Notices(standing)
            if await self._store(document, after):
                return after.due_at() is not None
        raise Contended(f"connection {told.connection.id}")

    async def find(self, organization_id: str, connection_id: str) -> Document | None:
        return await self.collection.find_one({"_id": connection_id, "organization_id": organization_id})

    async def hosts_with_their_own(self, organization_id: str) -> list[str]:
        """Return the hosts whose meetings their own connections make, also where these have to be authorized again."""
        own = {"organization_id": organization_id, "host_id": {"$ne": None}, "status": {"$nin": ["disconnected", None]}}
        return [document["host_id"] async for document in self.collection.find(own)]

    def read(self, document: Document) -> Notices:
        """Return what a document holds. Raises CannotDecrypt."""
        mail = document["mail"]
        return Notices(
            standing=Standing(
                connection_id=document["_id"],
                email=self._opened(document, "email", document["email"]),
                endings=tuple(Ending(**ending) for ending in document["endings"]),
                **{name: document[name] for name in ("organization_id", "host_id", "revision", "status", "since")},
            ),
            settled_day=document["settled_day"],
            settled_at=document["settled_at"],
            attempts=document["attempts"],
            mail=mail
            and NoticeMail(
                mail["id"],
                mail["day"],
                self._vault.decrypt(mail["to"], *_row(document, f"{mail['id']}.to")),
                self._vault.decrypt(mail["mime"], *_row(document, f"{mail['id']}.mime")).encode("ascii"),
            ),
        )

    async def begin(self, claim: Claim, mail: NoticeMail) -> Claim | None:
        """Store what is about to be sent; return the claim with its lease renewed.

        None where the lease is lost, or an event has come meanwhile.
        """
        until = self._clock() + LEASE
        row = claim.document
        stored = {
            "id": mail.id,
            "day": mail.day,
            "to": self._vault.encrypt(mail.to, *_row(row, f"{mail.id}.to")),
            "mime": self._vault.encrypt(mail.mime.decode("ascii"), *_row(row, f"{mail.id}.mime")),
        }
        same = claim.still_ours | {"version": row["version"]}
        begun = await self.collection.update_one(same, {"$set": {"mail": stored, "lease.until": until}})
        return replace(claim, until=until) if begun.matched_count else None

    async def settle(self, claim: Claim, after: Notices, reason: str | None) -> None:
        """Store that a notice has come to its end, and give the lease back; due as an event that came since has it."""
        values = {"settled_day": after.settled_day, "settled_at": after.settled_at, "mail": None}
        await self._give_back(claim, values, after.due_at(), reason=reason)

    async def put_off(self, claim: Claim, due_at: datetime, attempts: int, reason: str) -> None:
        """Give the lease back: to be tried again at `due_at`."""
        await self._give_back(claim, {"attempts": attempts}, due_at, reason=reason)

    async def rest(self, claim: Claim, due_at: datetime | None) -> None:
        """Give the lease back: nothing is owed now."""
        await self._give_back(claim, {"mail": None}, due_at, reason=None)

    async def release(self, claim: Claim) -> None:
        """Give the lease back without a result: an event has come meanwhile, and it is due as that has it."""
        await self.collection.update_one(claim.still_ours, {"$set": {"lease": None}})

    async def _give_back(self, claim: Claim, values: Document, due_at: datetime | None, *, reason: str | None) -> None:
        told: Document = {"attempts": 0, "reason": reason, "lease": None} | values
        due: Document = {"$set": told | {"due_at": due_at}} if due_at else {"$set": told, "$unset": {"due_at": ""}}
        same = claim.still_ours | {"version": claim.document["version"]}
        if not (await self.collection.update_one(same, due)).matched_count:
            await self.collection.update_one(claim.still_ours, {"$set": told})

    async def _store(self, before: Document | None, after: Notices) -> bool:
        standing, due_at = after.standing, after.due_at()
        row = {"_id": standing.connection_id, "organization_id": standing.organization_id}
        news: Document = {
            "host_id": standing.host_id,
            "revision": standing.revision,
            "status": standing.status,
            "email": standing.email and self._vault.encrypt(standing.email, *_row(row, "email")),
            "since": standing.since,
            "endings": [asdict(ending) for ending in standing.endings],
        }
        nothing_sent: Document = {"mail": None, "lease": None, "attempts": 0, "reason": None}
        if before is None:
            return await self._insert(
                {**row, **news, **nothing_sent, "settled_day": 0, "settled_at": after.settled_at, "version": 1}, due_at
            )
        ended = nothing_sent if due_at is None else {}
        change: Document = {"$set": news | ended, "$inc": {"version": 1}}
        change |= {"$unset": {"due_at": ""}} if due_at is None else {}
        if due_at:
            change["$set"]["due_at"] = due_at
        same = row | {"version": before["version"]}
        return bool((await self.collection.update_one(same, change)).matched_count)

    async def _insert(self, document: Document, due_at: datetime | None) -> bool:
        try:
            await self.collection.insert_one(document | ({"due_at": due_at} if due_at else {}))
        except DuplicateKeyError:
            return False
        return True

    def _opened(self, document: Document, field: str, sealed: str | None) -> str | None:
        return self._vault.decrypt(sealed, *_row(document, field)) if sealed else None


def _row(document: Document, field: str) -> tuple[str, ...]:
    return document["organization_id"], document["_id"], field


def secrets_of(document: Document) -> Iterator[Secret]:
    """Yield what is sealed in a connection's document."""
    if document["email"]:
        yield Secret("email", _row(document, "email"))
    if mail := document["mail"]:
        for part in ("to", "mime"):
            yield Secret(f"mail.{part}", _row(document, f"{mail['id']}.{part}"))
