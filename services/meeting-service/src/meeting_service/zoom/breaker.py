"""The breaker: while Zoom is down it is not called, but for one probe at a time over all replicas."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import uniform

from structlog.stdlib import BoundLogger, get_logger

from convoke.clock import Clock
from convoke.mongo import DATABASE_AWAY
from meeting_service.domain.body import Body
from meeting_service.ports import (
    Access,
    FoundMeeting,
    InDoubt,
    MeetingDetails,
    MeetingGone,
    Refused,
    TokenRefused,
    Zoom,
)
from meeting_service.zoom.errors import NotAsked, NotReached
from meeting_service.zoom.outages import Outages

log: BoundLogger = get_logger(__name__)

IN_DOUBT_IN_A_ROW = 3
"""Meetings of which Zoom said nothing before it counts as down; of one alone, the meeting may be the reason."""

LOOKED_UP_WITHIN = 0.5
"""Seconds; the time in doubt of an intent runs already, so what cannot be looked up by then is not sent."""

BACK_AFTER = timedelta(minutes=1)
"""After the next probe, what was refused comes back by itself, spread over this; the end of an outage hastens it."""


@dataclass
class BehindBreaker:
    """The Zoom port, refusing at once while Zoom is down. While it is up, the database is not asked.

    `last_access` is the access that came with the last call to each address, to probe with.
    """

    zoom: Zoom
    outages: Outages
    clock: Clock
    last_access: dict[str, Access] = field(default_factory=dict)
    _in_doubt: dict[str, set[str]] = field(default_factory=dict)
    _down: set[str] = field(default_factory=set)

    async def create(self, access: Access, body: Body) -> MeetingDetails:
        async with self._guarded(access, body["agenda"]):
            return await self.zoom.create(access, body)

    async def update(self, access: Access, zoom_id: int, body: Body) -> None:
        async with self._guarded(access, str(zoom_id)):
            await self.zoom.update(access, zoom_id, body)

    async def delete(self, access: Access, zoom_id: int) -> None:
        async with self._guarded(access, str(zoom_id)):
            await self.zoom.delete(access, zoom_id)

    async def get(self, access: Access, zoom_id: int) -> MeetingDetails:
        async with self._guarded(access, str(zoom_id)):
            return await self.zoom.get(access, zoom_id)

    async def scheduled(self, access: Access) -> AsyncIterator[FoundMeeting]:
        async with self._guarded(access, f"the list of {access.zoom_user_id}"):
            async for meeting in self.zoom.scheduled(access):
                yield meeting

    def forget(self, connection_id: str) -> None:
        """Keep no token of a connection that was ended: nobody may probe with it."""
        kept = {api_url: one for api_url, one in self.last_access.items() if one.connection_id != connection_id}
        self.last_access.clear()
        self.last_access.update(kept)

    @asynccontextmanager
    async def _guarded(self, access: Access, about: str) -> AsyncIterator[None]:
        api_url = access.api_url
        self.last_access[api_url] = access
        await self._refuse_while_down(api_url)
        try:
            yield
        except NotReached:
            await self._goes_down(api_url)
            raise
        except InDoubt:
            await self._leaves_in_doubt(api_url, about)
            raise
        except NotAsked:
            raise
        except (Refused, TokenRefused, MeetingGone):
            self._in_doubt.pop(api_url, None)
            raise
        else:
            self._in_doubt.pop(api_url, None)

    async def _refuse_while_down(self, api_url: str) -> None:
        if api_url not in self._down:
            return
        try:
            async with asyncio.timeout(LOOKED_UP_WITHIN):
                probe_at = await self.outages.next_probe(api_url)
        except TimeoutError as error:
            raise NotAsked("zoom_unavailable", "The database is slow, so Zoom was not asked") from error
        if probe_at:
            raise NotAsked("zoom_unavailable", "Zoom is down, as other calls have shown", self._back_at(probe_at))
        self._down.discard(api_url)  # another replica's probe was answered

    def _back_at(self, probe_at: datetime) -> datetime:
        return max(probe_at, self.clock()) + BACK_AFTER * uniform(0, 1)  # noqa: S311 - keeps no secret

    async def _leaves_in_doubt(self, api_url: str, about: str) -> None:
        in_doubt = self._in_doubt.setdefault(api_url, set())
        in_doubt.add(about)
        if len(in_doubt) >= IN_DOUBT_IN_A_ROW:
            await self._goes_down(api_url)

    async def _goes_down(self, api_url: str) -> None:
        """Open for all replicas; what cannot be noted now will be after the next failure."""
        with contextlib.suppress(TimeoutError, *DATABASE_AWAY):
            async with asyncio.timeout(LOOKED_UP_WITHIN):
                is_news = await self.outages.begin(api_url, self.clock())
            self._down.add(api_url)
            self._in_doubt.pop(api_url, None)
            if is_news:
                log.warning("zoom.outage_began", api_url=api_url)
