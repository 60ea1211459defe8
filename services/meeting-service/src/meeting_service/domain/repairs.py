"""What is owed to Zoom, session by session, told before it is done. It is what `next_step` would do, counted."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from convoke.contracts.meetings import FailureCode
from meeting_service.domain.at_zoom import Condemned, Intent, MeetingAtZoom
from meeting_service.domain.body import Body
from meeting_service.domain.connections import Connections
from meeting_service.domain.marker import MarkerKey
from meeting_service.domain.meeting import SessionMeeting
from meeting_service.domain.steps import Create, Step, Update, Withdraw, next_step

Deed = Literal[
    "add_link",
    "add_earlier_link",
    "replace_link",
    "fix_time",
    "fix_details",
    "delete_meeting",
    "leave_meeting",
    "stays_behind",
    "resolve",
]
"""`add_earlier_link`: of a booking from before Zoom was connected. `leave_meeting`: at a Zoom user who is no longer
connected; `stays_behind`: was left there before. `resolve`: find out whether a create in doubt took effect."""

_NEW_LINK: frozenset[Deed] = frozenset({"add_link", "add_earlier_link", "replace_link"})
PARKED_OTHERWISE: frozenset[FailureCode] = frozenset(
    {"zoom_daily_limit", "zoom_rate_limited", "zoom_unavailable", "zoom_not_unique", "zoom_rejected"}
)
"""What is no matter of the connection: it passes by itself, or the booking or the meeting in Zoom has to change."""

_SEEN_AT_ZOOM_ONLY: frozenset[FailureCode] = frozenset({"zoom_scope_missing", "zoom_host_not_allowed"})


@dataclass(frozen=True)
class Repair:
    """What is owed of one session, who would be mailed about it, and what has to be mended before it can be done."""

    session_id: str
    deeds: tuple[Deed, ...]
    mailed: frozenset[str] = frozenset()
    lacks: FailureCode | None = None

    @property
    def is_on_request(self) -> bool:
        return "add_earlier_link" in self.deeds

    @property
    def is_parked(self) -> bool:
        """Tell whether it waits for something else than the connection."""
        return self.lacks in PARKED_OTHERWISE

    @property
    def is_due(self) -> bool:
        """Tell whether it is to be done without further request."""
        return not self.is_on_request and not self.is_parked and set(self.deeds) != {"stays_behind"}


@dataclass(frozen=True)
class RepairPlan:
    """How much is owed. Past sessions and links set by hand are no part of it.

    `lacking` counts the sessions that wait until something about the connection is mended; `parked` those that wait
    for something else, and are in no other number.
    """

    links_to_add: int = 0
    links_to_replace: int = 0
    times_to_fix: int = 0
    details_to_fix: int = 0
    meetings_to_delete: int = 0
    meetings_left_behind: int = 0
    creates_in_doubt: int = 0
    people_to_mail: int = 0
    earlier_links: int = 0
    people_to_mail_about_earlier: int = 0
    lacking: Mapping[FailureCode, int] = field(default_factory=dict)
    parked: Mapping[FailureCode, int] = field(default_factory=dict)


def repair_of(state: SessionMeeting, connections: Connections, marker_key: MarkerKey, now: datetime) -> Repair | None:
    """Return what is owed of a session if it were looked at now, whatever it waits for; None if nothing is."""
    reachable = within_reach(state, connections, now)
    step = next_step(replace(reachable, retry_at=None, clean_up_at=None), marker_key, now)
    deeds = (*_deeds(state, reachable, step, connections), *_ends(state, reachable, connections))
    if not deeds:
        return None
    mailed = _people(state) if _is_news(state, deeds) else frozenset[str]()
    return Repair(state.session.id, deeds, mailed, _lacks(state, reachable, step, connections))


def plan_of(repairs: Iterable[Repair]) -> RepairPlan:
    """Return all of it in numbers."""
    count, lacking, parked = Counter[Deed](), Counter[FailureCode](), Counter[FailureCode]()
    mailed: set[str] = set()
    mailed_about_earlier: set[str] = set()
    for repair in repairs:
        if repair.lacks:
            (parked if repair.is_parked else lacking)[repair.lacks] += 1
        if not repair.is_parked:
            count.update(repair.deeds)
            (mailed_about_earlier if repair.is_on_request else mailed).update(repair.mailed)
    return RepairPlan(
        links_to_add=count["add_link"],
        links_to_replace=count["replace_link"],
        times_to_fix=count["fix_time"],
        details_to_fix=count["fix_details"],
        meetings_to_delete=count["delete_meeting"],
        meetings_left_behind=count["leave_meeting"] + count["stays_behind"],
        creates_in_doubt=count["resolve"],
        people_to_mail=len(mailed),
        earlier_links=count["add_earlier_link"],
        people_to_mail_about_earlier=len(mailed_about_earlier),
        lacking=dict(lacking),
        parked=dict(parked),
    )


def within_reach(state: SessionMeeting, connections: Connections, now: datetime) -> SessionMeeting:
    """Return the state without what another Zoom user made than is connected now; a meeting that has begun is kept."""
    if state.intent and _is_forsaken(state.intent, state.session.host.id, connections):
        state = state.forsaken()
    is_kept = state.is_wanted and state.session.starts_at <= now
    if state.meeting and _is_out_of_reach(state.meeting, connections) and not is_kept:
        state = state.abandoned()
    return state


def _deeds(state: SessionMeeting, reachable: SessionMeeting, step: Step, connections: Connections) -> tuple[Deed, ...]:
    if reachable.intent:
        return ("resolve",)
    match step:
        case Create() if state.meeting:
            return ("replace_link", "delete_meeting") if reachable.meeting else ("replace_link",)
        case Create():
            is_owed = reachable.is_owed_by_itself(connections.since(state.session.host.id))
            return ("add_link" if is_owed else "add_earlier_link",)
        case Update(meeting, body):
            return ("fix_time" if _is_moved(meeting, body) else "fix_details",)
        case Withdraw():
            return ("delete_meeting",)
    return ()


def _ends(state: SessionMeeting, reachable: SessionMeeting, connections: Connections) -> Iterator[Deed]:
    for condemned in reachable.condemned:
        if not _is_out_of_reach(condemned, connections):
            yield "delete_meeting"
        else:
            yield "stays_behind" if condemned in state.condemned else "leave_meeting"


def _lacks(
    state: SessionMeeting, reachable: SessionMeeting, step: Step, connections: Connections
) -> FailureCode | None:
    said = state.reason.code if state.reason else None
    if said in PARKED_OTHERWISE:
        return said
    return _broken(reachable, step, connections) or (said if said in _SEEN_AT_ZOOM_ONLY else None)


def _broken(state: SessionMeeting, step: Step, connections: Connections) -> FailureCode | None:
    if isinstance(step, Create):
        maker = connections.of_host(state.session.host.id)
        return maker.lacks_to_make if maker else "zoom_not_connected"
    made = state.intent or state.meeting or next(iter(state.condemned), None)
    connection = connections.find(made.connection_id) if made else None
    return connection.lacks if connection else "zoom_not_connected"


def _is_out_of_reach(made: MeetingAtZoom | Condemned | Intent, connections: Connections) -> bool:
    """Tell whether another Zoom user is connected now: only the one who made a meeting can touch it."""
    connection = connections.find(made.connection_id)
    return connection is not None and connection.zoom_user_id != made.zoom_user_id


def _is_forsaken(intent: Intent, host_id: str, connections: Connections) -> bool:
    """Tell whether a create in doubt can be looked for by nobody: also where another connection stands in for it."""
    connection, maker = connections.find(intent.connection_id), connections.of_host(host_id)
    was_ended = connection is not None and connection.lacks == "zoom_not_connected"
    return _is_out_of_reach(intent, connections) or (
        was_ended and maker is not None and maker.id != intent.connection_id
    )


def _is_moved(meeting: MeetingAtZoom, body: Body) -> bool:
    if meeting.body:
        return any(meeting.body[name] != body[name] for name in ("start_time", "duration"))
    return meeting.seen is not None and not meeting.seen.is_at_time_of(body)


def _is_news(state: SessionMeeting, deeds: Sequence[Deed]) -> bool:
    """Tell whether people hear of it; a time that somebody changed inside Zoom is restored without a word."""
    is_move = "fix_time" in deeds and state.meeting is not None and bool(state.meeting.body)
    return is_move or not _NEW_LINK.isdisjoint(deeds)


def _people(state: SessionMeeting) -> frozenset[str]:
    guests = (seat.booking.invitee.email for seat in state.seats.values() if seat.booking.status == "confirmed")
    return frozenset(address.casefold() for address in (state.session.host.email, *guests))
