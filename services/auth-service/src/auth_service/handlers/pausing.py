"""Pausing Zoom: no new meeting is made with a connection, while those that exist are still moved and deleted."""

from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.connections import Connection, ConnectionUnknown
from auth_service.mongo.connections import Connections
from auth_service.mongo.documents import connection_of
from convoke.messaging.outbox import Outbox

log: BoundLogger = get_logger(__name__)


class Pausing:
    """Switches connections for their owners."""

    def __init__(self, connections: Connections, outbox: Outbox) -> None:
        self._connections = connections
        self._outbox = outbox

    async def switch(self, organization_id: str, connection_id: str, by: str, *, is_enabled: bool) -> Connection:
        """Switch a connection on or off for new bookings, and say so and by which client; one that is so already stays.

        Raises ConnectionUnknown, or ZoomNotConnected where there is nothing to switch.
        """
        while True:
            connection = await self._connections.find(organization_id, connection_id)
            if connection is None:
                raise ConnectionUnknown
            connection.check_connected()
            if connection.enabled_for_new_bookings == is_enabled:
                return connection
            if document := await self._connections.switch(connection, by, is_enabled=is_enabled):
                break
        self._outbox.publish_soon(document)
        log.info("zoom.resumed" if is_enabled else "zoom.paused", connection=connection_id)
        return connection_of(document)
