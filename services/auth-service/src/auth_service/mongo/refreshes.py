"""Renewing tokens in their connection's document, which is due work: `due_at` asks for a refresh.

Every write of tokens is a compare-and-set on `tokens.version`; the lease of whoever claimed the document keeps
refreshes apart.
"""

from datetime import datetime

from auth_service.domain.connections import Connection, Tokens, ahead_of, retry_at, while_idle
from auth_service.mongo.documents import NO_REFRESH, at_version, changed, granted, history_line
from auth_service.mongo.sealed_tokens import SealedTokens
from convoke.clock import Clock, utc_now
from convoke.contracts import ZoomConnected, ZoomDisconnected
from convoke.due_work import Claim
from convoke.messaging.outbox import entry
from convoke.mongo import Database, Document


class Refreshes:
    """The refreshes of all connections."""

    def __init__(self, database: Database, tokens: SealedTokens, clock: Clock = utc_now) -> None:
        self.collection = database["connections"]
        self._tokens = tokens
        self._clock = clock

    async def make_due(self, connection: Connection, now: datetime) -> None:
        """Ask for a refresh now, unless the tokens have changed since `connection` was read."""
        await self.collection.update_one(
            {**at_version(connection), "status": "active", "due_at": {"$gt": now}}, {"$set": {"due_at": now}}
        )

    async def keep_fresh(self, connection: Connection) -> None:
        """Have the tokens renewed ahead of their end: the connection is in use."""
        await self.collection.update_one(
            {**at_version(connection), "status": "active"}, {"$min": {"due_at": ahead_of(connection.expires_at)}}
        )

    async def start_refresh(self, claim: Claim) -> bool:
        """Record that Zoom is about to be asked; False where the claim is no longer ours."""
        started = await self.collection.update_one(
            {**claim.still_ours, "status": "active", "tokens.version": claim.document["tokens"]["version"]},
            {"$set": {"refresh.started_at": self._clock()}},
        )
        return bool(started.matched_count)

    async def save_refreshed(self, connection: Connection, tokens: Tokens) -> Document | None:
        """Store the pair that replaces the one of `connection`; None where another pair has replaced it already.

        The lease is not asked for: whoever holds the newest pair must be able to save it. A connection that was
        given up while this pair was on its way lives again, and its outbox says so.
        """
        change = self._refreshed(connection, tokens)
        saved = await changed(self.collection, {**at_version(connection), "status": "active"}, change)
        if saved:
            return saved
        revived = {"$push": {"outbox": entry(ZoomConnected, self._clock())}}
        return await changed(
            self.collection, {**at_version(connection), "status": "reauthorization_required"}, {**change, **revived}
        )

    async def put_off(self, claim: Claim, connection: Connection) -> datetime:
        """Store that Zoom could not be asked; returns when to ask again."""
        now, failures = self._clock(), connection.refresh_failures + 1
        again_at = retry_at(now, failures)
        failed = {"refresh.failures": failures, "refresh.failed_at": now, "due_at": again_at, "lease": None}
        await self.collection.update_one(
            {**claim.still_ours, "tokens.version": connection.token_version}, {"$set": failed}
        )
        return again_at

    async def give_up(self, connection: Connection) -> Document | None:
        """Store that only its owner can revive the connection; None where that is known, or no longer true.

        One whose user is said to have removed the app has ended otherwise.
        """
        now = self._clock()
        return await changed(
            self.collection,
            {**at_version(connection), "status": "active", "deauthorized_at": None},
            {
                "$set": {"status": "reauthorization_required", "refresh": NO_REFRESH, "lease": None},
                "$unset": {"due_at": ""},
                "$push": {
                    "outbox": entry(ZoomDisconnected, now, reason="reauthorization_required"),
                    "history": history_line(now, "reauthorization_required", "zoom"),
                },
            },
        )

    def _refreshed(self, connection: Connection, tokens: Tokens) -> Document:
        sealed, due_at = self._tokens.refreshed(connection, tokens), while_idle(self._clock())
        # A report of a removal that came while Zoom was asked is not answered by this.
        is_answered = {"deauthorized_at": None} if connection.deauthorized_at else {}
        return {"$set": {"status": "active", "due_at": due_at, **granted(tokens, sealed), **is_answered}}
