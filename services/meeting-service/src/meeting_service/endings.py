"""What the end of a connection would mean, told before it is decided; and deleting its future meetings first."""

from collections.abc import Callable
from datetime import datetime

from convoke.clock import Clock
from convoke.mongo import Document
from meeting_service.domain.connections import Connection, Connections
from meeting_service.domain.endings import Consequences, Owed, owed_through
from meeting_service.domain.marker import MarkerKey
from meeting_service.mongo.meetings import Meetings
from meeting_service.ports import Connected


class ConnectionUnknown(Exception):
    """The organization has no connection of that id."""


class Endings:
    """Works for one connection at a time. `wake` makes the worker look at once."""

    def __init__(
        self, meetings: Meetings, connected: Connected, marker_key: MarkerKey, clock: Clock, wake: Callable[[], None]
    ) -> None:
        self._meetings = meetings
        self._wake = wake
        self._connected = connected
        self._marker_key = marker_key
        self._clock = clock

    async def consequences(self, organization_id: str, connection_id: str) -> Consequences:
        """Return what is at Zoom through a connection, and what waits for it.

        Raises ConnectionUnknown, and Refused where auth-service does not answer.
        """
        connections, now = await self._connected.of(organization_id), self._clock()
        connection = _found(connections, connection_id)
        future = _future(organization_id, connection, now) | {"session.status": "scheduled"}
        owed = Owed()
        async for document in self._meetings.collection.find(
            {"organization_id": organization_id, "due_at": {"$ne": None}}
        ):
            state = self._meetings.read(document)
            owed += owed_through(connection_id, state, connections, self._marker_key, now)
        return Consequences(await self._meetings.collection.count_documents(future), owed)

    async def withdraw(self, organization_id: str, connection_id: str) -> int:
        """Have the future meetings of a connection deleted whose owner leaves it; returns how many are still there.

        To be asked again until there are none: a create in doubt may bring one to light. What was owed to be deleted
        anyway counts too. What has begun stays. Raises what `consequences` raises.
        """
        connections, now = await self._connected.of(organization_id), self._clock()
        connection, collection = _found(connections, connection_id), self._meetings.collection
        future = _future(organization_id, connection, now)
        not_asked_yet = {"$expr": {"$ne": ["$leaving", "$meeting.id"]}}
        asked = {"leaving": "$meeting.id", "due_at": now, "retry_at": None, "wakes": {"$add": ["$wakes", 1]}}
        if (await collection.update_many(future | not_asked_yet, [{"$set": asked}])).modified_count:
            self._wake()
        its_own = {"connection_id": connection.id, "zoom_user_id": connection.zoom_user_id}
        begun = {"organization_id": organization_id, **{f"intent.{name}": value for name, value in its_own.items()}}
        doomed = {"organization_id": organization_id, "condemned": {"$elemMatch": its_own}}
        return sum([await collection.count_documents(which) for which in (future, begun, doomed)])


def _found(connections: Connections, connection_id: str) -> Connection:
    connection = connections.find(connection_id)
    if connection is None:
        raise ConnectionUnknown
    return connection


def _future(organization_id: str, connection: Connection, now: datetime) -> Document:
    """Return what finds the meetings of whoever is connected that have not begun."""
    made = {"meeting.connection_id": connection.id, "meeting.zoom_user_id": connection.zoom_user_id}
    # By the end as well: the index of a Zoom user's meetings is by that.
    ahead = {"session.ends_at": {"$gt": now}, "session.starts_at": {"$gt": now}}
    return {"organization_id": organization_id, **made, **ahead}
