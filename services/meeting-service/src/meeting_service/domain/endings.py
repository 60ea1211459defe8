"""What the end of a connection, or another Zoom user on it, would mean for the meetings that are made through it."""

from dataclasses import dataclass, replace
from datetime import datetime

from meeting_service.domain.connections import Connections
from meeting_service.domain.marker import MarkerKey
from meeting_service.domain.meeting import SessionMeeting
from meeting_service.domain.repairs import within_reach
from meeting_service.domain.steps import Create, Update, Withdraw, next_step


@dataclass(frozen=True)
class Owed:
    """How many sessions wait for Zoom to have something made, changed or deleted."""

    creates: int = 0
    updates: int = 0
    deletes: int = 0

    def __add__(self, other: "Owed") -> "Owed":
        return Owed(self.creates + other.creates, self.updates + other.updates, self.deletes + other.deletes)


@dataclass(frozen=True)
class Consequences:
    """`future_meetings` are those at Zoom, made through the connection, that have not begun."""

    future_meetings: int
    owed: Owed


def owed_through(
    connection_id: str, state: SessionMeeting, connections: Connections, marker_key: MarkerKey, now: datetime
) -> Owed:
    """Return what one session waits for that this connection would carry out, whatever it waits for.

    What another Zoom user made stays there, and is not counted.
    """
    reachable = within_reach(state, connections, now)
    doomed = sum(
        _is_its(connection_id, one.connection_id, one.zoom_user_id, connections) for one in reachable.condemned
    )
    if reachable.intent:
        return Owed(creates=int(reachable.intent.connection_id == connection_id), deletes=doomed)
    host_id = reachable.session.host.id
    match next_step(replace(reachable, retry_at=None, clean_up_at=None), marker_key, now):
        case Create():
            maker = connections.of_host(host_id)
            is_owed = reachable.is_owed_by_itself(connections.since(host_id))
            return Owed(creates=int(maker is not None and maker.id == connection_id and is_owed), deletes=doomed)
        case Update(meeting):
            return Owed(updates=int(meeting.connection_id == connection_id), deletes=doomed)
        case Withdraw(meeting):
            return Owed(deletes=doomed + (meeting.connection_id == connection_id))
    return Owed(deletes=doomed)


def _is_its(connection_id: str, made_through: str, made_by: str, connections: Connections) -> bool:
    connection = connections.find(connection_id)
    return made_through == connection_id and connection is not None and connection.zoom_user_id == made_by
