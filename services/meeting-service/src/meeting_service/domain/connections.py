"""Which Zoom user stands behind a host or a meeting now, and what is to be mended first where none does."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from convoke.contracts.meetings import FailureCode


@dataclass(frozen=True)
class Connection:
    """A connection of an organization, or of one host; `lacks` is what keeps it from working.

    `since` is when it was first made, whatever broke since; `zoom_user_id` is who was connected last.
    """

    id: str
    host_id: str | None
    zoom_user_id: str
    since: datetime
    lacks: FailureCode | None = None
    is_enabled: bool = True

    @property
    def lacks_to_make(self) -> FailureCode | None:
        """What keeps new meetings from being made with it."""
        return self.lacks or (None if self.is_enabled else "zoom_paused")


class Connections:
    """The connections of one organization and its hosts."""

    def __init__(self, connections: Iterable[Connection]) -> None:
        self._by_id = {connection.id: connection for connection in connections}
        self._by_host = {connection.host_id: connection for connection in self._by_id.values()}

    def find(self, connection_id: str) -> Connection | None:
        return self._by_id.get(connection_id)

    def of_host(self, host_id: str) -> Connection | None:
        """Return the connection that makes a host's meetings: the host's own, unless that was ended, else the shared.

        auth-service decides likewise when it gives out a token.
        """
        own, shared = self._by_host.get(host_id), self._by_host.get(None)
        was_ended = own is not None and own.lacks == "zoom_not_connected"
        return shared or own if own is None or was_ended else own

    def since(self, host_id: str) -> datetime | None:
        """Return since when a host counts on Zoom, by the own connection or the shared; None is never."""
        return min((one.since for one in map(self._by_host.get, (host_id, None)) if one), default=None)
