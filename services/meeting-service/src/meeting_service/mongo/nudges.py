"""What has sessions looked at again: nudges from events, webhooks, timers and operators, written beside any lease."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from convoke.contracts.meetings import FailureCode
from convoke.mongo import Collection, Document
from meeting_service.mongo.meetings import THERE


class Nudges:
    """Make sessions due, or due for a look at Zoom; what was erased stays as it is."""

    def __init__(self, meetings: Collection) -> None:
        self.collection = meetings

    async def make_due(self, session_ids: Sequence[str], now: datetime) -> int:
        """Make these sessions due now, whatever they wait for; returns how many there are."""
        due_now: Document = {"due_at": now, "retry_at": None, "clean_up_at": None}
        return await self._nudge({"_id": {"$in": session_ids}} | THERE, {"$set": due_now})

    async def make_parked_due(self, organization_id: str, codes: AbstractSet[FailureCode], now: datetime) -> int:
        """Make due now what waits for people of this organization; returns how many.

        Whatever is being worked on counts too: it may just be about to find that it has to wait. And so does what is
        to be cleaned up, though not before something in doubt beside it may be overtaken.
        """
        parked = {"organization_id": organization_id, "reason.code": {"$in": [*codes]}}
        clean_up = {"$or": [{"lease": {"$ne": None}}, {"condemned.0": {"$exists": True}}]}
        others = {"organization_id": organization_id, "reason.code": {"$nin": [*codes]}} | clean_up
        due_now: Document = {"due_at": now, "clean_up_at": None}
        return await self._nudge(parked, {"$set": due_now | {"retry_at": None}}) + await self._nudge(
            others, {"$set": due_now}
        )

    async def hasten(self, organization_id: str, code: FailureCode, until: datetime) -> int:
        """Let what failed with this code wait no longer than `until`; returns how many."""
        backing_off = {"organization_id": organization_id, "reason.code": code, "retry_at": {"$gt": until}}
        return await self._nudge(backing_off, {"$set": {"retry_at": until, "due_at": until}})

    async def failed_until(self, code: FailureCode, beyond: datetime) -> list[str]:
        """Return the sessions that failed with this code and wait beyond a time."""
        waiting = {"reason.code": code, "retry_at": {"$gt": beyond}, "due_at": {"$ne": None}}
        return [document["_id"] async for document in self.collection.find(waiting, {"_id": 1})]

    async def resume(self, session_ids: Sequence[str], beyond: datetime, at: datetime) -> int:
        """Let those of these that wait beyond a time wait until `at` only; returns how many."""
        waiting = {"_id": {"$in": session_ids}, "retry_at": {"$gt": beyond}}
        return await self._nudge(waiting, {"$set": {"retry_at": at, "due_at": at}})

    async def include(self, session_ids: Sequence[str]) -> None:
        """Have links made for these sessions although they were booked before Zoom was connected."""
        await self.collection.update_many({"_id": {"$in": session_ids}} | THERE, {"$set": {"is_included": True}})

    async def look_later(self, session_ids: Sequence[str], at: datetime) -> None:
        """Have looked, at `at`, what Zoom has of these sessions' meetings; who nudges them too has them due then."""
        await self.collection.update_many({"_id": {"$in": session_ids}} | THERE, _look_later(at))

    async def look_again(self, connection_ids: Sequence[str], zoom_meeting_id: int, now: datetime) -> int:
        """Have looked what Zoom has of a meeting that was made through one of these connections; returns how many.

        However often that is asked for before somebody looks, it is one look.
        """
        ours = {"meeting.id": zoom_meeting_id, "meeting.connection_id": {"$in": [*connection_ids]}}
        return (await self.collection.update_many(ours, _look_again(now))).modified_count

    async def look_again_at(self, session_id: str, now: datetime) -> None:
        """Have looked what Zoom has of a session's meeting."""
        await self.collection.update_one({"_id": session_id} | THERE, _look_again(now))

    async def look_for_other_users(self, connection_id: str, zoom_user_id: str, now: datetime, at: datetime) -> int:
        """Have looked, at a later time, at all that others made through a connection than the Zoom user who has it now.

        What is over is left alone. Returns how many.
        """
        made_by_others = {"meeting.connection_id": connection_id, "meeting.zoom_user_id": {"$ne": zoom_user_id}}
        ahead = {"session.ends_at": {"$gt": now}}
        looked_at = await self.collection.update_many(made_by_others | ahead, _look_later(at))
        # What is due before is worked on first, and then due again for the look.
        await self.collection.update_many(made_by_others | ahead | {"due_at": None}, {"$set": {"due_at": at}})
        return looked_at.modified_count

    async def keep_after_all(self, organization_id: str, connection_id: str, now: datetime) -> None:
        """Delete no more meetings of a connection that was to be left: it was connected again."""
        asked = {
            "organization_id": organization_id,
            "meeting.connection_id": connection_id,
            "leaving": {"$ne": None},
        }
        await self._nudge(asked, {"$set": {"leaving": None, "due_at": now, "retry_at": None}})

    async def _nudge(self, which: Document, change: Document) -> int:
        nudged = await self.collection.update_many(which, change | {"$inc": {"wakes": 1}})
        return nudged.modified_count


def _look_again(now: datetime) -> Document:
    return {"$set": {"due_at": now, "look_at": None}, "$inc": {"wakes": 1, "looks": 1}}


def _look_later(at: datetime) -> Document:
    return {"$set": {"look_at": at}, "$inc": {"wakes": 1, "looks": 1}}
