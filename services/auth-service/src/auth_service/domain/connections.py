"""A Zoom connection: whose it is, what state it is in, and when its tokens want renewing."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

Status = Literal["active", "reauthorization_required", "disconnected"]
Plan = Literal["basic", "licensed", "unassigned", "unknown"]
Severity = Literal["error", "warning", "notice"]
"""An error keeps meetings from being made, moved or deleted; a warning asks for a decision; a notice informs."""

REFRESH_AHEAD = timedelta(minutes=10)
REFRESH_JITTER = timedelta(minutes=5)
IDLE_REFRESH_EVERY = timedelta(days=6)
"""With its jitter at most a week: Zoom ends a refresh token that was not used for 90 days (zoom.md 1.2)."""

REFRESH_ON_DEMAND_BELOW = timedelta(minutes=2)
USABLE_ABOVE = timedelta(seconds=30)
"""An access token with less left may expire under the call it is used for."""

FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=5)


class ZoomNotConnected(Exception):
    """Neither the host nor the organization has a connection, or the one asked for is gone."""


class ZoomNeverConnected(ZoomNotConnected):
    """Neither the host nor the organization ever had a connection."""


class ReauthorizationRequired(Exception):
    """Zoom no longer accepts this connection; only its owner can mend that, by connecting again."""


class ConnectionUnknown(Exception):
    """The organization has no connection of that id."""


class ConnectionPaused(Exception):
    """The owner wants no new meetings; those that exist go on."""


@dataclass(frozen=True)
class Owner:
    """An organization, or one of its hosts."""

    organization_id: str
    host_id: str | None = None


@dataclass(frozen=True)
class ZoomUser:
    id: str
    account_id: str
    email: str
    plan: Plan


@dataclass(frozen=True)
class Finding:
    """One thing to know about a connection, in words for its owner."""

    code: str
    severity: Severity
    title: str
    detail: str
    next_step: str


@dataclass(frozen=True)
class Tokens:
    """What Zoom's token endpoint gave; `expires_at` is by our clock. A refresh token works once."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: datetime
    scopes: tuple[str, ...]
    api_url: str


@dataclass(frozen=True)
class Ending:
    """What an end still has to do at Zoom: first have the future meetings deleted, if that was asked, then revoke.

    `asked` is how many meetings were to be deleted, `left` how many still are; None before meeting-service has said so.
    `refresh_began` tells that Zoom was asked to replace the pair that is to be revoked, and no answer is stored yet.
    """

    stage: Literal["deleting", "revoking"]
    by: str
    began_at: datetime
    until: datetime
    failures: int = 0
    asked: int | None = None
    left: int | None = None
    refresh_began: bool = False


@dataclass(frozen=True)
class Event:
    """One line of a connection's history: when, what, by whom (an API client's id, `zoom` or `erasure`), why."""

    at: datetime
    what: str
    by: str
    detail: str = ""


@dataclass(frozen=True)
class Connection:
    """A stored connection.

    `token_version` grows with every pair of tokens; both are sealed for their version, by the connection's data key.
    `connected_at` is when its owner connected last, `connected_since` when for the first time. `found` is what the
    check-up at `checked_at` found; None in a row from before there were check-ups, until its first one.
    """

    id: str
    revision: int
    owner: Owner
    status: Status
    user: ZoomUser
    scopes: tuple[str, ...]
    api_url: str
    enabled_for_new_bookings: bool
    connected_at: datetime
    connected_since: datetime
    token_version: int
    sealed_data_key: str = field(repr=False)
    sealed_access_token: str = field(repr=False)
    sealed_refresh_token: str = field(repr=False)
    expires_at: datetime
    due_at: datetime | None
    refresh_failures: int
    refresh_failed_at: datetime | None
    checked_at: datetime | None = None
    found: tuple[Finding, ...] | None = None
    deauthorized_at: datetime | None = None
    """When Zoom reported that its user has removed the app; to be asked before it is believed."""
    ending: Ending | None = None
    history: tuple[Event, ...] = ()

    @property
    def is_being_left(self) -> bool:
        """Tell whether its future meetings are being deleted before it ends: it makes no new ones."""
        return self.status == "active" and self.ending is not None and self.ending.stage == "deleting"

    @property
    def may_make_meetings(self) -> bool:
        return self.status == "active" and self.enabled_for_new_bookings and not self.is_being_left

    def check_connected(self) -> None:
        """Raise ZoomNotConnected where the connection was ended."""
        if self.status == "disconnected":
            raise ZoomNotConnected

    def check_usable(self) -> None:
        """Raise ZoomNotConnected or ReauthorizationRequired unless the connection is active."""
        self.check_connected()
        if self.status == "reauthorization_required":
            raise ReauthorizationRequired

    def check_may_make_meetings(self) -> None:
        """Raise what check_usable raises, or ConnectionPaused."""
        self.check_usable()
        if self.is_being_left:
            raise ZoomNotConnected
        if not self.enabled_for_new_bookings:
            raise ConnectionPaused


def ahead_of(expires_at: datetime) -> datetime:
    """Return when to renew an access token that is in use, spread so that a burst of connects does not return."""
    return expires_at - REFRESH_AHEAD - random.random() * REFRESH_JITTER  # noqa: S311 - no secret


def while_idle(now: datetime) -> datetime:
    """Return when to renew the tokens of a connection that nobody uses meanwhile."""
    return now + IDLE_REFRESH_EVERY + random.random() * timedelta(days=1)  # noqa: S311 - no secret


def retry_at(now: datetime, failures: int) -> datetime:
    """Return when to ask Zoom again after so many failures in a row."""
    pause: timedelta = min(FIRST_RETRY * 2 ** min(failures - 1, 10), LONGEST_RETRY)
    return now + pause * (0.75 + random.random() / 2)  # noqa: S311 - no secret
