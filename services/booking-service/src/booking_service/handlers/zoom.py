"""Remember how the Zoom connections stand, so that event types can warn; an older revision changes nothing."""

from structlog.stdlib import BoundLogger, get_logger

from booking_service.domain.zoom import Problem, Status, ZoomConnection
from booking_service.mongo.zoom_connections import ZoomConnections
from convoke.contracts import ZoomConnected, ZoomDisconnected, ZoomSettingsChanged
from convoke.messaging.cloudevents import Event

log: BoundLogger = get_logger(__name__)

ZoomEvent = Event[ZoomConnected] | Event[ZoomDisconnected] | Event[ZoomSettingsChanged]

TOLD_OTHERWISE = "zoom_scope_missing"
"""Each event lists the scopes that are missing as they are now; what a check-up found may be a day old."""


class ZoomHandlers:
    def __init__(self, connections: ZoomConnections) -> None:
        self._connections = connections

    async def remember_connection(self, event: ZoomEvent) -> None:
        connection = connection_told_of(event)
        if not await self._connections.keep(connection):
            log.info("zoom_connection.known_already", connection=connection.id, revision=connection.revision)


def connection_told_of(event: ZoomEvent) -> ZoomConnection:
    """Return the connection of an event. The snapshot decides: an event told late or again has the newest one."""
    told = event.data.connection
    found = (finding for finding in told.findings or () if finding.severity == "error")
    return ZoomConnection(
        id=told.id,
        organization_id=event.organization_id,
        host_id=told.host_id,
        revision=told.revision,
        status=told.status or _status_after(event),
        is_enabled=_is_enabled(event),
        plan=told.plan,
        missing_scopes=told.missing_scopes,
        found=tuple(
            Problem(finding.code, finding.title, finding.detail, finding.next_step)
            for finding in found
            if finding.code != TOLD_OTHERWISE
        ),
    )


def _status_after(event: ZoomEvent) -> Status:
    """Return the status that an event from before snapshots had one speaks of."""
    if not isinstance(event.data, ZoomDisconnected):
        return "active"
    return "reauthorization_required" if event.data.reason == "reauthorization_required" else "disconnected"


def _is_enabled(event: ZoomEvent) -> bool:
    if event.data.connection.enabled_for_new_bookings is not None:
        return event.data.connection.enabled_for_new_bookings
    return event.data.enabled_for_new_bookings if isinstance(event.data, ZoomSettingsChanged) else True
