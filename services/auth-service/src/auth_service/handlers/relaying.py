"""Relaying Zoom's webhooks: whoever has a meeting that changed inside Zoom is told to look at it."""

from typing import Any

from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.webhooks import meeting_change_of
from auth_service.mongo.connections import Connections
from auth_service.mongo.webhooks import Webhooks
from convoke.messaging.outbox import Outbox

log: BoundLogger = get_logger(__name__)


class Relaying:
    """Takes webhooks whose signature was checked."""

    def __init__(self, webhooks: Webhooks, connections: Connections, outbox: Outbox) -> None:
        self._webhooks = webhooks
        self._connections = connections
        self._outbox = outbox

    async def relay(self, message: dict[str, Any]) -> None:
        """Store what a webhook reports, once; what concerns nobody here is only logged."""
        change = meeting_change_of(message)
        if change is None:
            log.info("zoom.webhook_ignored", kind=ascii(message.get("event"))[:64])
            return
        connections = await self._connections.concerned_by(change)
        document = await self._webhooks.add(change, connections) if connections else None
        if document:
            self._outbox.publish_soon(document)
        log.info("zoom.webhook_relayed" if document else "zoom.webhook_without_effect", change=change.change)
