"""Acting on Zoom's webhooks: who has a meeting that changed is told, and who is said to have gone is asked about."""

from collections.abc import Callable
from typing import Any, Literal

from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.webhooks import Removal, meeting_change_of, removal_of
from auth_service.mongo.connections import Connections
from auth_service.mongo.webhooks import Webhooks
from convoke.clock import Clock, utc_now
from convoke.messaging.outbox import Outbox

log: BoundLogger = get_logger(__name__)

Outcome = Literal["taken", "repeated", "without_effect", "ignored"]


class Relaying:
    """Takes webhooks whose signature was checked. `nudge` makes whoever asks Zoom look at once."""

    def __init__(
        self,
        webhooks: Webhooks,
        connections: Connections,
        changes: Outbox,
        disconnections: Outbox,
        nudge: Callable[[], None],
        *,
        client_id: str,
        clock: Clock = utc_now,
    ) -> None:
        self._webhooks = webhooks
        self._connections = connections
        self._changes = changes
        self._disconnections = disconnections
        self._nudge = nudge
        self._client_id = client_id
        self._clock = clock

    async def relay(self, message: dict[str, Any]) -> Outcome:
        """Store what a webhook reports, once; returns what became of it."""
        if removal := removal_of(message):
            return await self._report(removal)
        change = meeting_change_of(message)
        if change is None:
            log.info("zoom.webhook_ignored", kind=ascii(message.get("event"))[:64])
            return "ignored"
        connections = await self._connections.concerned_by(change)
        if not connections:
            return "without_effect"
        document = await self._webhooks.add(change, connections)
        if document:
            self._changes.publish_soon(document)
            log.info("zoom.webhook_relayed", change=change.change)
        return "taken" if document else "repeated"

    async def _report(self, removal: Removal) -> Outcome:
        """Have Zoom asked whether it is so: the report may be of an earlier authorization than the one that is kept.

        What is stored in the connections comes first, and may be stored twice: a copy that follows a crash finishes it.
        """
        if removal.client_id != self._client_id:
            log.warning("zoom.webhook_of_another_app")
            return "ignored"
        if await self._webhooks.is_known(removal.digest):
            return "repeated"
        already_refused = await self._connections.report_removal(removal.zoom_user_id, self._clock())
        self._nudge()
        for refused in already_refused:
            if document := await self._connections.disconnect(refused, "deauthorized", "zoom"):
                self._disconnections.publish_soon(document)
        await self._webhooks.add_removal(removal)
        log.info("zoom.deauthorization_reported")
        return "taken"
