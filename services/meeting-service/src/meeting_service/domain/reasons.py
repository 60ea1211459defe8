"""Why there is no meeting (yet), in words for a host: every failure has a code, a text and a next step."""

from datetime import datetime

from convoke.contracts import FailureReason
from convoke.contracts.meetings import FailureCode

_TEXTS: dict[FailureCode, tuple[str, str]] = {
    "zoom_not_connected": (
        "Zoom is not connected",
        "Connect Zoom in the settings; the link follows by itself.",
    ),
    "zoom_paused": (
        "Zoom is paused for new bookings",
        "Switch Zoom on again in the settings; the link follows by itself.",
    ),
    "zoom_reauthorization_required": (
        "Zoom no longer accepts the connection",
        "Connect Zoom again in the settings; the link follows by itself.",
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
        "Nothing to do: the link follows by itself after 00:00 UTC.",
    ),
    "zoom_rate_limited": (
        "Zoom asks to slow down",
        "Nothing to do: the link follows by itself.",
    ),
    "zoom_unavailable": (
        "Zoom does not answer",
        "Nothing to do: the link follows by itself as soon as Zoom answers.",
    ),
    "zoom_rejected": (
        "Zoom refused the meeting",
        "Change the booking as the detail says, or paste a link by hand.",
    ),
}


def reason(code: FailureCode, detail: str, retry_at: datetime | None = None) -> FailureReason:
    """Return the reason that a host reads; `detail` says what Zoom said."""
    title, action = _TEXTS[code]
    return FailureReason(code=code, title=title, detail=detail, action=action, retry_at=retry_at)
