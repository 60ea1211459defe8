"""Disconnecting Zoom: nobody gets a token from then on, and Zoom is told as far as it can be reached."""

import asyncio

from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.connections import Connection, ConnectionUnknown
from auth_service.mongo.connections import Connections
from auth_service.zoom import AppRefused, GrantRefused, Zoom, ZoomUnavailable
from convoke.messaging.outbox import Outbox
from convoke.vault import CannotDecrypt

log: BoundLogger = get_logger(__name__)

DRAIN_WITHIN = 2.0


class Disconnecting:
    """Ends connections for their owners."""

    def __init__(self, connections: Connections, zoom: Zoom, outbox: Outbox) -> None:
        self._connections = connections
        self._zoom = zoom
        self._outbox = outbox
        self._under_way: set[asyncio.Task[None]] = set()

    async def disconnect(self, organization_id: str, connection_id: str) -> None:
        """Erase a connection's tokens and say so; nothing more happens to one that is disconnected already.

        Raises ConnectionUnknown.
        """
        while True:
            connection = await self._connections.find(organization_id, connection_id)
            if connection is None:
                raise ConnectionUnknown
            if connection.status == "disconnected":
                return
            if document := await self._connections.disconnect(connection, "user"):
                break
        self._outbox.publish_soon(document)
        self._revoke_soon(connection)
        log.info("zoom.disconnected", connection=connection.id)

    async def drain(self) -> None:
        """Give what is still under way a last moment."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=DRAIN_WITHIN)

    def _revoke_soon(self, connection: Connection) -> None:
        task = asyncio.create_task(self._revoke(connection))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _revoke(self, connection: Connection) -> None:
        """Try once: without its tokens the connection is over here, and the owner can remove the app at Zoom."""
        try:
            await self._zoom.revoke(self._connections.access_token(connection))
        except (ZoomUnavailable, GrantRefused, AppRefused, CannotDecrypt) as error:
            log.warning("zoom.not_revoked", connection=connection.id, reason=type(error).__name__, detail=str(error))
