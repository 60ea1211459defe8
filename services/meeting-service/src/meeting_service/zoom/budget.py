"""The daily budget of changes that Zoom gives each host, kept over all replicas and partly held back for what is near.

Zoom counts creates and updates of all meetings of one user, by days of UTC (Zoom: Meetings API, Create a meeting).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pymongo.errors import DuplicateKeyError

from convoke.clock import Clock
from convoke.mongo import REDELIVERABLE, Collection, Database, Document
from meeting_service.domain.body import Body, start_of
from meeting_service.domain.meeting import NEAR
from meeting_service.ports import Access, FoundMeeting, MeetingDetails, Refused, TokenRefused, Zoom
from meeting_service.zoom.errors import HostLimitReached, NotAsked, after_midnight, is_new_day

CHANGES_A_DAY = 100
RESERVE = 10
"""Changes of a day that only meetings which start within `NEAR` may use."""

KEPT_FOR = timedelta(days=2)

COUNTED_WITHIN = 1.0
"""Seconds; the time in doubt of an intent runs already, so what cannot be counted by then is not sent."""

_NOT_COUNTED = frozenset({"zoom_unavailable", "zoom_rate_limited"})
"""Refused before Zoom looked at what was asked. What it looked at may be counted, also where it said no."""


class DailyBudget:
    """The collection `budgets`: one document per Zoom user and day of UTC."""

    def __init__(self, database: Database, clock: Clock) -> None:
        # A count that is lost with a primary costs one refusal by Zoom, which then sets it right.
        self._budgets: Collection = database["budgets"].with_options(write_concern=REDELIVERABLE)
        self._clock = clock

    async def create_indexes(self) -> None:
        await self._budgets.create_index("expires_at", name="expiry", expireAfterSeconds=0)

    async def take(self, zoom_user_id: str, allowed: int) -> str | None:
        """Count one change; returns the id of the day it was counted for, None where `allowed` are used already."""
        now = self._clock()
        day = _day(zoom_user_id, now)
        count: Document = {"$inc": {"used": 1}, "$setOnInsert": {"expires_at": now + KEPT_FOR}}
        below = {"_id": day, "used": {"$lt": allowed}}
        try:
            await self._budgets.find_one_and_update(below, count, upsert=True)
        except DuplicateKeyError:  # used up, or another was first to count today
            return day if await self._budgets.find_one_and_update(below, count) else None
        return day

    async def give_back(self, day: str) -> None:
        """Take back one count, unless Zoom has said meanwhile that the day is used up."""
        await self._budgets.update_one({"_id": day, "is_full": None}, {"$inc": {"used": -1}})

    async def fill(self, day: str) -> None:
        """Note that Zoom accepts no more changes on this day, whatever was counted here."""
        await self._budgets.update_one({"_id": day}, {"$set": {"used": CHANGES_A_DAY, "is_full": True}})


@dataclass(frozen=True)
class WithinBudget:
    """The Zoom port, with every create and update counted first. Beyond the budget Zoom is not called."""

    zoom: Zoom
    budget: DailyBudget
    clock: Clock

    async def create(self, access: Access, body: Body) -> MeetingDetails:
        async with self._counted(access, body):
            return await self.zoom.create(access, body)

    async def update(self, access: Access, zoom_id: int, body: Body) -> None:
        async with self._counted(access, body):
            await self.zoom.update(access, zoom_id, body)

    async def delete(self, access: Access, zoom_id: int) -> None:
        await self.zoom.delete(access, zoom_id)

    async def get(self, access: Access, zoom_id: int) -> MeetingDetails:
        return await self.zoom.get(access, zoom_id)

    def scheduled(self, access: Access) -> AsyncIterator[FoundMeeting]:
        return self.zoom.scheduled(access)

    @asynccontextmanager
    async def _counted(self, access: Access, body: Body) -> AsyncIterator[None]:
        day = await self._take(access, body)
        try:
            yield
        except HostLimitReached:
            # Of a day that is new here only, it says nothing: filled, that day would be lost for this host.
            await (self.budget.give_back(day) if is_new_day(self.clock()) else self.budget.fill(day))
            raise
        except TokenRefused:  # counted for nobody: Zoom does not know whose it was
            await self.budget.give_back(day)
            raise
        except Refused as refusal:
            if refusal.code in _NOT_COUNTED:
                await self.budget.give_back(day)
            raise

    async def _take(self, access: Access, body: Body) -> str:
        allowed = allowed_for(body, self.clock())
        try:
            async with asyncio.timeout(COUNTED_WITHIN):
                day = await self.budget.take(access.zoom_user_id, allowed)
        except TimeoutError as error:
            raise NotAsked("zoom_unavailable", "The database is slow, so Zoom was not asked") from error
        if day is None:
            raise NotAsked("zoom_daily_limit", _used_up(allowed), after_midnight(self.clock()))
        return day


def allowed_for(body: Body, now: datetime) -> int:
    """Return how many changes of a host's day may be used before the one that this body makes."""
    return CHANGES_A_DAY if start_of(body) - now <= NEAR else CHANGES_A_DAY - RESERVE


def _used_up(allowed: int) -> str:
    if allowed == CHANGES_A_DAY:
        return f"All {CHANGES_A_DAY} changes that Zoom allows this host a day are used"
    return f"{allowed} changes are used today; Zoom allows this host {CHANGES_A_DAY}, the rest is for what starts soon"


def _day(zoom_user_id: str, now: datetime) -> str:
    return f"{zoom_user_id}/{now.astimezone(UTC):%Y-%m-%d}"
