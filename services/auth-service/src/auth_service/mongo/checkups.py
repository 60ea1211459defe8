"""Check-ups in their connection's document, which is due work of a second kind: `checkup.due_at` asks for one."""

import random
from datetime import datetime, timedelta

from auth_service.domain.connections import Connection, Finding, ZoomUser
from auth_service.mongo.documents import NO_CHECKUP, changed
from convoke.clock import Clock, utc_now
from convoke.contracts import ZoomSettingsChanged
from convoke.due_work import Claim, DueWork
from convoke.messaging.outbox import entry
from convoke.mongo import Database, Document

LEASE = timedelta(seconds=120)
"""Longer than the reads at Zoom, each with its time-out, and a refresh of the token before."""

AGAIN_AFTER = timedelta(hours=22)
SPREAD = timedelta(hours=4)
"""About a day after the last one: not all connections at the hour at which they were connected."""

ON_REQUEST_EVERY = timedelta(seconds=30)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
"""After a check-up for which Zoom could not be asked: nobody waits for it."""


class Checkups:
    """The check-ups of all connections."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self.collection = database["connections"]
        self._clock = clock
        self.due = DueWork(self.collection, LEASE, clock, kind="checkup")

    async def prepare(self) -> None:
        """Create the index, and have connections from before there were check-ups looked at within hours, spread.

        How they stand is told at once: who listens only since then would take them for not connected.
        """
        await self.due.create_indexes()
        old = {"checkup": {"$exists": False}, "status": "active"}
        async for document in self.collection.find(old, {"_id": 1}):
            now = self._clock()
            checkup = {**NO_CHECKUP, "found": None, "due_at": now + random.random() * SPREAD}  # noqa: S311 - no secret
            told = {"$push": {"outbox": entry(ZoomSettingsChanged, now)}}
            await changed(self.collection, {**old, "_id": document["_id"]}, {"$set": {"checkup": checkup}, **told})

    async def may_ask(self, connection: Connection) -> timedelta | None:
        """Count a request for a check-up; returns how long to wait where the last one is too recent, else None."""
        now = self._clock()
        the_one = {"_id": connection.id, "organization_id": connection.owner.organization_id}
        long_ago = [{"checkup.asked_at": None}, {"checkup.asked_at": {"$lte": now - ON_REQUEST_EVERY}}]
        asked = await self.collection.update_one({**the_one, "$or": long_ago}, {"$set": {"checkup.asked_at": now}})
        if asked.matched_count:
            return None
        document = await self.collection.find_one(the_one, {"checkup.asked_at": 1})
        asked_at: datetime = document["checkup"]["asked_at"] if document else now
        return asked_at + ON_REQUEST_EVERY - self._clock()  # who asked first may have done so after `now`

    async def store(self, connection: Connection, user: ZoomUser, found: tuple[Finding, ...]) -> Document | None:
        """Store what was found; returns the document where that is news, which its outbox tells.

        Nothing is stored where another check-up was faster, or its owner has connected again, or ended it, meanwhile.
        """
        unchanged = {
            "_id": connection.id,
            "status": "active",
            "zoom_user_id": connection.user.id,
            "connected_at": connection.connected_at,
            "checkup.at": connection.checked_at,
        }
        stored = {"$set": self._fields(user, found)}
        if (user, found) == (connection.user, connection.found):
            await self.collection.update_one(unchanged, stored)
            return None
        told = {"$push": {"outbox": entry(ZoomSettingsChanged, self._clock())}}
        return await changed(self.collection, unchanged, {**stored, **told})

    async def put_off(self, connection: Connection, failures: int) -> datetime:
        """Store that Zoom could not be asked, and leave what was found before; returns when to ask again."""
        pause: timedelta = min(FIRST_PAUSE * 2 ** min(failures, 10), LONGEST_PAUSE)
        again_at = self._clock() + pause * (0.75 + random.random() / 2)  # noqa: S311 - no secret
        failed = {"checkup.failures": failures + 1, "checkup.due_at": again_at}
        await self.collection.update_one(
            {"_id": connection.id, "status": "active", "checkup.at": connection.checked_at},
            {"$set": {**failed, "checkup.lease": None}},
        )
        return again_at

    async def rest(self, claim: Claim) -> None:
        """Look at a connection that is not active tomorrow, and at one that was ended no more until it is connected."""
        if claim.document["status"] == "disconnected":
            change: Document = {"$set": {"checkup.lease": None}, "$unset": {"checkup.due_at": ""}}
        else:
            change = {"$set": {"checkup.lease": None, "checkup.due_at": self._tomorrow()}}
        await self.collection.update_one({**claim.still_ours, "status": claim.document["status"]}, change)

    def _fields(self, user: ZoomUser, found: tuple[Finding, ...]) -> Document:
        return {
            "zoom_account_id": user.account_id,
            "email": user.email,
            "plan": user.plan,
            "checkup.at": self._clock(),
            "checkup.found": [dict(vars(finding)) for finding in found],
            "checkup.failures": 0,
            "checkup.due_at": self._tomorrow(),
            "checkup.lease": None,
        }

    def _tomorrow(self) -> datetime:
        return self._clock() + AGAIN_AFTER + random.random() * SPREAD  # noqa: S311 - no secret
