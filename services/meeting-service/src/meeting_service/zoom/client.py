"""The Zoom port over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx

from convoke.clock import Clock, utc_now
from meeting_service.domain.body import Body
from meeting_service.ports import Access, FoundMeeting, InDoubt, MeetingDetails
from meeting_service.zoom.answers import UnusableAnswer, meeting_details, page_of_meetings
from meeting_service.zoom.errors import NotReached, error_of

WITHIN = 10.0
"""Seconds for a whole call. httpx's own time-outs are for each phase and each chunk, and bound no call."""

PHASES = httpx.Timeout(WITHIN, connect=3.0, pool=5.0)

LARGEST_ANSWER = 2_000_000
JOIN_HOSTS = frozenset({"zoom.us", "zoomgov.com", "zoom.com"})
PAGE_SIZE = 300

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class ZoomMeetings:
    """Meetings of the user that a token belongs to (`me`: user-managed apps must use it).

    `check` raises NotAsked where a token is not to be used any more; it is asked right before each call.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        clock: Clock = utc_now,
        within: float = WITHIN,
        check: Callable[[Access], None] = lambda _: None,
    ) -> None:
        self._http = http
        self._check = check
        self._clock = clock
        self._within = within

    async def create(self, access: Access, body: Body) -> MeetingDetails:
        # Without this the account's "require a passcode" would refuse a meeting for which none is given.
        answer = await self._call(access, "POST", "/users/me/meetings", {**body, "default_password": True})
        return _usable_or_in_doubt(answer)

    async def update(self, access: Access, zoom_id: int, body: Body) -> None:
        await self._call(access, "PATCH", f"/meetings/{zoom_id}", body)

    async def delete(self, access: Access, zoom_id: int) -> None:
        await self._call(access, "DELETE", f"/meetings/{zoom_id}?schedule_for_reminder=false")

    async def get(self, access: Access, zoom_id: int) -> MeetingDetails:
        return _usable_or_in_doubt(await self._call(access, "GET", f"/meetings/{zoom_id}"))

    async def scheduled(self, access: Access) -> AsyncIterator[FoundMeeting]:
        page_token: str | None = ""
        while page_token is not None:
            query = httpx.QueryParams(type="scheduled", page_size=PAGE_SIZE, next_page_token=page_token)
            answer = await self._call(access, "GET", f"/users/me/meetings?{query}")
            try:
                meetings, page_token = page_of_meetings(answer)
            except UnusableAnswer as error:
                raise InDoubt(str(error)) from error
            for meeting in meetings:
                yield meeting

    async def _call(self, access: Access, method: str, path: str, body: Body | None = None) -> Any:
        """Return the parsed answer, None where it is empty. Raises what `zoom.errors` says an answer means."""
        self._check(access)
        try:
            async with asyncio.timeout(self._within):
                answer = await self._http.request(
                    method,
                    f"{access.api_url}/v2{path}",
                    json=body,
                    headers={"Authorization": f"Bearer {access.token}", "Accept": "application/json"},
                    timeout=PHASES,
                    follow_redirects=False,
                )
        except _NEVER_SENT as error:
            raise NotReached("zoom_unavailable", f"Zoom cannot be reached ({type(error).__name__})") from error
        except (TimeoutError, httpx.HTTPError) as error:
            raise InDoubt(f"no answer from Zoom ({type(error).__name__})") from error
        if answer.is_success:
            return _parsed(answer)
        raise error_of(answer.status_code, _parsed(answer), self._clock())


def _parsed(answer: httpx.Response) -> Any:
    """Deletes and updates answer with nothing; error bodies have been XML or broken JSON in practice."""
    if not answer.content or len(answer.content) > LARGEST_ANSWER:
        return None
    try:
        return answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None


def _usable_or_in_doubt(answer: Any) -> MeetingDetails:
    try:
        return meeting_details(answer, JOIN_HOSTS)
    except UnusableAnswer as error:
        raise InDoubt(str(error)) from error
