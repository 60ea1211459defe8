"""What is told: everything once, and nothing that Zoom has not accepted."""

from dataclasses import replace
from datetime import timedelta

from convoke.contracts import Location
from meeting_service.domain.announcements import Announcement, announce
from meeting_service.domain.meeting import Seat, SessionMeeting
from meeting_service.domain.reasons import reason
from tests.unit.meeting_service.sessions import CREATED, KEY, NOW, session, wanted, with_meeting

SEAT = CREATED.booking.id


def told(state: SessionMeeting) -> tuple[SessionMeeting, Announcement | None]:
    return announce(state, KEY)


def test_a_new_meeting_is_told_to_the_seat_once():
    state, announcement = told(with_meeting(wanted()))
    assert announcement == Announcement("ready", (SEAT,), "created")
    assert told(state) == (state, None)


def test_nothing_is_told_before_there_is_a_meeting():
    assert told(wanted())[1] is None


def test_a_time_that_zoom_has_not_accepted_is_not_told():
    state, _ = told(with_meeting(wanted()))
    moved = replace(state, session=session(revision=2, starts_at=session().starts_at + timedelta(minutes=5)))
    assert told(moved)[1] is None


def test_f27_a_late_attendee_is_told_alone():
    state, _ = told(with_meeting(wanted()))
    late = CREATED.booking.model_copy(update={"id": "bkg_late"})
    _, announcement = told(replace(state, seats={**state.seats, late.id: Seat(late)}))
    assert announcement == Announcement("ready", (late.id,), "unchanged")


def test_a_canceled_seat_is_not_told_of_a_meeting():
    canceled = CREATED.booking.model_copy(update={"status": "canceled"})
    assert told(replace(with_meeting(wanted()), seats={SEAT: Seat(canceled)}))[1] is None


def test_a_failure_is_told_when_its_reason_changes():
    retry_at = NOW + timedelta(seconds=1)
    state, first = told(wanted().failed(reason("zoom_unavailable", "", retry_at), retry_at))
    assert first == Announcement("failed", (SEAT,))
    state, again = told(state.failed(reason("zoom_unavailable", "", retry_at), retry_at))
    assert again is None
    _, other = told(state.failed(reason("zoom_scope_missing", "", retry_at), retry_at))
    assert other == Announcement("failed", (SEAT,))


def test_a_failed_change_that_was_taken_back_is_ready_again():
    state, _ = told(with_meeting(wanted()))
    failed, announcement = told(
        replace(state, session=session(revision=2, title="Other")).failed(reason("zoom_rejected", "", NOW), NOW)
    )
    assert announcement == Announcement("failed", (SEAT,))
    _, announcement = told(replace(failed, session=session(revision=3)))
    assert announcement == Announcement("ready", (SEAT,), "unchanged")


def test_a_zoom_session_that_was_called_off_before_anything_was_told_is_told_once():
    state, announcement = told(replace(wanted(), session=session(status="canceled")))
    assert announcement == Announcement("canceled", (SEAT,))
    assert told(state)[1] is None


def test_a_session_without_zoom_is_never_told_of():
    phone = Location(kind="phone", detail="+49 30 1")
    assert told(wanted(location=phone))[1] is None
    assert told(wanted(location=phone, status="canceled"))[1] is None


def test_a_meeting_that_cannot_be_deleted_is_told_as_a_failure():
    state, _ = told(with_meeting(wanted()))
    canceled = CREATED.booking.model_copy(update={"status": "canceled", "revision": 2})
    state = replace(state, session=session(status="canceled", revision=2), seats={SEAT: Seat(canceled)})
    state, announcement = told(state.failed(reason("zoom_reauthorization_required", "", NOW), NOW))
    assert announcement == Announcement("failed", (SEAT,))
    assert told(state.gone())[1] == Announcement("canceled", (SEAT,))


def test_the_end_of_a_meeting_is_told_once():
    state, _ = told(with_meeting(wanted()))
    state = replace(state, session=session(revision=2, status="canceled")).gone()
    state, announcement = told(state)
    assert announcement == Announcement("canceled", (SEAT,))
    assert told(state)[1] is None


def test_each_announcement_has_a_higher_revision():
    first, _ = told(with_meeting(wanted()))
    second, _ = told(with_meeting(first.gone(), generation=2))
    assert 0 < first.meeting_revision < second.meeting_revision
