"""The pace: the calls of one Zoom account are spaced, so that a burst does not run into what Zoom allows a second.

Zoom counts by account, whoever of its users and apps calls, and by the label of a call (Zoom: Rate limits).
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from convoke.clock import Clock
from meeting_service.domain.body import Body
from meeting_service.ports import EVER, Access, FoundMeeting, MeetingDetails, Refused, Zoom
from meeting_service.zoom.client import PAGE_SIZE
from meeting_service.zoom.errors import NotAsked

Label = Literal["light", "medium"]

FREE: Mapping[Label, int] = {"light": 4, "medium": 2}
PAID: Mapping[Label, int] = {"light": 30, "medium": 20}
"""Calls a second. A licensed user does not tell Pro from Business, which has more."""

OUR_SHARE = 0.5
"""Of that for this process: another replica, and whatever else calls for the same account, has the rest."""

TURN_WITHIN = timedelta(seconds=1)
"""The time in doubt of an intent runs already, so what is not sent by then comes back later."""

SLOWER, SLOWED_FOR = 2, timedelta(seconds=10)
"""What Zoom's own refusal does to the pace: more calls for the account than we know of."""


@dataclass
class Turns:
    """The calls of one label for one account, one after the other."""

    calls_a_second: int
    free_at: datetime = EVER
    last_back_at: datetime = EVER
    slow_until: datetime = EVER

    def take(self, calls: int, now: datetime) -> datetime:
        """Return when that many calls may be made. Raises NotAsked, each with a time of its own to come back at."""
        turn = max(now, self.free_at)
        lasts = self._spacing(now) * calls
        if turn - now > TURN_WITHIN:
            self.last_back_at = max(turn, self.last_back_at) + lasts
            raise NotAsked("zoom_paced", f"Zoom allows {self.calls_a_second} such calls a second", self.last_back_at)
        self.free_at = turn + lasts
        return turn

    def slow_down(self, now: datetime) -> None:
        self.slow_until = now + SLOWED_FOR

    def _spacing(self, now: datetime) -> timedelta:
        spacing = timedelta(milliseconds=math.ceil(1000 / (self.calls_a_second * OUR_SHARE)))
        return spacing * SLOWER if now < self.slow_until else spacing


@dataclass
class Paced:
    """The Zoom port, each call at its turn. Accounts do not wait for each other; who would wait long is refused.

    In memory: replicas do not ask each other, each has its share.
    """

    zoom: Zoom
    clock: Clock
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep
    _turns: dict[tuple[str, str, Label], Turns] = field(default_factory=dict)
    _looks_paid: set[int] = field(default_factory=set)

    async def create(self, access: Access, body: Body) -> MeetingDetails:
        await self._turn(access, "light")
        with self._slowing(access, "light"):
            return await self.zoom.create(access, body)

    async def update(self, access: Access, zoom_id: int, body: Body) -> None:
        # The look that follows has its turn in this one: refused, it would cost the host a second update.
        await self._turn(access, "light", calls=2)
        with self._slowing(access, "light"):
            await self.zoom.update(access, zoom_id, body)
        self._looks_paid.add(zoom_id)

    async def delete(self, access: Access, zoom_id: int) -> None:
        await self._turn(access, "light")
        with self._slowing(access, "light"):
            await self.zoom.delete(access, zoom_id)

    async def get(self, access: Access, zoom_id: int) -> MeetingDetails:
        if zoom_id in self._looks_paid:
            self._looks_paid.remove(zoom_id)
        else:
            await self._turn(access, "light")
        with self._slowing(access, "light"):
            return await self.zoom.get(access, zoom_id)

    async def scheduled(self, access: Access) -> AsyncIterator[FoundMeeting]:
        await self._turn(access, "medium")
        listed = 0
        with self._slowing(access, "medium"):
            async for meeting in self.zoom.scheduled(access):
                yield meeting
                listed += 1
                if listed % PAGE_SIZE == 0:  # the next page is a call of its own
                    await self._turn(access, "medium")

    async def _turn(self, access: Access, label: Label, calls: int = 1) -> None:
        now = self.clock()
        turn = self._turns_of(access, label).take(calls, now)
        if turn > now:
            await self.pause((turn - now).total_seconds())

    @contextmanager
    def _slowing(self, access: Access, label: Label) -> Iterator[None]:
        try:
            yield
        except Refused as refusal:
            if refusal.cause == "zoom_rate_limited":
                self._turns_of(access, label).slow_down(self.clock())
            raise

    def _turns_of(self, access: Access, label: Label) -> Turns:
        # A basic user may belong to a paid account: its calls are paced as in a free one, and slow nobody else's.
        plan, allowed = ("paid", PAID) if access.plan == "licensed" else ("free", FREE)
        account = access.zoom_account_id or access.connection_id
        return self._turns.setdefault((account, plan, label), Turns(allowed[label]))
