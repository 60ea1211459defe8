"""What a plan counts of each state, and what it leaves out."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from convoke.contracts import Location
from convoke.contracts.meetings import FailureCode
from meeting_service.domain.at_zoom import Condemned, Seen
from meeting_service.domain.connections import Connection, Connections
from meeting_service.domain.meeting import Seat, SessionMeeting
from meeting_service.domain.reasons import reason
from meeting_service.domain.repairs import RepairPlan, plan_of, repair_of
from tests.unit.meeting_service.sessions import CREATED, KEY, NOW, session, wanted, with_intent, with_meeting

LONG_AGO = NOW - timedelta(days=100)
HOST = CREATED.session.host.id
PEOPLE = 2


def connection(**changes: Any) -> Connection:
    return replace(Connection("zcn_1", None, "host-1", LONG_AGO), **changes)


SAME_USER = Connections([connection()])
ANOTHER_USER = Connections([connection(zoom_user_id="host-2")])
BROKEN = Connections([connection(lacks="zoom_reauthorization_required")])
NEVER = Connections([])


def plan(*states: SessionMeeting, connections: Connections = SAME_USER, now: datetime = NOW) -> RepairPlan:
    repairs = [repair_of(state, connections, KEY, now) for state in states]
    return plan_of(repair for repair in repairs if repair)


def moved(state: SessionMeeting) -> SessionMeeting:
    later = state.session.starts_at + timedelta(hours=2)
    changed = session(revision=2, starts_at=later, ends_at=later + timedelta(minutes=45))
    return replace(state, session=changed)


def canceled(state: SessionMeeting) -> SessionMeeting:
    return replace(state, session=session(revision=2, status="canceled", seats_taken=0))


def parked(state: SessionMeeting, code: FailureCode) -> SessionMeeting:
    until = NOW + timedelta(hours=1)
    return state.failed(reason(code, "", until), until)


def booked_at(moment: datetime) -> SessionMeeting:
    return replace(wanted(), desired_at=moment)


def test_nothing_is_owed_where_zoom_has_what_is_wanted():
    assert plan(with_meeting(wanted()), canceled(wanted()), wanted(location=Location(kind="phone"))) == RepairPlan()


def test_b1_links_to_add_times_to_fix_and_meetings_to_delete_are_counted_whatever_they_wait_for():
    owed = (wanted(), moved(with_meeting(wanted())), canceled(with_meeting(wanted())))
    expected = RepairPlan(links_to_add=1, times_to_fix=1, meetings_to_delete=1, people_to_mail=PEOPLE)
    assert plan(*owed) == expected
    assert plan(*(parked(state, "zoom_not_connected") for state in owed)) == expected


def test_b2_past_sessions_and_links_set_by_hand_are_left_out():
    by_hand = wanted(manual_link="https://meet.example/1")
    assert plan(wanted(), moved(with_meeting(wanted())), now=NOW + timedelta(days=9)) == RepairPlan()
    assert plan(by_hand) == RepairPlan()


def test_only_confirmed_seats_and_their_host_are_mailed_each_once():
    left = CREATED.booking.invitee.model_copy(update={"email": "left@guest.example"})
    gone = Seat(CREATED.booking.model_copy(update={"status": "canceled", "invitee": left}))
    with_one_gone = replace(wanted(), seats={**wanted().seats, "bkg_2": gone})
    assert plan(with_one_gone, moved(with_meeting(wanted()))).people_to_mail == PEOPLE


def test_what_is_said_of_a_meeting_besides_its_time_is_fixed_without_a_mail():
    renamed = replace(with_meeting(wanted()), session=session(revision=2, title="Another title"))
    assert plan(renamed) == RepairPlan(details_to_fix=1)


def test_a_booking_from_before_the_first_connection_stands_apart():
    earlier, later = booked_at(LONG_AGO - timedelta(days=1)), booked_at(LONG_AGO)
    assert plan(earlier) == RepairPlan(earlier_links=1, people_to_mail_about_earlier=PEOPLE)
    assert plan(later, replace(earlier, is_included=True)).links_to_add == 2
    assert plan(later, connections=NEVER) == RepairPlan(
        earlier_links=1, people_to_mail_about_earlier=PEOPLE, lacking={"zoom_not_connected": 1}
    )


def test_the_first_of_the_hosts_own_and_the_organizations_connection_counts():
    own = connection(id="zcn_2", host_id=HOST, since=NOW)
    assert plan(booked_at(LONG_AGO), connections=Connections([connection(), own])).links_to_add == 1
    assert plan(booked_at(LONG_AGO), connections=Connections([own])).earlier_links == 1


def test_with_another_zoom_user_links_are_replaced_and_meetings_left_behind():
    """Also those of bookings that nobody has changed: their meetings are out of reach."""
    owed = (with_meeting(wanted()), moved(with_meeting(wanted())), canceled(with_meeting(wanted())))
    assert plan(*owed, connections=ANOTHER_USER) == RepairPlan(
        links_to_replace=2, meetings_left_behind=3, people_to_mail=PEOPLE
    )
    assert plan(*owed) == RepairPlan(times_to_fix=1, meetings_to_delete=1, people_to_mail=PEOPLE)


def test_what_was_left_behind_before_is_told_and_not_begun_again():
    left = replace(with_meeting(wanted()), condemned=(Condemned(1, "zcn_1", "host-0"),))
    repair = repair_of(left, SAME_USER, KEY, NOW)
    assert repair is not None
    assert not repair.is_due
    assert plan(left) == RepairPlan(meetings_left_behind=1)
    assert plan(left, connections=Connections([connection(zoom_user_id="host-0")])).meetings_to_delete == 1


def test_a_create_in_doubt_of_another_zoom_user_is_a_link_to_add():
    assert plan(with_intent(wanted()), connections=ANOTHER_USER) == RepairPlan(links_to_add=1, people_to_mail=PEOPLE)


def test_a_create_in_doubt_of_an_ended_connection_is_a_link_to_add_where_another_one_stands_in():
    ended = connection(host_id=HOST, lacks="zoom_not_connected")
    for known, owed in (
        ((ended, connection(id="zcn_2")), RepairPlan(links_to_add=1, people_to_mail=PEOPLE)),
        ((ended,), RepairPlan(creates_in_doubt=1, lacking={"zoom_not_connected": 1})),
    ):
        assert plan(with_intent(wanted()), connections=Connections(known)) == owed


def test_a_meeting_that_has_begun_keeps_those_who_are_in_it():
    begun = wanted().session.starts_at
    assert plan(with_meeting(wanted()), connections=ANOTHER_USER, now=begun) == RepairPlan()


def test_a_time_that_was_changed_inside_zoom_is_restored_without_a_mail():
    state = with_meeting(wanted())
    assert state.meeting is not None
    shown = Seen(state.session.title, state.session.starts_at + timedelta(hours=1), 45, "")
    changed = replace(state, meeting=replace(state.meeting, seen=shown).to_be_restored())
    assert plan(changed) == RepairPlan(times_to_fix=1)


def test_a_link_that_is_asked_for_anew_replaces_the_old_one():
    again = replace(with_meeting(wanted()), session=session(revision=2, wanted_generation=2))
    assert plan(again) == RepairPlan(links_to_replace=1, meetings_to_delete=1, people_to_mail=PEOPLE)


def test_a_create_in_doubt_is_neither_a_link_to_add_nor_nothing():
    assert plan(with_intent(wanted()), canceled(with_intent(wanted()))) == RepairPlan(creates_in_doubt=2)


def test_a_broken_connection_is_named_as_what_the_work_waits_for():
    owed = (wanted(), moved(with_meeting(wanted())), canceled(with_meeting(wanted())))
    found = plan(*owed, connections=BROKEN)
    assert (found.links_to_add, found.times_to_fix, found.meetings_to_delete) == (1, 1, 1)
    assert found.lacking == {"zoom_reauthorization_required": 3}


def test_a_pause_holds_up_new_meetings_only():
    paused = Connections([connection(is_enabled=False)])
    assert plan(wanted(), moved(with_meeting(wanted())), connections=paused).lacking == {"zoom_paused": 1}


def test_what_only_zoom_can_tell_is_named_as_well():
    assert plan(parked(wanted(), "zoom_scope_missing")).lacking == {"zoom_scope_missing": 1}


@pytest.mark.parametrize("code", ["zoom_daily_limit", "zoom_rate_limited", "zoom_unavailable", "zoom_rejected"])
def test_what_is_parked_for_something_else_is_in_no_other_number(code: FailureCode):
    assert plan(parked(wanted(), code)) == RepairPlan(parked={code: 1})


def test_a_hosts_own_connection_makes_the_meetings_unless_it_was_ended():
    shared, own = connection(), connection(id="zcn_2", host_id=HOST)
    broken = replace(own, lacks="zoom_reauthorization_required")
    ended = replace(own, lacks="zoom_not_connected")
    for known, maker in (
        ((shared, own), own),
        ((shared, broken), broken),
        ((shared, ended), shared),
        ((ended,), ended),
        ((shared,), shared),
        ((), None),
    ):
        assert Connections(known).of_host(HOST) == maker
