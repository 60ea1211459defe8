"""Zoom's rate limits: per second and per day for an account, and changes per day for one host."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from zoom_sandbox.answers import RefusalError, refusal
from zoom_sandbox.clock import zulu

PER_SECOND = "You have reached the maximum per-second rate limit for this API. Try again later."
PER_DAY = (
    "You have reached the maximum daily rate limit for this API. "
    "Refer to the response header for details on when you can make another request."
)
PER_HOST = (
    "You have exceeded the daily rate limit ({limit}) of Meeting Create/Update API requests "
    "permitted for this particular user. You may resume these requests at GMT 00:00:00."
)


class Label(StrEnum):
    """How much a call weighs (Zoom: API reference, Rate limits)."""

    LIGHT = "Light"
    MEDIUM = "Medium"
    HEAVY = "Heavy"


class Plan(StrEnum):
    FREE = "free"
    PRO = "pro"
    BUSINESS = "business"


@dataclass(frozen=True)
class Allowance:
    per_second: int
    per_day: int | None = None


ALLOWANCES = {
    Plan.FREE: {
        Label.LIGHT: Allowance(4, 6_000),
        Label.MEDIUM: Allowance(2, 2_000),
        Label.HEAVY: Allowance(1, 1_000),
    },
    Plan.PRO: {
        Label.LIGHT: Allowance(30),
        Label.MEDIUM: Allowance(20),
        Label.HEAVY: Allowance(10, 30_000),
    },
    Plan.BUSINESS: {
        Label.LIGHT: Allowance(80),
        Label.MEDIUM: Allowance(60),
        Label.HEAVY: Allowance(40, 60_000),
    },
}


def second_limit_reached(label: Label, limit: int, code: int = 429) -> RefusalError:
    return refusal(429, code, PER_SECOND, _headers(label, "QPS", limit))


def day_limit_reached(label: Label, limit: int, now: datetime, code: int = 429) -> RefusalError:
    """Refuse until midnight UTC; `Retry-After` is an ISO instant, not seconds (Zoom: Rate limits)."""
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0)
    headers = _headers(label, "Daily-limit", limit) | {"Retry-After": zulu(midnight)}
    return refusal(429, code, PER_DAY, headers)


def host_limit_reached(limit: int) -> RefusalError:
    """Refuse without `Retry-After` and with the account's headers (Zoom developer forum, 18928)."""
    headers = {
        "X-RateLimit-Category": "Light",
        "X-RateLimit-Limit": "6000",
        "X-RateLimit-Remaining": "5893",
    }
    return refusal(429, 429, PER_HOST.format(limit=limit), headers)


def _headers(label: Label, kind: str, limit: int) -> dict[str, str]:
    return {
        "X-RateLimit-Category": str(label),
        "X-RateLimit-Type": kind,
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
    }


class Limits:
    """Counts calls by the sandbox's clock, and refuses the one too many."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._recent: dict[tuple[str, Label], deque[datetime]] = {}
        self._days: Counter[tuple[str, str, str]] = Counter()

    def admit_call(self, account_id: str, plan: Plan, label: Label, code: int) -> None:
        """Count one call of an account, shared by all its users and apps, or refuse it."""
        now, allowance = self._now(), ALLOWANCES[plan][label]
        recent = self._recent.setdefault((account_id, label), deque())
        while recent and recent[0] <= now - timedelta(seconds=1):
            recent.popleft()
        if len(recent) >= allowance.per_second:
            raise second_limit_reached(label, allowance.per_second, code)
        day = (account_id, str(label), f"{now:%Y-%m-%d}")
        if allowance.per_day is not None and self._days[day] >= allowance.per_day:
            raise day_limit_reached(label, allowance.per_day, now, code)
        recent.append(now)
        self._days[day] += 1

    def admit_change(self, host_id: str, limit: int | None) -> None:
        """Count one create or update for a host; the day is UTC's (Zoom: Meetings API, Create a meeting)."""
        day = (host_id, "change", f"{self._now():%Y-%m-%d}")
        if limit is not None and self._days[day] >= limit:
            raise host_limit_reached(limit)
        self._days[day] += 1
