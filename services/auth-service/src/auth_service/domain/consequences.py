"""What ending a connection, or giving it to another Zoom user, would mean for what was booked."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Consequences:
    """`future_meetings` are at Zoom, made through the connection, and have not begun.

    The others are sessions that wait for Zoom: to have a meeting made, changed or deleted.
    """

    future_meetings: int
    owed_creates: int
    owed_updates: int
    owed_deletes: int

    @property
    def waiting(self) -> int:
        return self.owed_creates + self.owed_updates + self.owed_deletes
