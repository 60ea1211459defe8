"""Why there is no meeting (yet), in words for a host: every failure has a code, a text and a next step."""

from datetime import datetime
from typing import Literal, cast

from convoke.contracts import FailureReason
from convoke.contracts.meetings import FailureCode

Cause = FailureCode | Literal["zoom_never_connected", "booked_before_zoom", "zoom_account_limit", "zoom_paced"]
"""A code, or a case of one of which something else is to be said."""

_CASES: dict[Cause, FailureCode] = {
    "zoom_never_connected": "zoom_not_connected",
    "booked_before_zoom": "zoom_not_connected",
    "zoom_account_limit": "zoom_daily_limit",
    "zoom_paced": "zoom_rate_limited",
}

_ON_REQUEST: frozenset[Cause] = frozenset({"zoom_never_connected", "booked_before_zoom"})
"""Nothing comes of these by itself, so no time is named."""

WAITS_FOR_PEOPLE: frozenset[FailureCode] = frozenset(
    {
        "zoom_not_connected",
        "zoom_paused",
        "zoom_reauthorization_required",
        "zoom_scope_missing",
        "zoom_host_not_allowed",
        "zoom_not_unique",
        "zoom_rejected",
    }
)
"""Failures that time alone does not mend."""

_TEXTS: dict[Cause, tuple[str, str]] = {
    "zoom_not_connected": (
        "Zoom is not connected",
        "Connect Zoom in the settings; the rest follows by itself.",
    ),
    "zoom_never_connected": (
        "Zoom was never connected",
        "Connect Zoom in the settings. Bookings from then on get their links by themselves, earlier ones on request.",
    ),
    "booked_before_zoom": (
        "This booking is from before Zoom was connected",
        "Move the booking, or have the links of earlier bookings added: an operator's `repair run --include-earlier`.",
    ),
    "zoom_paused": (
        "Zoom is paused for new bookings",
        "Switch Zoom on again in the settings; the rest follows by itself.",
    ),
    "zoom_reauthorization_required": (
        "Zoom no longer accepts the connection",
        "Connect Zoom again in the settings; the rest follows by itself.",
    ),
    "zoom_scope_missing": (
        "Zoom was not allowed all that is needed",
        "Connect Zoom again and allow every permission that is asked for.",
    ),
    "zoom_host_not_allowed": (
        "This Zoom user may not schedule meetings",
        "Ask your Zoom administrator to allow scheduling, or connect another Zoom account.",
    ),
    "zoom_daily_limit": (
        "Zoom's daily limit for this host is reached",
        "Nothing to do: it follows by itself after 00:00 UTC.",
    ),
    "zoom_account_limit": (
        "Zoom's daily limit for the whole account is reached",
        "Nothing to do: it follows by itself after 00:00 UTC.",
    ),
    "zoom_rate_limited": (
        "Zoom asks to slow down",
        "Nothing to do: it follows by itself.",
    ),
    "zoom_paced": (
        "Many meetings of this Zoom account wait for their turn",
        "Nothing to do: it follows by itself.",
    ),
    "zoom_unavailable": (
        "Zoom does not answer",
        "Nothing to do: it follows by itself as soon as Zoom answers.",
    ),
    "zoom_not_unique": (
        "Several meetings in Zoom may be this booking's",
        "In Zoom, begin the right one's description with the mark or delete the others; or run `meetings adopt`.",
    ),
    "zoom_rejected": (
        "Zoom refused the meeting",
        "Change the booking as the detail says, or paste a link by hand.",
    ),
}


def code_of(cause: Cause) -> FailureCode:
    return _CASES.get(cause) or cast("FailureCode", cause)


def reason(cause: Cause, detail: str, retry_at: datetime | None = None) -> FailureReason:
    """Return the reason that a host reads; `detail` says what Zoom said."""
    title, action = _TEXTS[cause]
    again_at = None if cause in _ON_REQUEST else retry_at
    return FailureReason(code=code_of(cause), title=title, detail=detail, action=action, retry_at=again_at)
