"""How an attempt to connect Zoom can end: a code that the product can act on, and a page that says what to do.

The README of auth-service lists the codes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from auth_service.domain.authorizations import (
    AnotherBrowser,
    AttemptOvertaken,
    ChoiceExpired,
    ChoiceMade,
    ChoiceUnknown,
    StateExpired,
    StateReused,
    StateUnknown,
)
from auth_service.domain.organizations import OrganizationUnknown, ZoomIsOff
from auth_service.zoom import AccessRefused, AppRefused, GrantRefused, ZoomUnavailable
from convoke.vault import CannotDecrypt

Result = Literal["connected", "kept", "declined", "expired", "failed"]

_AGAIN = "Go back to the product where you manage your bookings and choose “Connect Zoom” again."
_SUPPORT = "Please tell the support of your product."


@dataclass(frozen=True)
class Outcome:
    """`result` and `reason` go back to the product; `title`, `text` and `next_step` are for the owner."""

    result: Result
    reason: str
    status: int
    title: str
    text: str
    next_step: str = _AGAIN


_ALL = (
    Outcome("declined", "declined", 403, "Zoom was not connected", "Access was not allowed on Zoom's page."),
    Outcome(
        "declined",
        "waiting-for-admin",
        403,
        "Your Zoom administrator has to agree first",
        "Your company's Zoom account lets people use only apps that its administrator has approved. Ask for it on "
        "Zoom's page (“Request Access”), or write to your administrator: the app is approved in the Zoom Marketplace, "
        "under Manage, Apps on Account.",
        "When it is approved, choose “Connect Zoom” again in the product where you manage your bookings.",
    ),
    Outcome("failed", "no-code", 400, "Zoom was not connected", "Zoom sent you back without an authorization."),
    Outcome("failed", "state-unknown", 400, "This link is not ours", "Nothing was connected."),
    Outcome(
        "failed",
        "state-used",
        409,
        "This link was used already",
        "If you have just connected Zoom, there is nothing left to do.",
        f"Otherwise: {_AGAIN}",
    ),
    Outcome("expired", "expired", 410, "This took too long", "The link is good for ten minutes."),
    Outcome(
        "failed",
        "another-browser",
        403,
        "This is not the browser in which you began",
        "For your safety connecting Zoom begins and ends in the same browser, and needs its cookies.",
        f"Allow cookies for this site, or use a private window from the beginning. {_AGAIN}",
    ),
    Outcome(
        "failed",
        "overtaken",
        409,
        "Something else was decided meanwhile",
        "While Zoom was answering, Zoom was disconnected or another account connected; it stays like that.",
    ),
    Outcome(
        "failed",
        "code-refused",
        400,
        "Zoom refused the authorization",
        "It is good once and for five minutes; it may have expired on the way.",
    ),
    Outcome(
        "failed",
        "permission-missing",
        403,
        "A permission is missing",
        "Without leave to see which Zoom account this is, it cannot be connected.",
        f"{_AGAIN} Then allow every permission on Zoom's page.",
    ),
    Outcome(
        "failed",
        "permissions-changed",
        403,
        "The permissions of the app have changed",
        "What you allowed earlier no longer fits what the app asks for.",
        f"{_AGAIN} Then allow every permission on Zoom's page. If it comes back, remove the app in the Zoom "
        "Marketplace (Manage, Added Apps) first.",
    ),
    Outcome(
        "failed",
        "disabled-by-admin",
        403,
        "Your Zoom administrator has switched the app off",
        "Your company's Zoom account no longer lets the app in.",
        f"Ask your Zoom administrator to approve it again. Then: {_AGAIN}",
    ),
    Outcome(
        "failed",
        "user-gone",
        403,
        "Zoom no longer knows this user",
        "The Zoom user who allowed this was removed from their account.",
        f"Sign in to Zoom as somebody else. {_AGAIN}",
    ),
    Outcome(
        "failed",
        "redirect-mismatch",
        502,
        "Zoom does not know the way back to us",
        "The address that Zoom sends you back to is being changed there. That usually passes within minutes.",
        f"Wait some minutes. {_AGAIN} If it stays like this: {_SUPPORT}",
    ),
    Outcome(
        "failed",
        "app-disabled",
        502,
        "Zoom has switched the app off",
        "Nothing was connected, and nobody can connect Zoom just now.",
        _SUPPORT,
    ),
    Outcome("failed", "app-refused", 502, "Zoom refuses this installation", "Nothing was connected.", _SUPPORT),
    Outcome("failed", "secret-unreadable", 500, "Something is wrong on our side", "Nothing was connected.", _SUPPORT),
    Outcome(
        "failed",
        "zoom-unavailable",
        503,
        "Zoom does not answer just now",
        "Nothing was connected.",
        f"In a minute: {_AGAIN}",
    ),
    Outcome(
        "failed",
        "zoom-error",
        400,
        "Zoom was not connected",
        "Zoom sent you back with an error that is not known here.",
    ),
    Outcome(
        "failed",
        "zoom-off",
        403,
        "Zoom cannot be connected here",
        "It is switched off for your organization.",
        _SUPPORT,
    ),
    Outcome(
        "failed",
        "choice-made",
        409,
        "This was decided already",
        "Which Zoom account makes your meetings is shown in your product's Zoom settings.",
        "There is nothing left to do here.",
    ),
    Outcome(
        "expired",
        "choice-expired",
        410,
        "This took too long",
        "Everything stays as it was: the former Zoom account, and its meetings.",
    ),
    Outcome(
        "kept",
        "kept",
        200,
        "Nothing has changed",
        "Planned meetings stay with the former Zoom account. What you have just allowed is being taken back.",
        "You can close this page and go back to your bookings.",
    ),
)
OUTCOMES: Mapping[str, Outcome] = {outcome.reason: outcome for outcome in _ALL}

_OF_ERRORS: Mapping[type[Exception], str] = {
    StateUnknown: "state-unknown",
    StateReused: "state-used",
    StateExpired: "expired",
    AnotherBrowser: "another-browser",
    AttemptOvertaken: "overtaken",
    ChoiceUnknown: "state-unknown",
    ChoiceMade: "choice-made",
    ChoiceExpired: "choice-expired",
    OrganizationUnknown: "state-unknown",
    ZoomIsOff: "zoom-off",
    AccessRefused: "permission-missing",
    CannotDecrypt: "secret-unreadable",
    ZoomUnavailable: "zoom-unavailable",
}
ERRORS: tuple[type[Exception], ...] = (*_OF_ERRORS, GrantRefused, AppRefused)
"""What can be told on a page."""


def outcome_of(error: Exception) -> Outcome:
    """Return what an error comes to for the owner."""
    if isinstance(error, GrantRefused | AppRefused):
        return OUTCOMES[error.reason]
    return OUTCOMES[_OF_ERRORS[type(error)]]
