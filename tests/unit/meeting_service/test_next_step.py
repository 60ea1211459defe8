"""The one next step: what is done, and before what."""

from dataclasses import replace
from datetime import timedelta

import pytest

from convoke.contracts import Location
from meeting_service.domain.at_zoom import Condemned
from meeting_service.domain.meeting import DOUBT_LASTS, SessionMeeting
from meeting_service.domain.reasons import reason
from meeting_service.domain.steps import Create, Delete, Resolve, Rest, Update, Withdraw, next_step
from tests.unit.meeting_service.sessions import KEY, NOW, body, seen, session, wanted, with_intent, with_meeting


def moved(state: SessionMeeting) -> SessionMeeting:
    later = state.session.model_copy(
        update={
            "revision": state.session.revision + 1,
            "starts_at": state.session.starts_at + timedelta(hours=2),
            "ends_at": state.session.ends_at + timedelta(hours=2),
        }
    )
    return replace(state, session=later)


def test_a_wanted_session_without_a_meeting_creates_the_first_generation():
    assert next_step(wanted(), KEY, NOW) == Create(1, body(session()))


def test_a_session_whose_meeting_is_as_wanted_rests():
    assert next_step(with_meeting(wanted()), KEY, NOW) == Rest(None)


def test_a_moved_session_updates_its_meeting():
    state = moved(with_meeting(wanted()))
    assert state.meeting
    assert next_step(state, KEY, NOW) == Update(state.meeting, body(state.session))


@pytest.mark.parametrize(
    "unwanted",
    [
        {"status": "canceled"},
        {"seats_taken": 0},
        {"location": Location(kind="phone", detail="+49 30 1")},
        {"manual_link": "https://meet.example/x"},
    ],
)
def test_a_session_that_no_longer_wants_a_meeting_withdraws_it(unwanted: dict[str, object]):
    state = with_meeting(wanted())
    state = replace(state, session=session(**unwanted))
    assert state.meeting
    assert next_step(state, KEY, NOW) == Withdraw(state.meeting)
    assert next_step(replace(state, meeting=None), KEY, NOW) == Rest(None)


def test_a_create_in_doubt_is_left_alone_and_then_resolved_before_anything_else():
    state = with_intent(wanted())
    assert state.intent
    assert next_step(state, KEY, NOW) == Rest(NOW + DOUBT_LASTS)
    assert next_step(state, KEY, NOW + DOUBT_LASTS) == Resolve(state.intent)
    canceled = replace(state, session=session(status="canceled", revision=2))
    assert next_step(canceled, KEY, NOW + DOUBT_LASTS) == Resolve(state.intent)


def test_what_a_create_that_had_no_effect_is_repeated_under_is_the_same_generation():
    state = with_intent(wanted()).not_created()
    assert next_step(state, KEY, NOW) == Create(1, body(session()))


def test_after_a_meeting_is_gone_the_next_one_has_a_generation_of_its_own():
    state = with_meeting(wanted()).gone()
    assert next_step(state, KEY, NOW) == Create(2, body(session(), 2))


def test_a_raised_generation_creates_first_and_deletes_the_old_one_after_that():
    state = replace(with_meeting(wanted()), session=session(wanted_generation=2, revision=2))
    step = next_step(state, KEY, NOW)
    assert isinstance(step, Create)
    assert step.generation == 2


def test_twins_are_deleted_when_the_session_has_what_it_wants():
    twin = Condemned(99, "zcn_1", "host-1")
    assert next_step(replace(with_meeting(wanted()), condemned=(twin,)), KEY, NOW) == Delete(twin)


def test_a_session_that_has_ended_is_left_as_it_is():
    after = session().ends_at
    assert next_step(wanted(), KEY, after) == Rest(None)
    assert next_step(moved(with_meeting(wanted())), KEY, after + timedelta(hours=3)) == Rest(None)


@pytest.mark.parametrize("code", ["zoom_unavailable", "zoom_daily_limit"])
def test_what_time_mends_waits_for_its_time_whatever_changes(code: str):
    later = NOW + timedelta(minutes=5)
    state = moved(wanted().failed(reason(code, "", later), later))  # type: ignore[arg-type]
    assert next_step(state, KEY, NOW) == Rest(later)
    assert isinstance(next_step(state, KEY, later), Create)


@pytest.mark.parametrize("code", ["zoom_rejected", "zoom_not_connected"])
def test_what_people_mend_is_tried_again_when_the_session_changes(code: str):
    later = NOW + timedelta(hours=1)
    failed = wanted().failed(reason(code, "", later), later)  # type: ignore[arg-type]
    assert next_step(failed, KEY, NOW) == Rest(later)
    assert isinstance(next_step(moved(failed), KEY, NOW), Create)


def test_a_cancel_does_not_wait_for_a_limit_that_counts_creates_and_updates_only():
    midnight = NOW + timedelta(hours=12)
    limited = with_meeting(wanted()).failed(reason("zoom_daily_limit", "", midnight), midnight)
    assert limited.meeting
    canceled = replace(limited, session=session(status="canceled", revision=2))
    assert next_step(canceled, KEY, NOW) == Withdraw(limited.meeting)


def test_a_refused_delete_waits_although_the_limit_does_not_count_it():
    midnight = NOW + timedelta(hours=12)
    canceled = replace(with_meeting(wanted()), session=session(status="canceled", revision=2))
    assert next_step(canceled.failed(reason("zoom_daily_limit", "", midnight), midnight), KEY, NOW) == Rest(midnight)


def test_a_twin_that_cannot_be_deleted_holds_up_nothing_else():
    later, twin = NOW + timedelta(hours=1), Condemned(99, "zcn_1", "host-1")
    state = replace(with_meeting(wanted()), condemned=(twin,)).delayed(twin.id, later)
    assert next_step(state, KEY, NOW) == Rest(later)
    assert isinstance(next_step(moved(state), KEY, NOW), Update)
    assert next_step(state, KEY, later) == Delete(twin)


def test_what_may_have_been_overtaken_is_told_to_zoom_again():
    state = replace(with_meeting(wanted()), is_unsure=True)
    assert state.meeting
    assert next_step(state, KEY, NOW) == Update(state.meeting, body(state.session))
    told = state.updated(body(state.session), state.meeting.way_in, seen(state.session), NOW)
    assert next_step(told, KEY, NOW) == Rest(None)
