"""The rules of a host's time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_service.domain.catalog import Location
from booking_service.domain.refusals import (
    AlreadySo,
    BookingHasEnded,
    BookingIsCanceled,
    InThePast,
    NotBookable,
    OffTheGrid,
    TooFarAhead,
)
from booking_service.domain.session import LONGEST_AHEAD, STEP, Meeting, Session, WayIn, check_start
from tests.unit.booking_service.sessions import NOW, START, session

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
starts = st.integers(0, 5_000_000).map(lambda step: datetime(2020, 1, 1, tzinfo=UTC) + step * STEP)
durations = st.integers(1, 288).map(lambda steps: steps * 5)
buffers = st.integers(0, 288).map(lambda steps: steps * 5)
sessions = st.builds(
    lambda starts_at, duration, before, after: session(
        starts_at=starts_at, duration=duration, before=before, after=after
    ),
    starts,
    durations,
    buffers,
    buffers,
)
LINK = WayIn(1, "https://zoom.example/j/1", None, ())


def taken(some: Session) -> tuple[datetime, datetime]:
    before = timedelta(minutes=some.event_type.buffer_before_minutes)
    return some.starts_at - before, some.ends_at + timedelta(minutes=some.event_type.buffer_after_minutes)


@given(sessions)
def test_claims_cover_exactly_the_time_with_its_buffers(some: Session) -> None:
    steps = [EPOCH + int(claim.removeprefix("hst_1/")) * STEP for claim in some.claims()]

    begin, end = taken(some)
    assert (steps[0], steps[-1] + STEP) == (begin, end)
    assert steps == [begin + index * STEP for index in range(len(steps))]


@given(sessions, st.integers(-600, 600))
def test_two_sessions_share_a_claim_just_where_their_times_overlap(some: Session, steps_later: int) -> None:
    other = replace(some, starts_at=some.starts_at + steps_later * STEP)

    (begin, end), (others_begin, others_end) = taken(some), taken(other)
    overlap = begin < others_end and others_begin < end
    assert bool(set(some.claims()) & set(other.claims())) == overlap


@given(starts | st.datetimes(datetime(2026, 11, 1), datetime(2040, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_a_start_is_allowed_just_on_the_grid_and_within_reach(starts_at: datetime) -> None:
    instant = starts_at.astimezone(UTC)
    on_the_grid = not (instant - EPOCH) % STEP
    if on_the_grid and NOW < instant <= NOW + LONGEST_AHEAD:
        check_start(instant, NOW)
    else:
        with pytest.raises(NotBookable):
            check_start(instant, NOW)


@pytest.mark.parametrize(
    ("starts_at", "refusal"),
    [
        (NOW, InThePast),
        (NOW - STEP, InThePast),
        (NOW + timedelta(minutes=1), OffTheGrid),
        (NOW + timedelta(milliseconds=1), OffTheGrid),
        (NOW + LONGEST_AHEAD + STEP, TooFarAhead),
    ],
)
def test_a_start_elsewhere_is_refused(starts_at: datetime, refusal: type[NotBookable]) -> None:
    with pytest.raises(refusal):
        check_start(starts_at, NOW)


def test_moving_raises_the_revision_of_session_and_seat_and_keeps_the_tokens() -> None:
    before = session()

    after = before.rescheduled(START + timedelta(hours=1), NOW)

    assert (after.revision, after.seats[0].revision) == (2, 2)
    assert after.ends_at == START + timedelta(hours=1, minutes=30)
    assert after.seats[0].join_token == before.seats[0].join_token


def test_cancelling_cancels_the_seat_and_gives_it_back() -> None:
    after = session().canceled(NOW)

    assert (after.status, after.revision, after.seats_taken) == ("canceled", 2, 0)
    assert (after.seats[0].status, after.seats[0].revision) == ("canceled", 2)


def test_what_already_is_so_is_recognised() -> None:
    with pytest.raises(AlreadySo):
        session().rescheduled(START, NOW)
    with pytest.raises(AlreadySo):
        session().canceled(NOW).canceled(NOW)
    with pytest.raises(AlreadySo):
        session().canceled(NOW).canceled(START + timedelta(days=1))


def test_a_cancelled_session_is_not_moved() -> None:
    with pytest.raises(BookingIsCanceled):
        session().canceled(NOW).rescheduled(START + timedelta(hours=1), NOW)


def test_a_session_can_be_changed_until_the_moment_it_ends() -> None:
    end = START + timedelta(minutes=30)

    session().canceled(end - timedelta(milliseconds=1))
    with pytest.raises(BookingHasEnded):
        session().canceled(end)
    with pytest.raises(BookingHasEnded):
        session().rescheduled(START + timedelta(days=2), end)


@pytest.mark.parametrize(
    ("meeting", "status"),
    [
        (Meeting(), "pending"),
        (Meeting("ready", revision=1, session_revision=1, way_in=LINK), "ready"),
        (Meeting("ready", revision=1, session_revision=2, way_in=LINK), "ready"),
        (Meeting("ready", revision=9, session_revision=0, way_in=LINK), "pending"),
        (Meeting("failed", revision=1, session_revision=1), "failed"),
        (Meeting("failed", revision=9, session_revision=0), "pending"),
        (Meeting("canceled", revision=1, session_revision=1), "canceled"),
    ],
)
def test_a_meeting_is_pending_until_it_was_spoken_of_for_the_session_as_it_is(meeting: Meeting, status: str) -> None:
    assert session(meeting=meeting).meeting_status == status


def test_a_session_without_zoom_has_no_meeting() -> None:
    assert session(location=Location("phone", "+49 30 1")).meeting_status == "none"


def test_a_link_is_kept_while_the_session_moves_and_gone_when_it_is_cancelled() -> None:
    ready = session(meeting=Meeting("ready", revision=1, session_revision=1, way_in=LINK))

    moved = ready.rescheduled(START + timedelta(hours=1), NOW)

    assert (moved.meeting_status, moved.way_in) == ("pending", LINK)
    assert moved.canceled(NOW).way_in is None


def test_no_secret_shows_when_a_session_is_printed() -> None:
    text = repr(session(meeting=Meeting("ready", way_in=WayIn(1, "canary-url", "canary-passcode", ()))))

    for secret in ("join-token", "manage-token", "canary"):
        assert secret not in text
