"""Who can be booked, and for what."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

LocationKind = Literal["zoom", "phone", "in_person", "link"]
WhenChanged = Literal["restore", "flag"]
"""What becomes of a time, a topic or a description that somebody changed inside Zoom."""


@dataclass(frozen=True)
class Host:
    id: str
    name: str
    email: str
    timezone: str
    locale: str


@dataclass(frozen=True)
class Location:
    """`detail` is the number, the address or the link of the kinds that are not Zoom."""

    kind: LocationKind
    detail: str | None = None


@dataclass(frozen=True)
class ZoomOptions:
    """What is None stays as the host's Zoom account has it."""

    waiting_room: bool | None = None
    join_before_host: bool | None = None
    alternative_hosts: tuple[str, ...] = ()
    when_changed: WhenChanged = "restore"


@dataclass(frozen=True)
class EventType:
    """Durations and buffers are multiples of five minutes."""

    id: str
    title: str
    description: str
    duration_minutes: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    location: Location
    zoom: ZoomOptions

    @property
    def duration(self) -> timedelta:
        return timedelta(minutes=self.duration_minutes)
