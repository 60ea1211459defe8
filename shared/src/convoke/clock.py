"""The time, as a port: whoever needs it is given a `Clock`, so that a test can own it."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present as an aware datetime in UTC."""


def utc_now() -> datetime:
    """Return now, cut to milliseconds: MongoDB stores no finer, and a stored time must equal its original."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
