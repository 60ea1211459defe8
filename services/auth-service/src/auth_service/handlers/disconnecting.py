"""Disconnecting Zoom: nobody gets a token from then on; what is left to do at Zoom is due work (handlers.ending)."""

from collections.abc import Callable

from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.connections import Connection, ConnectionUnknown, ReauthorizationRequired
from auth_service.mongo.connections import Connections
from auth_service.mongo.documents import connection_of
from auth_service.mongo.endings import Endings
from convoke.messaging.outbox import Outbox
from convoke.mongo import Document

log: BoundLogger = get_logger(__name__)


class Disconnecting:
    """Ends connections for their owners. `nudge` makes whoever works on ends look at once."""

    def __init__(self, connections: Connections, endings: Endings, outbox: Outbox, nudge: Callable[[], None]) -> None:
        self._connections = connections
        self._endings = endings
        self._outbox = outbox
        self._nudge = nudge

    async def disconnect(self, organization_id: str, connection_id: str, by: str) -> None:
        """Erase a connection's tokens and say so; nothing more happens to one that is disconnected already.

        One whose future meetings are being deleted ends with what is left of them. Raises ConnectionUnknown.
        """
        while True:
            connection = await self._found(organization_id, connection_id)
            if connection.status == "disconnected":
                return
            if document := await self._connections.disconnect(connection, "user", by):
                break
        self._told(document)
        log.info("zoom.disconnected", connection=connection.id)

    async def delete_meetings_first(self, organization_id: str, connection_id: str, by: str) -> Connection:
        """Begin to delete the future meetings, after which the connection ends; returns it as it is now.

        No new meetings are made from then on. Raises ConnectionUnknown, and ReauthorizationRequired where nothing can
        be deleted any more.
        """
        while True:
            connection = await self._found(organization_id, connection_id)
            if connection.status == "reauthorization_required":
                raise ReauthorizationRequired
            if connection.status == "disconnected" or connection.is_being_left:
                return connection
            if document := await self._endings.begin(connection, by):
                break
        self._told(document)
        log.info("zoom.disconnecting", connection=connection.id)
        return connection_of(document)

    async def _found(self, organization_id: str, connection_id: str) -> Connection:
        connection = await self._connections.find(organization_id, connection_id)
        if connection is None:
            raise ConnectionUnknown
        return connection

    def _told(self, document: Document) -> None:
        self._outbox.publish_soon(document)
        self._nudge()
