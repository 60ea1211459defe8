"""A time, as its reader's clock shows it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_service.http.pages import when


@pytest.mark.parametrize(
    ("starts_at", "minutes", "zone", "text"),
    [
        ("2026-07-01T12:00", 30, "Europe/Berlin", "Wednesday, 1 July 2026, 14:00 to 14:30 (UTC+02:00)"),
        ("2026-12-01T12:00", 30, "Europe/Berlin", "Tuesday, 1 December 2026, 13:00 to 13:30 (UTC+01:00)"),
        ("2026-12-01T12:00", 30, "Asia/Kathmandu", "Tuesday, 1 December 2026, 17:45 to 18:15 (UTC+05:45)"),
        ("2026-12-01T12:00", 30, "Pacific/Kiritimati", "Wednesday, 2 December 2026, 02:00 to 02:30 (UTC+14:00)"),
        (
            "2026-12-01T23:45",
            30,
            "UTC",
            "Tuesday, 1 December 2026, 23:45 to Wednesday, 2 December 2026, 00:15 (UTC+00:00)",
        ),
        # The night in which the clock is put forward, and the one in which an hour comes twice.
        ("2026-03-29T00:30", 60, "Europe/Berlin", "Sunday, 29 March 2026, 01:30 to 03:30 (UTC+01:00)"),
        ("2026-10-25T00:30", 60, "Europe/Berlin", "Sunday, 25 October 2026, 02:30 to 02:30 (UTC+02:00)"),
        ("2026-10-25T01:30", 30, "Europe/Berlin", "Sunday, 25 October 2026, 02:30 to 03:00 (UTC+01:00)"),
    ],
)
def test_a_time_is_told_with_the_offset_that_holds_then(starts_at: str, minutes: int, zone: str, text: str) -> None:
    begin = datetime.fromisoformat(starts_at).replace(tzinfo=UTC)

    assert when(begin, begin + timedelta(minutes=minutes), zone) == text


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.timezone_keys(allow_prefix=False),
)
def test_every_time_can_be_told_in_every_zone(starts_at: datetime, zone: str) -> None:
    assert when(starts_at, starts_at + timedelta(minutes=30), zone)
