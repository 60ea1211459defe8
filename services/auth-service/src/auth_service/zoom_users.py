"""What Zoom tells of a connected user: users/me, its settings, and whether it may schedule. Nothing is changed there.

Errors, by what the caller does next:
    ZoomUnavailable  no certain answer: look again later
    TokenRefused     Zoom does not accept the access token (401, code 124): a fresh one may be
"""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from auth_service.domain.connections import ZoomUser
from auth_service.domain.findings import Account
from auth_service.zoom import INVALID_TOKEN, LARGEST_ANSWER, PLANS, ZoomUnavailable, certain_answers

SCOPE_MISSING = frozenset({4700, 4711})
USER_DOES_NOT_EXIST = 1001
SCHEDULING_NOT_ALLOWED = 3161
"""Zoom's codes (zoom.md 2.3)."""

Token = Callable[[], Awaitable[str]]
"""Gives the access token for the next call, or raises what ends the check-up: it may have ended meanwhile."""


class TokenRefused(Exception):
    """Zoom does not accept the access token."""


class _SchedulingNotAllowed(Exception):
    """Zoom does not let this user host meetings."""


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _User(_Read):
    """The fields of users/me that we keep (zoom.md 2.2)."""

    id: str = Field(min_length=1)
    account_id: str = ""
    email: str = ""
    type: int | None = None
    status: str = Field(default="", max_length=40)

    @field_validator("email", "account_id", "status", mode="before")
    @classmethod
    def _absent(cls, value: Any) -> Any:
        return "" if value is None else value


class _Schedule(_Read):
    require_password_for_scheduling_new_meetings: bool | None = None
    embed_password_in_join_link: bool | None = None


class _InMeeting(_Read):
    waiting_room: bool | None = None


class _Settings(_Read):
    """The few of users/me/settings that concern a meeting which is made through the API (Zoom: Get user settings)."""

    schedule_meeting: _Schedule = _Schedule()
    in_meeting: _InMeeting = _InMeeting()


class _Nothing(_Read):
    """An answer of which only the status matters."""


class ZoomUsers:
    """Reads one user after the other, each with the user's own token."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def account(self, api_url: str, token: Token) -> Account:
        """Return what Zoom tells of the token's user; what it keeps back for want of a permission is None.

        Raises ZoomUnavailable, TokenRefused, or what `token` raises.
        """
        user = await self._read(_User, f"{api_url}/v2/users/me", token)
        settings = await self._read(_Settings, f"{api_url}/v2/users/me/settings", token) or _Settings()
        return Account(
            user=user and ZoomUser(user.id, user.account_id, user.email, PLANS.get(user.type or 0, "unknown")),
            status=user and user.status,
            may_schedule=await self._may_schedule(api_url, token),
            waiting_room=settings.in_meeting.waiting_room,
            asks_for_passcode=settings.schedule_meeting.require_password_for_scheduling_new_meetings,
            passcode_in_link=settings.schedule_meeting.embed_password_in_join_link,
        )

    async def _may_schedule(self, api_url: str, token: Token) -> bool | None:
        """List one meeting: only so does Zoom say that a user may not schedule, by refusing the list (3161)."""
        try:
            found = await self._read(_Nothing, f"{api_url}/v2/users/me/meetings?page_size=1", token)
        except _SchedulingNotAllowed:
            return False
        return True if found else None

    async def _read(self, model: type[Any], url: str, token: Token) -> Any:
        """Return the answer, or None where the permission is missing."""
        headers = {"Authorization": f"Bearer {await token()}"}
        async with certain_answers():
            answer = await self._http.get(url, headers=headers)
        if answer.status_code != httpx.codes.OK:
            return _refused(answer)
        try:
            return model.model_validate_json(answer.content[:LARGEST_ANSWER])
        except ValidationError:
            raise ZoomUnavailable(f"{httpx.URL(url).path} gave an answer that cannot be read") from None


def _refused(answer: httpx.Response) -> None:
    """Return where a permission is missing; else raise what the refusal means."""
    code, message = _error(answer)
    if code in SCOPE_MISSING and "scopes" in message:
        return
    if code == SCHEDULING_NOT_ALLOWED:
        raise _SchedulingNotAllowed
    if answer.status_code == httpx.codes.UNAUTHORIZED or code in {INVALID_TOKEN, USER_DOES_NOT_EXIST}:
        raise TokenRefused(f"{answer.status_code} {code}")
    raise ZoomUnavailable(f"{answer.url.path} answered {answer.status_code}")


def _error(answer: httpx.Response) -> tuple[int, str]:
    try:
        body = answer.json()
        return int(body["code"]), str(body["message"])
    except (ValueError, KeyError, TypeError):
        return 0, ""
