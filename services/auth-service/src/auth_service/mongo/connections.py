"""Zoom connections, as their owners make and end them: one document per owner, which carries its own outbox."""

from datetime import datetime, timedelta
from typing import Literal

from pymongo.errors import DuplicateKeyError

from auth_service.domain.authorizations import AnotherZoomUser, AttemptOvertaken, Authorization
from auth_service.domain.connections import Connection, Owner, Tokens, ZoomUser, ahead_of
from auth_service.domain.webhooks import MeetingChange
from auth_service.mongo.documents import (
    NO_CHECKUP,
    NO_REFRESH,
    at_version,
    changed,
    connection_of,
    granted,
    history_line,
    of_owner,
)
from auth_service.mongo.sealed_tokens import ERASED, SealedTokens
from convoke.clock import Clock, utc_now
from convoke.contracts import ZoomConnected, ZoomDisconnected, ZoomSettingsChanged
from convoke.ids import new_id
from convoke.messaging.outbox import entry
from convoke.mongo import Database, Document, find_surely

DisconnectReason = Literal["user", "deauthorized"]
_ENDED_AS = {"user": "disconnected", "deauthorized": "deauthorized"}

REVOKE_WITHIN = timedelta(hours=1)
"""Zoom is asked so long to revoke; then the tokens are erased whatever it has done."""


class Connections:
    """The connections of all organizations; every question names its organization, save those of due work."""

    def __init__(self, database: Database, tokens: SealedTokens, clock: Clock = utc_now) -> None:
        self.collection = database["connections"]
        self._tokens = tokens
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
        document = await find_surely(self.collection, of_owner(owner))
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

    async def report_removal(self, zoom_user_id: str, now: datetime) -> list[Connection]:
        """Have Zoom asked about every connection of a Zoom user who is said to have removed the app, in all tenants.

        Returns those that Zoom has refused already, which need no asking.
        """
        of_user = {"zoom_user_id": zoom_user_id}
        reported = {"deauthorized_at": now, "due_at": now, "refresh.failed_at": None}
        await self.collection.update_many({**of_user, "status": "active"}, {"$set": reported})
        refused = self.collection.find({**of_user, "status": "reauthorization_required"})
        return [connection_of(document) async for document in refused]

    async def connect(self, attempt: Authorization, user: ZoomUser, tokens: Tokens) -> Document:
        """Make the owner's connection, or give it these tokens; returns the document, whose outbox says so.

        Raises AttemptOvertaken, or AnotherZoomUser where the owner has not accepted that yet.
        """
        while True:
            known = await find_surely(self.collection, of_owner(attempt.owner))
            if known and _has_taken(known, attempt):
                return known
            document = await (
                self._reconnect(known, attempt, user, tokens) if known else self._add(attempt, user, tokens)
            )
            if document:
                await self.have_checked(user.id, but=document["_id"])
                return document

    async def has_taken(self, attempt: Authorization) -> bool:
        """Tell whether the owner's connection has this attempt's tokens already, or what has become of them."""
        known = await find_surely(self.collection, of_owner(attempt.owner))
        return known is not None and _has_taken(known, attempt)

    async def have_checked(self, zoom_user_id: str, but: str) -> None:
        """Have Zoom asked about a user's connections but one: a new consent may have ended their tokens."""
        others = {"zoom_user_id": zoom_user_id, "status": "active", "_id": {"$ne": but}}
        await self.collection.update_many(others, {"$set": {"due_at": self._clock()}})

    async def have_asked(self, owner: Owner) -> None:
        """Have Zoom asked whether it still takes the tokens of an owner's connection, if there is one."""
        await self.collection.update_one({**of_owner(owner), "status": "active"}, {"$set": {"due_at": self._clock()}})

    async def disconnect(
        self,
        connection: Connection,
        reason: DisconnectReason,
        by: str,
        detail: str = "",
        *,
        decided_at: datetime | None = None,
    ) -> Document | None:
        """Erase both tokens and store why; None where the row is no longer as `connection` says.

        `decided_at` is when that was decided, if not just now: who came back from Zoom since is not overtaken by it.

        Until they are revoked at Zoom the sealed pair is kept aside, for REVOKE_WITHIN at most; what Zoom itself has
        ended is not. The row stays, so that connecting again makes the same connection active; the version grows, so
        that tokens which are still on their way are never stored.
        """
        as_known = {**at_version(connection), "status": connection.status}
        known = await find_surely(self.collection, as_known)
        if known is None:
            return None
        now = self._clock()
        revoking = _revoking(known, by, now) if reason == "user" else None
        ended = {"status": "disconnected", "deauthorized_at": None, "ending": revoking, "decided_at": decided_at or now}
        return await changed(
            self.collection,
            as_known,
            {
                "$set": {**ended, **ERASED, "refresh": NO_REFRESH, "lease": None},
                "$inc": {"tokens.version": 1},
                "$unset": {"due_at": ""},
                "$push": {
                    "outbox": entry(ZoomDisconnected, now, reason=reason),
                    "history": history_line(now, _ENDED_AS[reason], by, detail),
                },
            },
        )

    async def switch(self, connection: Connection, by: str, *, is_enabled: bool) -> Document | None:
        """Store whether new meetings are wanted; None where the row is no longer as `connection` says."""
        return await changed(
            self.collection,
            {
                "_id": connection.id,
                "status": connection.status,
                "enabled_for_new_bookings": connection.enabled_for_new_bookings,
            },
            {
                "$set": {"enabled_for_new_bookings": is_enabled},
                "$push": {
                    "outbox": entry(ZoomSettingsChanged, self._clock()),
                    "history": history_line(self._clock(), "resumed" if is_enabled else "paused", by),
                },
            },
        )

    async def _add(self, attempt: Authorization, user: ZoomUser, tokens: Tokens) -> Document | None:
        connection_id, owner = new_id("zc"), attempt.owner
        connected = self._connected(owner, connection_id, 1, user, tokens)
        now = connected["connected_at"]
        document = {
            "_id": connection_id,
            **of_owner(owner),
            **connected,
            "connected_since": now,
            "decided_at": attempt.came_back_at,
            "choice_id": attempt.choice_id,
            "enabled_for_new_bookings": True,
            "revision": 1,
            "outbox": [entry(ZoomConnected, now)],
            "history": history_line(now, "connected", attempt.requested_by)["$each"],
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
            # What has waited for a choice may be older than what the connection has.
            has_ended_its_own = connection.is_being_left and connection.user.id == user.id and not attempt.choice_id
            if has_ended_its_own and not await self._renew(connection, tokens):
                return None
            raise AttemptOvertaken
        # Where a connection was erased, nobody knows any more who had it.
        if connection.user.id not in ("", user.id, attempt.accepted_former_user):
            raise AnotherZoomUser(connection)
        connected = self._connected(connection.owner, connection.id, connection.token_version + 1, user, tokens)
        # Rows from before this field was kept have it from `connected_at`, which changes here.
        kept: Document = {"connected_since": connection.connected_since, "decided_at": _decided_at(attempt, known)}
        kept["choice_id"] = attempt.choice_id
        was = connection.user.id if connection.user.id not in ("", user.id) else None
        return await changed(
            self.collection,
            # A disconnect that deletes meetings first leaves the tokens as they are.
            {**at_version(connection), "decided_at": known.get("decided_at")},
            {
                "$set": connected | kept | _ending_after(connection, user),
                "$push": {
                    "outbox": entry(ZoomConnected, self._clock(), previous_zoom_user_id=was),
                    "history": history_line(
                        self._clock(), "connected", attempt.requested_by, "another Zoom user than before" if was else ""
                    ),
                },
            },
        )

    async def _renew(self, connection: Connection, tokens: Tokens) -> Document | None:
        """Give a connection that is being left the pair whose consent has ended its own: its meetings go with it."""
        renewed = {"due_at": ahead_of(tokens.expires_at), **granted(tokens, self._tokens.refreshed(connection, tokens))}
        being_left = {**at_version(connection), "status": "active", "ending.stage": "deleting"}
        return await changed(self.collection, being_left, {"$set": renewed})

    def _connected(self, owner: Owner, connection_id: str, version: int, user: ZoomUser, tokens: Tokens) -> Document:
        return {
            "status": "active",
            "zoom_user_id": user.id,
            "zoom_account_id": user.account_id,
            "email": user.email,
            "plan": user.plan,
            "connected_at": self._clock(),
            "due_at": ahead_of(tokens.expires_at),
            "checkup": NO_CHECKUP | {"due_at": self._clock()},
            **granted(tokens, self._tokens.connected(owner, connection_id, version, tokens)),
        }


def _has_taken(known: Document, attempt: Authorization) -> bool:
    """Tell whether somebody carried this choice out, and died before saying so."""
    return attempt.choice_id is not None and known.get("choice_id") == attempt.choice_id


def _ending_after(connection: Connection, user: ZoomUser) -> Document:
    """Return what becomes of an end that is under way when its owner connects: it is called off.

    Tokens of another Zoom user, or of one who was erased, are still revoked: no new consent may have ended them.
    """
    is_of_another = connection.ending and connection.ending.stage == "revoking" and connection.user.id != user.id
    return {"deauthorized_at": None} | ({} if is_of_another else {"ending": None})


def _revoking(known: Document, by: str, now: datetime) -> Document:
    pair = {"tokens": known["tokens"], "refresh_began": known["refresh"]["started_at"] is not None}
    return {"stage": "revoking", "by": by, "began_at": now, "until": now + REVOKE_WITHIN, "due_at": now, **pair}


def _is_overtaken(attempt: Authorization, known: Document, user: ZoomUser) -> bool:
    """Tell whether the owner has decided otherwise since coming back from Zoom.

    Tokens of the same user are no other decision, and which pair is the newer one only Zoom knows.
    """
    decided_at = known.get("decided_at")
    is_later = decided_at is not None and attempt.came_back_at is not None and decided_at > attempt.came_back_at
    is_over = known["status"] == "disconnected" or (known.get("ending") or {}).get("stage") == "deleting"
    return is_later and (is_over or known["zoom_user_id"] != user.id)


def _decided_at(attempt: Authorization, known: Document) -> datetime | None:
    """Return when the owner decided last: an attempt of the same Zoom user that is stored late was not the last."""
    return max((at for at in (attempt.came_back_at, known.get("decided_at")) if at), default=None)
