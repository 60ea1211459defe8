"""What there is to know about a connection: what does not work, or otherwise than expected, and what to do about it.

Some of it the connection says by itself: its state, its plan. The rest a check-up finds at Zoom, and it is kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from auth_service.domain.connections import Connection, Finding, ZoomUser
from auth_service.domain.scopes import OPTIONAL_SCOPES, missing_scopes

_IN_ZOOM = "To change that, open Zoom's settings, Meeting, Security."


@dataclass(frozen=True)
class Account:
    """What Zoom said of its user at a check-up; None is what it did not tell, for want of a permission.

    `status` is Zoom's word: `active`, `inactive` or `pending`.
    """

    user: ZoomUser | None = None
    status: str | None = None
    may_schedule: bool | None = None
    waiting_room: bool | None = None
    asks_for_passcode: bool | None = None
    passcode_in_link: bool | None = None


DISCONNECTED = Finding(
    "zoom_not_connected",
    "error",
    "Zoom is disconnected",
    "No meeting is made, moved or deleted; what is owed is kept.",
    "Connect Zoom again; the rest follows by itself.",
)
REAUTHORIZATION_REQUIRED = Finding(
    "zoom_reauthorization_required",
    "error",
    "Zoom no longer accepts the connection",
    "Zoom has ended it: the app was removed there, an administrator withdrew it, or it was not used for long. "
    "No meeting is made, moved or deleted; what is owed is kept.",
    "Connect Zoom again; the rest follows by itself.",
)
PAUSED = Finding(
    "zoom_paused",
    "warning",
    "Zoom is paused for new bookings",
    "New bookings get no link; meetings that exist are still moved and deleted.",
    "Switch Zoom on again; bookings that wait get their links by themselves.",
)
BASIC_PLAN = Finding(
    "zoom_basic_plan",
    "notice",
    "This Zoom user has the Basic plan",
    "Zoom ends a meeting after 40 minutes, once somebody has joined the host, and lets in up to 100 people.",
    "Event types that take longer carry a warning. For longer meetings connect a user with a paid licence.",
)
WAITING_ROOM = Finding(
    "zoom_waiting_room",
    "notice",
    "The waiting room is on",
    "Guests wait until the host lets them in, and cannot join before the host, unless an event type says otherwise.",
    f"Nothing to do if that is wanted. {_IN_ZOOM}",
)
NO_PASSCODE = Finding(
    "zoom_no_passcode",
    "warning",
    "Meetings are made without a passcode",
    "Whoever knows or guesses a meeting's number can join it.",
    f"Require a passcode when scheduling new meetings. {_IN_ZOOM}",
)
PASSCODE_NOT_IN_LINK = Finding(
    "zoom_passcode_not_in_link",
    "notice",
    "The join link does not hold the passcode",
    "Guests type the passcode; it stands in the mail beside the link.",
    f"Nothing to do if that is wanted. {_IN_ZOOM}",
)


def _not_allowed(detail: str) -> Finding:
    return Finding(
        "zoom_host_not_allowed",
        "error",
        "This Zoom user may not schedule meetings",
        detail,
        "Ask your Zoom administrator to allow scheduling, or connect another Zoom account.",
    )


UNASSIGNED = _not_allowed("No Zoom plan is assigned to the user, so Zoom makes no meetings.")
FORBIDDEN = _not_allowed("Zoom says that hosting and scheduling are not allowed for this user.")


def findings_of(connection: Connection) -> tuple[Finding, ...]:
    """Return all there is to know about a connection now; of one that has ended, only that."""
    if connection.status == "disconnected":
        return (DISCONNECTED,)
    if connection.status == "reauthorization_required":
        return (REAUTHORIZATION_REQUIRED,)
    return (*_said_by(connection), *(connection.found or ()))


def found_at_zoom(scopes: tuple[str, ...], account: Account) -> tuple[Finding, ...]:
    """Return what a check-up found: the permissions that are missing, each with its purpose, and what Zoom said."""
    return (*_missing(scopes), *_of_user(account), *_of_settings(account))


def _said_by(connection: Connection) -> Iterator[Finding]:
    if not connection.enabled_for_new_bookings:
        yield PAUSED
    if connection.user.plan == "unassigned":
        yield UNASSIGNED
    if connection.user.plan == "basic":
        yield BASIC_PLAN
    if connection.owner.host_id is None:
        yield _shared(1 if connection.user.plan == "basic" else 2)


def _shared(at_once: int) -> Finding:
    """Zoom lets a Basic user hold one meeting at a time and a licensed one two (field-notes: wrong account, teams)."""
    meetings = "one meeting" if at_once == 1 else f"{at_once} meetings"
    return Finding(
        "zoom_meetings_at_once",
        "notice",
        "All hosts without a Zoom connection of their own share this one",
        f"Its Zoom user can hold {meetings} at a time; a host whose session overlaps more cannot start it.",
        "Let hosts whose sessions overlap connect Zoom themselves.",
    )


def _missing(scopes: tuple[str, ...]) -> Iterator[Finding]:
    for scope in missing_scopes(scopes):
        yield Finding(
            "zoom_scope_missing",
            "error",
            "A permission is missing",
            f"Without {scope.name} we cannot {scope.purpose}.",
            "Connect Zoom again and allow every permission that is asked for.",
        )
    for scope in missing_scopes(scopes, OPTIONAL_SCOPES):
        yield Finding(
            "zoom_optional_scope_missing",
            "notice",
            "An optional permission is missing",
            f"Without {scope.name} we cannot {scope.purpose}; meetings work all the same.",
            "Nothing to do. Connecting Zoom again asks for it, if the app has it.",
        )


def _of_user(account: Account) -> Iterator[Finding]:
    if account.status not in {None, "", "active"}:
        yield _not_allowed(f"Zoom says that the user is {account.status}.")
    elif account.may_schedule is False and not (account.user and account.user.plan == "unassigned"):
        yield FORBIDDEN


def _of_settings(account: Account) -> Iterator[Finding]:
    if account.waiting_room:
        yield WAITING_ROOM
    if account.asks_for_passcode is False:
        yield NO_PASSCODE
    elif account.passcode_in_link is False:
        yield PASSCODE_NOT_IN_LINK
