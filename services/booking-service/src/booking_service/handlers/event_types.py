"""Event types, each with what keeps its bookings from their Zoom meetings."""

from collections.abc import Callable

from booking_service.domain.answers import Answer, Request
from booking_service.domain.catalog import EventType, Host
from booking_service.domain.refusals import EventTypeNotFound, ZoomNotConnected
from booking_service.domain.zoom import Shown, ZoomStanding
from booking_service.mongo.catalog import Catalog
from booking_service.mongo.paging import Page
from booking_service.mongo.zoom_connections import ZoomConnections
from convoke.clock import Clock


class EventTypes:
    """The event types of all organizations. Every refusal is one of booking_service.domain.refusals."""

    def __init__(
        self, event_types: Catalog[EventType], hosts: Catalog[Host], connections: ZoomConnections, clock: Clock
    ) -> None:
        self._event_types = event_types
        self._hosts = hosts
        self._connections = connections
        self._clock = clock

    async def add(
        self,
        event_type: EventType,
        request: Request,
        answer_for: Callable[[Shown], Answer],
        *,
        require_connection: bool = False,
    ) -> Answer:
        """Store an event type, or return the first answer where the same request came before.

        Raises what Catalog.add raises; with `require_connection` also ZoomNotConnected, where it uses Zoom and no host
        would get a link.
        """
        standing = await self._standing(request.organization_id)
        problem = standing.nobody_gets_links(event_type) if require_connection else None
        if problem and (first := await self._event_types.answers.first(request)):
            return first
        if problem:
            raise ZoomNotConnected(problem.title)
        answer = answer_for(Shown(event_type, standing.warnings(event_type)))
        return await self._event_types.add(event_type, request, answer, self._clock())

    async def get(self, organization_id: str, event_type_id: str) -> Shown:
        """Return one event type. Raises EventTypeNotFound."""
        event_type = await self._event_types.get(organization_id, event_type_id)
        if event_type is None:
            raise EventTypeNotFound("this organization has no event type with this id")
        standing = await self._standing(organization_id)
        return Shown(event_type, standing.warnings(event_type))

    async def page(self, organization_id: str, *, limit: int, cursor: str | None) -> Page[Shown]:
        found = await self._event_types.page(organization_id, limit=limit, cursor=cursor)
        standing = await self._standing(organization_id)
        shown = [Shown(event_type, standing.warnings(event_type)) for event_type in found.items]
        return Page(shown, found.next_cursor)

    async def _standing(self, organization_id: str) -> ZoomStanding:
        connections = await self._connections.of(organization_id)
        # Without a connection of one host alone all hosts stand alike, however many there are.
        is_alike = all(connection.host_id is None for connection in connections)
        return ZoomStanding(connections, () if is_alike else await self._hosts.ids(organization_id))
