"""Renewing a connection's tokens: due work, so that one replica at a time asks Zoom for one connection.

Zoom's refresh tokens rotate and work once. So a refresh that has begun is never cut short: it outlives the
cancellation of whoever waits for it, and its result is saved for as long as the database takes to come back.
"""

import asyncio
import time
from datetime import timedelta

from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.connections import Connection, Tokens
from auth_service.mongo.connections import Connections
from auth_service.mongo.documents import connection_of
from auth_service.mongo.refreshes import Refreshes
from auth_service.mongo.sealed_tokens import SealedTokens
from auth_service.zoom import AppRefused, GrantRefused, Zoom, ZoomUnavailable
from convoke.due_work import Claim
from convoke.messaging.outbox import Outbox
from convoke.mongo import DATABASE_AWAY, Document

log: BoundLogger = get_logger(__name__)

LEASE = timedelta(seconds=60)
"""Longer than a whole call to Zoom and the writes around it."""

SAVE_FOR = 300.0
"""Seconds for which new tokens are tried to be saved while the database is away."""

LONGEST_PAUSE = 2.0
DRAIN_WITHIN = 1.0


class Refreshing:
    """Works on connections that are due."""

    def __init__(
        self, refreshes: Refreshes, connections: Connections, tokens: SealedTokens, zoom: Zoom, outbox: Outbox
    ) -> None:
        self._refreshes = refreshes
        self._connections = connections
        self._tokens = tokens
        self._zoom = zoom
        self._outbox = outbox
        self._under_way: set[asyncio.Task[None]] = set()

    async def refresh(self, claim: Claim) -> None:
        """Renew the tokens of a claimed connection, or store why not and when again."""
        task = asyncio.create_task(self._refresh(claim))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        await asyncio.shield(task)

    async def drain(self) -> None:
        """Give what is still under way a last moment."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=DRAIN_WITHIN)

    async def _refresh(self, claim: Claim) -> None:
        connection = connection_of(claim.document)
        refresh_token = self._tokens.refresh_token(connection)
        if not await self._refreshes.start_refresh(claim):
            return
        _warn_of_lost_answer(claim.document)
        try:
            tokens = await self._zoom.refresh(refresh_token)
        except GrantRefused:
            await self._give_up(connection)
        except (ZoomUnavailable, AppRefused) as error:
            await self._put_off(claim, connection, error)
        else:
            await self._save(connection, tokens)

    async def _save(self, connection: Connection, tokens: Tokens) -> None:
        """Save, again and again while the database is away: these tokens exist nowhere else."""
        pause, until = 0.1, time.monotonic() + SAVE_FOR
        while True:
            try:
                saved = await self._refreshes.save_refreshed(connection, tokens)
            except DATABASE_AWAY as error:
                log.warning("zoom.tokens_not_saved_yet", connection=connection.id, error=type(error).__name__)
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                break
        if saved:
            self._outbox.publish_soon(saved)
            await self._ask_again_if_reported(connection, connection_of(saved))
        log.info("zoom.tokens_refreshed" if saved else "zoom.tokens_superseded", connection=connection.id)

    async def _give_up(self, connection: Connection) -> None:
        """Zoom refused the token that we read; the compare-and-set reads the row again before it is called dead."""
        if given_up := await self._refreshes.give_up(connection):
            self._outbox.publish_soon(given_up)
            log.warning("zoom.reauthorization_required", connection=connection.id)
            return
        latest = await self._connections.find(connection.owner.organization_id, connection.id)
        if latest and latest.deauthorized_at and latest.token_version == connection.token_version:
            await self._end_as_reported(latest)

    async def _end_as_reported(self, connection: Connection) -> None:
        """Zoom has reported that its user has removed the app, and does not take the tokens any more."""
        if ended := await self._connections.disconnect(connection, "deauthorized", "zoom"):
            self._outbox.publish_soon(ended)
            log.info("zoom.deauthorized", connection=connection.id)

    async def _ask_again_if_reported(self, before: Connection, now: Connection) -> None:
        """Ask once more where a removal was reported meanwhile; else it was a report of an earlier authorization."""
        if now.deauthorized_at:
            await self._refreshes.make_due(now, now.deauthorized_at)
        elif before.deauthorized_at:
            log.info("zoom.deauthorization_not_confirmed", connection=now.id)

    async def _put_off(self, claim: Claim, connection: Connection, error: Exception) -> None:
        again_at = await self._refreshes.put_off(claim, connection)
        # What Zoom has against the app is for an operator to mend; no connection is given up for it.
        tell = log.error if isinstance(error, AppRefused) else log.warning
        tell("zoom.refresh_failed", connection=connection.id, error=str(error), retry_at=again_at.isoformat())


def _warn_of_lost_answer(document: Document) -> None:
    if document["refresh"]["started_at"]:
        log.warning("zoom.refresh_repeated", connection=document["_id"], failures=document["refresh"]["failures"])
