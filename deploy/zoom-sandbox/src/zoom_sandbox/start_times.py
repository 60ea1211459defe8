"""Zoom's rules about start times: which spellings count, and what becomes of a past or missing one.

Zoom: Meetings API, Create a meeting and Update a meeting.
"""

import re
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z?")


def is_zone(value: object) -> bool:
    return value in _zones()


@cache  # reading them walks the whole time zone database
def _zones() -> set[str]:
    return available_timezones()


def is_written_instant(value: object) -> bool:
    """Accept `yyyy-MM-ddTHH:mm:ss` with or without `Z`: no offset, no fractions of a second."""
    if not isinstance(value, str) or not _SHAPE.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def read_instant(written: str, timezone: str) -> datetime:
    """Read `Z` as GMT whatever the time zone says, and everything else as local time in it."""
    if written.endswith("Z"):
        return datetime.fromisoformat(written)
    return datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)


def start_of_new(written: str | None, timezone: str, now: datetime) -> datetime:
    """Create: a missing or past start silently becomes now."""
    wanted = read_instant(written, timezone) if written else now
    return max(wanted, now).replace(microsecond=0)


def start_of_changed(written: str | None, timezone: str, now: datetime) -> datetime | None:
    """Update: a missing or past start is ignored; None means leave it as it is."""
    wanted = read_instant(written, timezone) if written else None
    return wanted if wanted and wanted >= now else None
