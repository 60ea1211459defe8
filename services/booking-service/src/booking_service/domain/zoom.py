"""Whether an event type that uses Zoom gets its links: what is known of the connections, and what to warn of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from booking_service.domain.catalog import EventType

Status = Literal["active", "reauthorization_required", "disconnected"]

BASIC_ENDS_AFTER_MINUTES = 40
"""When Zoom ends a meeting of a user on the Basic plan, once somebody has joined the host (zoom.md 6)."""

AT_MOST_NAMED = 100
"""Hosts that one warning names; how many there are it tells of any number."""


@dataclass(frozen=True)
class Problem:
    """One thing that is to be mended; a blocking one keeps meetings from being made at all."""

    code: str
    title: str
    detail: str
    next_step: str
    is_blocking: bool = True


@dataclass(frozen=True)
class ZoomConnection:
    """A connection as auth-service told of it last; `host_id` is None for the organization's.

    `found` is what its check-up found to keep meetings from being made.
    """

    id: str
    organization_id: str
    host_id: str | None
    revision: int
    status: Status
    is_enabled: bool
    plan: str
    missing_scopes: tuple[str, ...]
    found: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Concerned:
    """The hosts that a problem stops: how many, and the ids of the first AT_MOST_NAMED."""

    count: int
    ids: tuple[str, ...]


@dataclass(frozen=True)
class ZoomWarning:
    """A problem of an event type; `hosts` is None where it is every host's."""

    problem: Problem
    hosts: Concerned | None


@dataclass(frozen=True)
class Shown:
    """An event type, and what to warn of."""

    event_type: EventType
    warnings: tuple[ZoomWarning, ...]


NEVER_CONNECTED = Problem(
    "zoom_not_connected",
    "Zoom is not connected",
    "Bookings of this event type are confirmed, but get no Zoom link.",
    "Connect Zoom in the settings. Bookings from then on get their links by themselves, earlier ones on request.",
)
DISCONNECTED = Problem(
    "zoom_not_connected",
    "Zoom was disconnected",
    "Bookings of this event type are confirmed, but get no Zoom link; meetings that exist are no longer moved.",
    "Connect Zoom again in the settings; the rest follows by itself.",
)
REAUTHORIZATION_REQUIRED = Problem(
    "zoom_reauthorization_required",
    "Zoom no longer accepts the connection",
    "Bookings of this event type are confirmed, but get no Zoom link; meetings that exist are no longer moved.",
    "Connect Zoom again in the settings; the rest follows by itself.",
)
PAUSED = Problem(
    "zoom_paused",
    "Zoom is paused for new bookings",
    "New bookings of this event type get no Zoom link; meetings that exist are still moved and deleted.",
    "Switch Zoom on again in the settings; the rest follows by itself.",
)


class ZoomStanding:
    """Which connection makes each host's meetings; auth-service decides likewise when it gives out a token."""

    def __init__(self, connections: Iterable[ZoomConnection], host_ids: Sequence[str] = ()) -> None:
        """Take all connections of an organization, and its hosts if any of them has a connection of its own."""
        of_host = {connection.host_id: connection for connection in connections}
        shared = of_host.get(None)
        self._groups: dict[ZoomConnection | None, list[str]] = {} if host_ids else {shared: []}
        for host_id in host_ids:
            own = of_host.get(host_id)
            maker = own if own and own.status != "disconnected" else shared or own
            self._groups.setdefault(maker, []).append(host_id)

    def warnings(self, event_type: EventType) -> tuple[ZoomWarning, ...]:
        """Return what keeps an event type's bookings from their meetings, or cuts these short; once per problem."""
        if event_type.location.kind != "zoom":
            return ()
        concerned: dict[Problem, list[str]] = {}
        groups_with: dict[Problem, int] = {}
        for connection, host_ids in self._groups.items():
            for problem in _problems(connection, event_type):
                concerned.setdefault(problem, []).extend(host_ids)
                groups_with[problem] = groups_with.get(problem, 0) + 1
        every = len(self._groups)
        return tuple(
            ZoomWarning(problem, None if groups_with[problem] == every else _concerned(host_ids))
            for problem, host_ids in concerned.items()
        )

    def nobody_gets_links(self, event_type: EventType) -> Problem | None:
        """Return what keeps every host's bookings of this event type from getting a link; None if some get one."""
        blocking = [
            [problem for problem in _problems(connection, event_type) if problem.is_blocking]
            for connection in self._groups
        ]
        return blocking[0][0] if event_type.location.kind == "zoom" and all(blocking) else None


def _problems(connection: ZoomConnection | None, event_type: EventType) -> list[Problem]:
    if connection is None:
        return [NEVER_CONNECTED]
    if connection.status == "disconnected":
        return [DISCONNECTED]
    if connection.status == "reauthorization_required":
        return [REAUTHORIZATION_REQUIRED]
    problems = [] if connection.is_enabled else [PAUSED]
    problems += [_scopes_missing(connection.missing_scopes)] if connection.missing_scopes else []
    problems += connection.found
    is_cut_short = connection.plan == "basic" and event_type.duration_minutes > BASIC_ENDS_AFTER_MINUTES
    return [*problems, _cut_short(event_type)] if is_cut_short else problems


def _scopes_missing(scopes: tuple[str, ...]) -> Problem:
    return Problem(
        "zoom_scope_missing",
        "Zoom was not allowed all that is needed",
        f"Meetings may not be made, moved or deleted, as this was not allowed: {', '.join(scopes)}.",
        "Connect Zoom again and allow every permission that is asked for.",
    )


def _cut_short(event_type: EventType) -> Problem:
    return Problem(
        "zoom_basic_plan",
        f"Zoom Basic ends meetings after {BASIC_ENDS_AFTER_MINUTES} minutes",
        f"This event type takes {event_type.duration_minutes} minutes; Zoom ends its meetings before that.",
        f"Connect a Zoom user with a paid licence, or make it {BASIC_ENDS_AFTER_MINUTES} minutes or shorter.",
        is_blocking=False,
    )


def _concerned(host_ids: list[str]) -> Concerned:
    return Concerned(len(host_ids), tuple(sorted(host_ids)[:AT_MOST_NAMED]))
