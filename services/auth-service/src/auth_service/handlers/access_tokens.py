"""Handing out access tokens: which connection, and never one that is about to expire."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from auth_service.domain.connections import (
    REFRESH_ON_DEMAND_BELOW,
    USABLE_ABOVE,
    Connection,
    Owner,
    ZoomNeverConnected,
    ZoomNotConnected,
)
from auth_service.mongo.connections import Connections
from auth_service.mongo.refreshes import Refreshes
from auth_service.mongo.sealed_tokens import SealedTokens
from convoke.clock import Clock, utc_now

WAIT_FOR_REFRESH = 10.0
"""Seconds until whoever asked is told to come back; the refresh itself goes on."""

LOOK_EVERY = 0.05
LEAVE_ZOOM_ALONE_FOR = timedelta(seconds=5)
"""After a failed refresh, so that a crowd that asks does not become a crowd at Zoom's door."""

SHORTEST_RETRY = 1.0


class RefreshPending(Exception):
    """The token must be renewed and Zoom does not answer; `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = max(retry_after, SHORTEST_RETRY)


class AccessTokens:
    """`nudge` makes whoever works on due connections look at once."""

    def __init__(
        self,
        connections: Connections,
        refreshes: Refreshes,
        tokens: SealedTokens,
        nudge: Callable[[], None],
        clock: Clock = utc_now,
    ) -> None:
        self._connections = connections
        self._refreshes = refreshes
        self._tokens = tokens
        self._nudge = nudge
        self._clock = clock

    async def to_make_meetings(self, organization_id: str, host_id: str | None, rejected: str | None) -> Connection:
        """Return the connection that makes a host's meetings, with an access token that is good now.

        The host's own wins, and where it is broken or paused the organization's does not step in. Its
        `connected_since` is when the first of both was made: since then the host counts on Zoom. Raises
        ZoomNotConnected, ReauthorizationRequired, ConnectionPaused or RefreshPending.
        """
        own = await self._connections.owned_by(Owner(organization_id, host_id)) if host_id else None
        shared = await self._connections.owned_by(Owner(organization_id))
        chosen = own if own and own.status != "disconnected" and not own.is_being_left else shared
        if chosen is None:
            raise ZoomNotConnected if own else ZoomNeverConnected
        chosen.check_may_make_meetings()
        usable = await self._with_good_token(chosen, rejected)
        return replace(usable, connected_since=min(one.connected_since for one in (own, shared) if one))

    async def of(self, organization_id: str, connection_id: str, rejected: str | None) -> Connection:
        """Return that connection, with an access token that is good now.

        Raises ZoomNotConnected, ReauthorizationRequired or RefreshPending.
        """
        connection = await self._connections.find(organization_id, connection_id)
        if connection is None:
            raise ZoomNotConnected
        connection.check_usable()
        return await self._with_good_token(connection, rejected)

    async def _with_good_token(self, connection: Connection, rejected: str | None) -> Connection:
        is_refused = rejected is not None and rejected == fingerprint(self._tokens.access_token(connection))
        is_rejected = is_refused or connection.deauthorized_at is not None
        left = connection.expires_at - self._clock()
        if is_rejected or left < REFRESH_ON_DEMAND_BELOW:
            return await self._refreshed(connection, may_use_old=not is_rejected)
        if connection.due_at and connection.due_at > connection.expires_at:
            await self._refreshes.keep_fresh(connection)
        return connection

    async def _refreshed(self, connection: Connection, *, may_use_old: bool) -> Connection:
        """Have the connection refreshed by whichever replica claims it, and wait for the result in its row."""
        latest = connection
        if not self._failed_just_now(connection):
            await self._refreshes.make_due(connection, self._clock())
            self._nudge()
            latest = await self._outcome(connection)
        latest.check_usable()
        is_new = latest.token_version != connection.token_version
        if is_new or (may_use_old and latest.expires_at - self._clock() > USABLE_ABOVE):
            return latest
        raise RefreshPending((latest.due_at - self._clock()).total_seconds() if latest.due_at else SHORTEST_RETRY)

    async def _outcome(self, connection: Connection) -> Connection:
        """Return the row once a refresh has changed it, or as it is after WAIT_FOR_REFRESH."""
        until, latest = time.monotonic() + WAIT_FOR_REFRESH, connection
        while time.monotonic() < until:
            await asyncio.sleep(LOOK_EVERY)
            found = await self._connections.find(connection.owner.organization_id, connection.id)
            if found is None:
                raise ZoomNotConnected
            latest = found
            if _state(latest) != _state(connection):
                break
        return latest

    def _failed_just_now(self, connection: Connection) -> bool:
        failed_at = connection.refresh_failed_at
        return failed_at is not None and self._clock() - failed_at < LEAVE_ZOOM_ALONE_FOR


def fingerprint(access_token: str) -> str:
    """Return how a token is spoken of: the first 16 hex characters of its SHA-256."""
    return hashlib.sha256(access_token.encode()).hexdigest()[:16]


def _state(connection: Connection) -> tuple[object, ...]:
    return connection.status, connection.token_version, connection.refresh_failures
