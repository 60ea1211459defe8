"""Zoom connections with their sealed tokens: one document per owner, and the aggregate whose events tell of it.

Every write of tokens is a compare-and-set on `tokens.version`. The document is also due work: `due_at` asks for a
refresh, and the lease of whoever claimed it keeps refreshes apart.
"""

from datetime import datetime
from typing import Any, Literal

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from auth_service.domain.authorizations import AttemptOvertaken, Authorization
from auth_service.domain.connections import (
    Connection,
    Owner,
    Tokens,
    ZoomUser,
    ahead_of,
    retry_at,
    while_idle,
)
from auth_service.domain.webhooks import MeetingChange
from convoke.clock import Clock, utc_now
from convoke.contracts import ZoomConnected, ZoomDisconnected
from convoke.due_work import Claim
from convoke.ids import new_id
from convoke.messaging.outbox import entry
from convoke.mongo import Database, Document, find_surely
from convoke.vault import Vault

DisconnectReason = Literal["user", "deauthorized"]

_ERASED = {"tokens.access": "", "tokens.refresh": ""}
_NO_REFRESH = {"started_at": None, "failures": 0, "failed_at": None}


class Connections:
    """The connections of all organizations; every question names its organization, save those of due work."""

    def __init__(self, database: Database, vault: Vault, clock: Clock = utc_now) -> None:
        self.collection = database["connections"]
        self._vault = vault
        self._clock = clock

    async def create_indexes(self) -> None:
        await self.collection.create_index([("organization_id", 1), ("host_id", 1)], name="owner", unique=True)
        await self.collection.create_index([("organization_id", 1), ("_id", 1)], name="page")
        await self.collection.create_index("zoom_user_id", name="zoom_user")
        await self.collection.create_index("zoom_account_id", name="zoom_account")

    async def find(self, organization_id: str, connection_id: str) -> Connection | None:
        the_one = {"_id": connection_id, "organization_id": organization_id}
        document = await find_surely(self.collection, the_one)
        return connection_of(document) if document else None

    async def owned_by(self, owner: Owner) -> Connection | None:
        document = await find_surely(self.collection, _owner(owner))
        return connection_of(document) if document else None

    async def page(self, organization_id: str, after: str, limit: int) -> list[Connection]:
        """Return up to `limit` connections in the order of their ids, beginning behind `after`."""
        wanted = {"organization_id": organization_id, "_id": {"$gt": after}}
        documents = await self.collection.find(wanted).sort("_id", 1).limit(limit).to_list(limit)
        return [connection_of(document) for document in documents]

    async def concerned_by(self, change: MeetingChange) -> dict[str, list[str]]:
        """Return the ids of the connections that may own a meeting, by organization: all of its Zoom user's.

        Where Zoom does not name the user, all of the account's.
        """
        whose = {"zoom_user_id": change.host_id} if change.host_id else {"zoom_account_id": change.zoom_account_id}
        found: dict[str, list[str]] = {}
        async for document in self.collection.find({**whose, "status": {"$ne": "disconnected"}}).sort("_id", 1):
            found.setdefault(document["organization_id"], []).append(document["_id"])
        return found

    async def connect(self, attempt: Authorization, user: ZoomUser, tokens: Tokens) -> Document:
        """Make the owner's connection, or give it these tokens; returns the document, whose outbox says so.

        Raises AttemptOvertaken.
        """
        while True:
            known = await find_surely(self.collection, _owner(attempt.owner))
            document = await (
                self._reconnect(known, attempt, user, tokens) if known else self._add(attempt, user, tokens)
            )
            if document:
                return document

    async def make_due(self, connection: Connection, now: datetime) -> None:
        """Ask for a refresh now, unless the tokens have changed since `connection` was read."""
        await self.collection.update_one(
            {**_at_version(connection), "status": "active", "due_at": {"$gt": now}}, {"$set": {"due_at": now}}
        )

    async def keep_fresh(self, connection: Connection) -> None:
        """Have the tokens renewed ahead of their end: the connection is in use."""
        await self.collection.update_one(
            {**_at_version(connection), "status": "active"}, {"$min": {"due_at": ahead_of(connection.expires_at)}}
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
        saved = await self._change({**_at_version(connection), "status": "active"}, change)
        if saved:
            return saved
        revived = {"$push": {"outbox": entry(ZoomConnected, self._clock())}}
        return await self._change(
            {**_at_version(connection), "status": "reauthorization_required"}, {**change, **revived}
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
        """Store that only its owner can revive the connection; None where that is known, or no longer true."""
        return await self._change(
            {**_at_version(connection), "status": "active"},
            {
                "$set": {"status": "reauthorization_required", "refresh": _NO_REFRESH, "lease": None},
                "$unset": {"due_at": ""},
                "$push": {"outbox": entry(ZoomDisconnected, self._clock(), reason="reauthorization_required")},
            },
        )

    async def disconnect(self, connection: Connection, reason: DisconnectReason) -> Document | None:
        """Erase both tokens and store why; None where the row is no longer as `connection` says.

        The row stays, so that connecting again makes the same connection active; the version grows, so that tokens
        which are still on their way are never stored.
        """
        now = self._clock()
        return await self._change(
            {**_at_version(connection), "status": connection.status},
            {
                "$set": {"status": "disconnected", **_ERASED, "refresh": _NO_REFRESH, "lease": None, "decided_at": now},
                "$inc": {"tokens.version": 1},
                "$unset": {"due_at": ""},
                "$push": {"outbox": entry(ZoomDisconnected, now, reason=reason)},
            },
        )

    def access_token(self, connection: Connection) -> str:
        """Return the token in clear. Raises CannotDecrypt."""
        return self._vault.decrypt(
            connection.sealed_access_token, *_row(connection.owner, connection.id, "access", connection.token_version)
        )

    def refresh_token(self, connection: Connection) -> str:
        """Return the token in clear. Raises CannotDecrypt."""
        return self._vault.decrypt(
            connection.sealed_refresh_token,
            *_row(connection.owner, connection.id, "refresh", connection.token_version),
        )

    async def _add(self, attempt: Authorization, user: ZoomUser, tokens: Tokens) -> Document | None:
        connection_id, owner = new_id("zc"), attempt.owner
        connected = self._connected(owner, connection_id, 1, user, tokens)
        now = connected["connected_at"]
        document = {
            "_id": connection_id,
            **_owner(owner),
            **connected,
            "connected_since": now,
            "decided_at": attempt.came_back_at,
            "enabled_for_new_bookings": True,
            "revision": 1,
            "outbox": [entry(ZoomConnected, now)],
        }
        try:
            await self.collection.insert_one(document)
        except DuplicateKeyError:
            return None
        return document

    async def _reconnect(
        self, known: Document, attempt: Authorization, user: ZoomUser, tokens: Tokens
    ) -> Document | None:
        connection = connection_of(known)
        if _is_overtaken(attempt, known, user):
            raise AttemptOvertaken
        connected = self._connected(connection.owner, connection.id, connection.token_version + 1, user, tokens)
        # Rows from before this field was kept have it from `connected_at`, which changes here.
        kept = {"connected_since": connection.connected_since, "decided_at": attempt.came_back_at}
        was = connection.user.id if connection.user.id != user.id else None
        return await self._change(
            _at_version(connection),
            {
                "$set": connected | kept,
                "$push": {"outbox": entry(ZoomConnected, self._clock(), previous_zoom_user_id=was)},
            },
        )

    def _connected(
        self, owner: Owner, connection_id: str, version: int, user: ZoomUser, tokens: Tokens
    ) -> dict[str, Any]:
        return {
            "status": "active",
            "zoom_user_id": user.id,
            "zoom_account_id": user.account_id,
            "email": user.email,
            "plan": user.plan,
            "connected_at": self._clock(),
            "due_at": ahead_of(tokens.expires_at),
            **self._granted(owner, connection_id, version, tokens),
        }

    def _refreshed(self, connection: Connection, tokens: Tokens) -> Document:
        granted = self._granted(connection.owner, connection.id, connection.token_version + 1, tokens)
        return {"$set": {"status": "active", "due_at": while_idle(self._clock()), **granted}}

    def _granted(self, owner: Owner, connection_id: str, version: int, tokens: Tokens) -> dict[str, Any]:
        return {
            "scopes": list(tokens.scopes),
            "api_url": tokens.api_url,
            "tokens": {
                "version": version,
                "access": self._vault.encrypt(tokens.access, *_row(owner, connection_id, "access", version)),
                "refresh": self._vault.encrypt(tokens.refresh, *_row(owner, connection_id, "refresh", version)),
                "expires_at": tokens.expires_at,
            },
            "refresh": _NO_REFRESH,
            "lease": None,
        }

    async def _change(self, wanted: Document, change: Document) -> Document | None:
        """Make a change that the connection's revision counts; None where the row is not as wanted."""
        counted = {**change, "$inc": {**change.get("$inc", {}), "revision": 1}}
        return await self.collection.find_one_and_update(wanted, counted, return_document=ReturnDocument.AFTER)


def connection_of(document: Document) -> Connection:
    tokens, refresh = document["tokens"], document["refresh"]
    return Connection(
        id=document["_id"],
        revision=document.get("revision", 0),
        owner=Owner(document["organization_id"], document["host_id"]),
        status=document["status"],
        user=ZoomUser(document["zoom_user_id"], document["zoom_account_id"], document["email"], document["plan"]),
        scopes=tuple(document["scopes"]),
        api_url=document["api_url"],
        enabled_for_new_bookings=document["enabled_for_new_bookings"],
        connected_at=document["connected_at"],
        connected_since=document.get("connected_since") or document["connected_at"],
        token_version=tokens["version"],
        sealed_access_token=tokens["access"],
        sealed_refresh_token=tokens["refresh"],
        expires_at=tokens["expires_at"],
        due_at=document.get("due_at"),
        refresh_failures=refresh["failures"],
        refresh_failed_at=refresh["failed_at"],
    )


def _is_overtaken(attempt: Authorization, known: Document, user: ZoomUser) -> bool:
    """Tell whether the owner has decided otherwise since coming back from Zoom.

    Tokens of the same user are no other decision, and which pair is the newer one only Zoom knows.
    """
    decided_at = known.get("decided_at")
    is_later = decided_at is not None and attempt.came_back_at is not None and decided_at > attempt.came_back_at
    return is_later and (known["status"] == "disconnected" or known["zoom_user_id"] != user.id)


def _owner(owner: Owner) -> Document:
    return {"organization_id": owner.organization_id, "host_id": owner.host_id}


def _at_version(connection: Connection) -> Document:
    return {"_id": connection.id, "tokens.version": connection.token_version}


def _row(owner: Owner, connection_id: str, kind: str, version: int) -> tuple[str, ...]:
    """Return what a sealed token is bound to: swapped with any other one, it does not open."""
    return owner.organization_id, connection_id, f"tokens.{kind}", str(version)
