"""Times as a reader writes them."""

from datetime import UTC, datetime, timedelta

import pytest

from notifier.mail.text import LONGEST_SUBJECT, line, paragraph, subject
from notifier.mail.times import duration, moment, span


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "zone", "locale", "shown"),
    [
        (
            at(2026, 7, 1, 8), at(2026, 7, 1, 8, 30), "Europe/Berlin", "de-DE",
            "Wednesday 1 July 2026, 10:00 to 10:30 (Europe/Berlin, CEST UTC+02:00)",
        ),
        (
            at(2026, 12, 1, 17), at(2026, 12, 1, 18), "America/New_York", "en-US",
            "Tuesday, December 1, 2026, 12:00 pm to 1:00 pm (America/New York, EST UTC-05:00)",
        ),
        (
            at(2026, 12, 1, 4, 30), at(2026, 12, 1, 5, 30), "Asia/Kathmandu", "ne",
            "Tuesday 1 December 2026, 10:15 to 11:15 (Asia/Kathmandu, UTC+05:45)",
        ),
        (
            at(2026, 12, 1, 23), at(2026, 12, 2, 1), "UTC", "en-GB",
            "Tuesday 1 December 2026, 23:00 to Wednesday 2 December 2026, 01:00 (UTC)",
        ),
        (
            at(2026, 10, 25, 0, 30), at(2026, 10, 25, 1, 30), "Europe/Berlin", "de-DE",
            "Sunday 25 October 2026, 02:30 to 02:30 (Europe/Berlin, CEST UTC+02:00, CET UTC+01:00)",
        ),
        (
            at(2026, 3, 29, 0, 30), at(2026, 3, 29, 1, 30), "Europe/Berlin", "de-DE",
            "Sunday 29 March 2026, 01:30 to 03:30 (Europe/Berlin, CET UTC+01:00, CEST UTC+02:00)",
        ),
    ],
)  # fmt: skip
def test_a_span_is_shown_in_the_readers_zone_and_manner(
    starts_at: datetime, ends_at: datetime, zone: str, locale: str, shown: str
) -> None:
    """Also over midnight, with odd offsets, and in the hour in which the clocks change."""
    assert span(starts_at, ends_at, zone, locale) == shown


def test_the_same_session_is_in_another_offset_after_the_clocks_change() -> None:
    """The zone is a name, never an offset."""
    shown = [moment(at(2026, 10, day, 8), "Europe/Berlin", "de-DE") for day in (24, 26)]
    assert shown == ["Sat 24 Oct, 10:00", "Mon 26 Oct, 09:00"]


@pytest.mark.parametrize(
    ("minutes", "shown"), [(5, "5 minutes"), (60, "1 hour"), (61, "1 hour 1 minute"), (150, "2 hours 30 minutes")]
)
def test_a_duration_reads_as_one_says_it(minutes: int, shown: str) -> None:
    """Singular, plural, and no zero part."""
    assert duration(timedelta(minutes=minutes)) == shown


def test_a_subject_keeps_the_time_and_cuts_the_title() -> None:
    """The whole stands on one header line."""
    shown = subject("Confirmed", "x" * 500, "Tue 24 Nov, 10:00")
    assert len(shown) == LONGEST_SUBJECT
    assert shown.endswith("…, Tue 24 Nov, 10:00")


def test_a_line_is_one_line_and_a_paragraph_keeps_its_lines() -> None:
    """Control characters and direction overrides go, scripts and emoji stay."""
    assert line(" a\r\nb\t\x00c\u2028d \u202ee") == "a b c d e"
    assert line("משה 👩\u200d💻") == "משה 👩\u200d💻"
    assert paragraph("a \r\nb\x1b\n\n") == "a\nb"
