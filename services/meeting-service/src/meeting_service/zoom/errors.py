"""What Zoom's error answers mean, decided by status, code and text; its headers are not to be relied on.

Sources: Zoom, API error definitions and rate limits; texts as captured from the live service.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import uniform
from typing import Any

from convoke.contracts.meetings import FailureCode
from meeting_service.ports import InDoubt, MeetingGone, Refused, TokenRefused

MEETING_DOES_NOT_EXIST = 3001
INVALID_TOKEN = 124
SCOPE_MISSING = frozenset({4700, 4711})
SCHEDULING_NOT_ALLOWED = 3161

SECOND_PASSES = (1.0, 2.0)
"""Seconds, between which the retries are spread: all that were refused together must not come back together."""

AFTER_MIDNIGHT = (0.0, 30.0)
"""Seconds likewise, in which a new day's work begins."""

DAY_IS_NEW_FOR = timedelta(minutes=5)
"""A day's limit that Zoom names so early may still be that of the day before: our clock and Zoom's differ."""

NEW_DAY_COMES = (30.0, 90.0)
"""Seconds likewise, after which Zoom is asked again then."""


class HostLimitReached(Refused):
    """One host has used what Zoom allows a user a day; others of the account go on."""


class NotReached(Refused):
    """There was no connection to Zoom."""


class NotAsked(Refused):
    """Zoom was not called, so this tells nothing of Zoom."""


@dataclass(frozen=True)
class ErrorAnswer:
    """The part of an error answer that decides."""

    status: int
    code: int
    message: str


def error_of(status: int, body: Any, now: datetime) -> Exception:
    """Return the error that an answer means for the caller; `body` is whatever could be parsed of it."""
    fields = body if isinstance(body, dict) else {}
    answer = ErrorAnswer(status, _number(fields.get("code")), str(fields.get("message", ""))[:300])
    for matches, meaning in _MEANINGS:
        if matches(answer):
            return meaning(answer, now)
    return Refused("zoom_rejected", _with_fields(answer, fields))


Matches = Callable[[ErrorAnswer], bool]
Meaning = Callable[[ErrorAnswer, datetime], Exception]


def _refused(code: FailureCode) -> Meaning:
    return lambda answer, _: Refused(code, f"Zoom said: {answer.message or answer.status}")


def _in_a_second(answer: ErrorAnswer, now: datetime) -> Refused:
    later = now + timedelta(seconds=uniform(*SECOND_PASSES))  # noqa: S311 - keeps no secret
    return Refused("zoom_rate_limited", f"Zoom said: {answer.message}", later)


def after_midnight(now: datetime) -> datetime:
    """Return when the next day of UTC has begun, by which Zoom counts (Zoom: rate limits), spread a little."""
    midnight = _midnight(now + timedelta(days=1))
    return midnight + timedelta(seconds=uniform(*AFTER_MIDNIGHT))  # noqa: S311 - keeps no secret


def is_new_day(now: datetime) -> bool:
    """Tell whether a day of UTC has only just begun, so that at Zoom it may not have."""
    return now - _midnight(now) < DAY_IS_NEW_FOR


def _midnight(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _when_day_has_changed(now: datetime) -> datetime:
    if is_new_day(now):
        return now + timedelta(seconds=uniform(*NEW_DAY_COMES))  # noqa: S311 - keeps no secret
    return after_midnight(now)


def _host_limit_reached(answer: ErrorAnswer, now: datetime) -> HostLimitReached:
    return HostLimitReached("zoom_daily_limit", f"Zoom said: {answer.message}", _when_day_has_changed(now))


def _account_limit_reached(answer: ErrorAnswer, now: datetime) -> Refused:
    return Refused("zoom_account_limit", f"Zoom said: {answer.message}", _when_day_has_changed(now))


_MEANINGS: tuple[tuple[Matches, Meaning], ...] = (
    (lambda a: a.status >= 500 or a.status == 408, lambda a, _: InDoubt(f"Zoom answered {a.status}")),
    (lambda a: a.status == 404 and a.code == MEETING_DOES_NOT_EXIST, lambda a, _: MeetingGone(a.message)),
    (lambda a: a.code in SCOPE_MISSING and "scopes" in a.message, _refused("zoom_scope_missing")),
    (lambda a: a.status == 401 or a.code == INVALID_TOKEN, lambda a, _: TokenRefused(a.message)),
    (lambda a: a.code == SCHEDULING_NOT_ALLOWED, _refused("zoom_host_not_allowed")),
    (lambda a: a.status == 429 and "Create/Update" in a.message, _host_limit_reached),
    (lambda a: a.status == 429 and "daily" in a.message, _account_limit_reached),
    (lambda a: a.status == 429, _in_a_second),
)


def _with_fields(answer: ErrorAnswer, fields: dict[str, Any]) -> str:
    errors = fields.get("errors") or []
    named = "; ".join(f"{error.get('field')}: {error.get('message')}" for error in errors if isinstance(error, dict))
    said = f"Zoom said: {answer.message or 'nothing'} (status {answer.status}, code {answer.code})"
    return f"{said} {named[:500]}".strip()


def _number(code: Any) -> int:
    try:
        return int(code)
    except (TypeError, ValueError):
        return 0
