"""What an end still has to do at Zoom, in its connection's document: due work with a lease of its own, as `ending`.

The pair of tokens that is to be revoked is kept there as it was sealed, and goes with it.
"""

from datetime import timedelta

from auth_service.domain.connections import Connection, Tokens, retry_at
from auth_service.mongo.documents import at_version, changed, connection_of, history_line
from auth_service.mongo.sealed_tokens import SealedTokens
from convoke.clock import Clock, utc_now
from convoke.contracts import ZoomSettingsChanged
from convoke.due_work import Claim
from convoke.messaging.outbox import entry
from convoke.mongo import Database, Document

DELETE_WITHIN = timedelta(hours=1)
"""Future meetings are deleted so long; then the connection ends with what is left."""

LOOK_EVERY = timedelta(seconds=2)


class Endings:
    """The ends of all connections that are under way."""

    def __init__(self, database: Database, tokens: SealedTokens, clock: Clock = utc_now) -> None:
        self.collection = database["connections"]
        self._tokens = tokens
        self._clock = clock

    async def begin(self, connection: Connection, by: str) -> Document | None:
        """Begin with deleting the future meetings, and make no new ones; None where the row is no longer as known."""
        now = self._clock()
        until = now + DELETE_WITHIN
        ending = {"stage": "deleting", "by": by, "began_at": now, "until": until, "due_at": now}
        return await changed(
            self.collection,
            # What another Zoom user's end has left to revoke gives way, as it does where a connection is ended at once.
            {**at_version(connection), "status": "active", "ending.stage": {"$ne": "deleting"}},
            {
                "$set": {"ending": ending, "decided_at": now},
                "$push": {
                    "outbox": entry(ZoomSettingsChanged, now),
                    "history": history_line(now, "disconnecting", by, "future meetings are deleted first"),
                },
            },
        )

    async def look_again(self, claim: Claim, asked: int | None, left: int | None) -> None:
        """Store how many meetings are left, and have it looked again."""
        progress = {"ending.asked": asked, "ending.left": left, "ending.due_at": self._clock() + LOOK_EVERY}
        await self._store(claim, "deleting", {"$set": {**progress, "ending.lease": None}})

    async def revoke_again(self, claim: Claim, failures: int) -> None:
        """Store that Zoom could not be asked, and when it is asked again."""
        again = {"ending.failures": failures, "ending.due_at": retry_at(self._clock(), failures)}
        await self._store(claim, "revoking", {"$set": {**again, "ending.lease": None}})

    async def begin_refresh(self, claim: Claim) -> None:
        """Store that Zoom is about to replace the pair to be revoked: who dies now leaves the new one to nobody."""
        await self._store(claim, "revoking", {"$set": {"ending.refresh_began": True}})

    async def keep_refreshed(self, claim: Claim, connection: Connection, tokens: Tokens) -> None:
        """Keep the pair that replaces the one to be revoked: that one had expired."""
        refreshed = self._tokens.refreshed(connection, tokens)
        await self._store(claim, "revoking", {"$set": {"ending.tokens": refreshed, "ending.refresh_began": False}})

    async def erase(self, claim: Claim, what: str, detail: str) -> None:
        """Erase the last pair of tokens, and say in the history what Zoom has done."""
        line = history_line(self._clock(), what, "zoom", detail)
        await self._store(claim, "revoking", {"$set": {"ending": None}, "$push": {"history": line}})

    async def _store(self, claim: Claim, stage: str, change: Document) -> None:
        await self.collection.update_one({**claim.still_ours, "ending.stage": stage}, change)


def to_revoke(document: Document) -> Connection:
    """Return the connection with the pair of tokens that it had before it ended."""
    return connection_of({**document, "tokens": document["ending"]["tokens"]})
