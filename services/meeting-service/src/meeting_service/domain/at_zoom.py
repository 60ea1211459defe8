"""What is at Zoom, or may be: the meeting itself, one that was begun, and those that are to go."""

from dataclasses import dataclass, replace
from datetime import datetime

from convoke.contracts import DialIn
from meeting_service.domain.body import Body, has_start_of, starts_as


@dataclass(frozen=True)
class WayIn:
    """What Zoom owns of a meeting: how to get in."""

    join_url: str
    passcode: str | None
    dial_in: tuple[DialIn, ...]
    host_email: str


@dataclass(frozen=True)
class Seen:
    """What Zoom shows of that which the booking owns; `agenda` is cut to 250 characters in a list."""

    topic: str
    starts_at: datetime | None
    minutes: int | None
    agenda: str

    def says(self, body: Body, now: datetime) -> bool:
        """Tell whether it is what a body says; a start or a duration that Zoom does not show is."""
        return self._has_words_of(body) and self._lasts_as(body) and starts_as(body, self.starts_at, now)

    def is_at_time_of(self, body: Body) -> bool:
        return has_start_of(body, self.starts_at) and self._lasts_as(body)

    def _has_words_of(self, body: Body) -> bool:
        return self.topic.strip() == str(body["topic"]).strip()

    def _lasts_as(self, body: Body) -> bool:
        return self.minutes in {None, body["duration"]}

    def as_listed(self, longest_agenda: int) -> "Seen":
        """Return what a list shows of it."""
        return replace(self, agenda=self.agenda[:longest_agenda])


@dataclass(frozen=True)
class Condemned:
    """A meeting at Zoom that is ours and not wanted."""

    id: int
    connection_id: str
    zoom_user_id: str
    connected_at: datetime | None = None


@dataclass(frozen=True)
class MeetingAtZoom:
    """A meeting that exists at Zoom as far as we know.

    `body` is what Zoom last accepted of us, empty where that is no longer what it has; `seen` is what it showed then.
    `connected_at` is when the connection that it was begun with was connected; None is not known any more.
    """

    id: int
    connection_id: str
    zoom_user_id: str
    generation: int
    wanted_generation: int
    body: Body
    way_in: WayIn
    seen: Seen | None = None
    updated_at: datetime | None = None
    connected_at: datetime | None = None

    def condemned(self) -> Condemned:
        return Condemned(self.id, self.connection_id, self.zoom_user_id, self.connected_at)

    def changed_since(self, now_seen: Seen) -> bool:
        """Tell whether somebody changed in Zoom what the booking owns.

        Compared with what Zoom showed when it accepted ours, not with what we sent: Zoom may write it otherwise.
        """
        return self.seen is not None and now_seen != self.seen

    def to_be_restored(self) -> "MeetingAtZoom":
        """Zoom no longer has what we said: it is to be told again."""
        return replace(self, body={})


@dataclass(frozen=True)
class Intent:
    """A create that was begun: it may have taken effect at Zoom until it is resolved."""

    connection_id: str
    zoom_user_id: str
    generation: int
    attempt: int
    wanted_generation: int
    body: Body
    started_at: datetime
    connected_at: datetime | None = None

    def made(self, zoom_id: int, way_in: WayIn, seen: Seen) -> MeetingAtZoom:
        """Return the meeting that it made."""
        return MeetingAtZoom(
            zoom_id,
            self.connection_id,
            self.zoom_user_id,
            self.generation,
            self.wanted_generation,
            self.body,
            way_in,
            seen,
            connected_at=self.connected_at,
        )


@dataclass(frozen=True)
class Decision:
    """What an operator says of a create in doubt that nothing else can tell: which meeting it made, None for none.

    It holds for that attempt alone: a later one may have made another.
    """

    attempt: int
    zoom_meeting_id: int | None
