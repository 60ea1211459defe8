"""Instants as a reader writes them, in the reader's own zone and with its name."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

_TWELVE_HOUR_REGIONS = frozenset("AU CA IN NZ PH PK US".split())
_MONTH_FIRST_REGIONS = frozenset("PH US".split())


def span(starts_at: datetime, ends_at: datetime, zone: str, locale: str) -> str:
    """Return for instance `Tuesday 24 November 2026, 10:00 to 10:30 (Europe/Berlin, CET, UTC+01:00)`."""
    start, end = starts_at.astimezone(ZoneInfo(zone)), ends_at.astimezone(ZoneInfo(zone))
    until = _time(end, locale) if start.date() == end.date() else f"{_date(end, locale)}, {_time(end, locale)}"
    return f"{_date(start, locale)}, {_time(start, locale)} to {until} ({_zone(start, end, zone)})"


def moment(instant: datetime, zone: str, locale: str) -> str:
    """Return for instance `Tue 24 Nov, 10:00`, for a subject."""
    local = instant.astimezone(ZoneInfo(zone))
    day = f"{local:%b} {local.day}" if _region(locale) in _MONTH_FIRST_REGIONS else f"{local.day} {local:%b}"
    return f"{local:%a} {day}, {_time(local, locale)}"


def duration(length: timedelta) -> str:
    """Return for instance `1 hour 30 minutes`."""
    minutes = round(length.total_seconds() / 60)
    parts = ((minutes // 60, "hour"), (minutes % 60, "minute"))
    return " ".join(f"{count} {unit}{'s' if count > 1 else ''}" for count, unit in parts if count)


def _date(local: datetime, locale: str) -> str:
    if _region(locale) in _MONTH_FIRST_REGIONS:
        return f"{local:%A}, {local:%B} {local.day}, {local.year}"
    return f"{local:%A} {local.day} {local:%B} {local.year}"


def _time(local: datetime, locale: str) -> str:
    if _region(locale) not in _TWELVE_HOUR_REGIONS:
        return f"{local:%H:%M}"
    return f"{local.hour % 12 or 12}:{local:%M} {'am' if local.hour < 12 else 'pm'}"


def _zone(start: datetime, end: datetime, zone: str) -> str:
    # The offset changes within a session where the clocks do.
    offsets = dict.fromkeys([zone.replace("_", " "), _offset(start), _offset(end)])
    return ", ".join(offsets)


def _offset(local: datetime) -> str:
    # Where a zone has no letters, tzname is its offset once more.
    letters = f"{local:%Z}"
    offset = f"UTC{local.isoformat()[-6:]}" if local.utcoffset() else "UTC"
    return f"{letters} {offset}" if letters.isalpha() and letters != "UTC" else offset


def _region(locale: str) -> str:
    return locale.replace("_", "-").partition("-")[2].upper()
