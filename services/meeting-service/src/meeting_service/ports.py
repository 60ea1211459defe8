"""What the reconciler needs of the outside, each with its contract.

Errors are typed by what the caller has to do next; `meeting_service.reconcile` is the only one that decides.
"""

import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from convoke.contracts.meetings import FailureCode
from meeting_service.domain.at_zoom import Seen, WayIn
from meeting_service.domain.body import Body
from meeting_service.domain.connections import Connections
from meeting_service.domain.reasons import Cause, code_of

EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Access:
    """A Zoom access token, whose it is, and where to use it. Never stored, never logged.

    `connected_since` is when Zoom was first connected for whoever asked, whatever broke since. The account and the plan
    of its user decide how fast Zoom may be called; without them it is called as slowly as anybody.
    """

    connection_id: str
    zoom_user_id: str
    token: str
    api_url: str
    connected_since: datetime = EVER
    zoom_account_id: str = ""
    plan: str = "unknown"
    is_left: bool = False
    """Its owner is disconnecting, and has the future meetings deleted first."""
    connected_at: datetime | None = None
    """When its owner connected last, by auth-service's clock: what is made with it belongs to that connecting."""
    asked_at: float = math.inf
    """By the process's own monotonic clock: what was asked for before a disconnect is not used after it."""


@dataclass(frozen=True)
class FoundMeeting:
    """One meeting of a list answer; its agenda is cut to 250 characters."""

    id: int
    seen: Seen
    created_at: datetime | None


@dataclass(frozen=True)
class MeetingDetails:
    """A meeting as Zoom has it."""

    id: int
    way_in: WayIn
    seen: Seen


class Refused(Exception):
    """It is certain that nothing was changed, and why. `retry_at` is there where the refuser says when."""

    def __init__(self, cause: Cause, detail: str, retry_at: datetime | None = None) -> None:
        super().__init__(detail)
        self.cause = cause
        self.detail = detail
        self.retry_at = retry_at

    @property
    def code(self) -> FailureCode:
        return code_of(self.cause)


class InDoubt(Exception):
    """The request may have taken effect, now or later: no answer came, or one that says nothing (5xx)."""


class MeetingGone(Exception):
    """The meeting does not exist: Zoom answered 404 with code 3001, nothing less."""


class AnotherUser(Exception):
    """Another Zoom user is connected now than made a meeting, and can neither see nor change it."""


class TokenRefused(Exception):
    """Zoom does not accept the access token (401, code 124); a fresh one may be."""


class Zoom(Protocol):
    """Zoom's meetings of the user whose token is given. Every method may raise Refused and TokenRefused."""

    async def create(self, access: Access, body: Body) -> MeetingDetails:
        """Make a meeting and return it. Raises InDoubt."""

    async def update(self, access: Access, zoom_id: int, body: Body) -> None:
        """Set a meeting to the body. Raises InDoubt and MeetingGone. Safe to repeat."""

    async def delete(self, access: Access, zoom_id: int) -> None:
        """Delete a meeting. Raises InDoubt and MeetingGone. Safe to repeat."""

    async def get(self, access: Access, zoom_id: int) -> MeetingDetails:
        """Return a meeting. Raises InDoubt and MeetingGone."""

    def scheduled(self, access: Access) -> AsyncIterator[FoundMeeting]:
        """Yield all scheduled meetings of the user, page by page. Raises InDoubt."""


class AccessTokens(Protocol):
    """The tokens that auth-service keeps. Every method raises Refused when there is none to be had."""

    async def to_make(self, organization_id: str, host_id: str) -> Access:
        """Return access to make a meeting: the host's own connection, else the organization's."""

    async def to_change(self, organization_id: str, connection_id: str) -> Access:
        """Return access through the connection that a meeting was made with."""

    async def to_withdraw(self, organization_id: str, connection_id: str) -> Access:
        """Return what `to_change` does, as auth-service says now: the owner may have connected again just before."""

    async def replace_refused(self, organization_id: str, refused: Access) -> Access:
        """Return access after Zoom refused this token."""


class Connected(Protocol):
    """What auth-service knows of the connections to Zoom."""

    async def of(self, organization_id: str) -> Connections:
        """Return the connections of an organization and its hosts, also the broken ones. Raises Refused."""
