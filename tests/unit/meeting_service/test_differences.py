"""What differs between a Zoom user's list and our sessions, each by its kind."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from meeting_service.domain.at_zoom import Condemned
from meeting_service.domain.differences import Listed, differences, sessions_of
from meeting_service.domain.marker import MarkerKey, Reference
from meeting_service.domain.meeting import SessionMeeting
from tests.unit.meeting_service.sessions import KEY, NOW, seen, session, wanted, with_intent, with_meeting

OWN, OTHER = 81234567890, 82222222222
ID = session().id
AS_IT_IS = seen(session())


def kinds(state: SessionMeeting | None, *listed: Listed, before: dict[str, int] | None = None) -> list[str]:
    sessions = {ID: state} if state else {}
    known = {ID: OWN} if before is None else before
    return [one.kind for one in differences(listed, known, sessions, KEY, NOW)]


def test_what_is_as_it_should_be_is_no_difference():
    assert kinds(with_meeting(wanted()), Listed(OWN, AS_IT_IS)) == []


def test_a_list_cuts_the_agenda_and_that_is_no_difference():
    long = seen(session(), agenda=AS_IT_IS.agenda.ljust(400, "x"))
    state = with_meeting(wanted())
    assert state.meeting
    state = replace(state, meeting=replace(state.meeting, seen=long))
    assert kinds(state, Listed(OWN, long.as_listed(250))) == []


@pytest.mark.parametrize(
    "change",
    [{"topic": "x"}, {"starts_at": NOW}, {"minutes": 5}, {"agenda": "no mark"}],
    ids=lambda change: str(*change),
)
def test_what_was_changed_in_zoom_is_found(change: dict[str, Any]):
    assert kinds(with_meeting(wanted()), Listed(OWN, replace(AS_IT_IS, **change))) == ["changed"]


def test_a_flagged_change_is_told_as_such():
    moved = replace(AS_IT_IS, starts_at=NOW)
    assert kinds(replace(with_meeting(wanted()), differs=moved), Listed(OWN, moved)) == ["flagged"]


def test_a_meeting_that_is_not_listed_is_missing():
    assert kinds(with_meeting(wanted())) == ["missing"]


def test_what_was_made_or_replaced_while_the_list_was_read_is_not_missing():
    assert kinds(with_meeting(wanted()), before={}) == []
    assert kinds(with_meeting(wanted(), zoom_id=OTHER)) == []


def test_what_has_begun_is_not_missing():
    begun = with_meeting(wanted(starts_at=NOW - timedelta(minutes=5)))
    assert kinds(begun) == []


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (with_meeting(wanted()), "twin"),
        (wanted(), "unclaimed"),
        (wanted(status="canceled", seats_taken=0), "twin"),
        (None, "orphan"),
        (with_intent(wanted()), "in_doubt"),
        (replace(wanted(), condemned=(Condemned(OTHER, "zcn_1", "host-1"),)), "to_delete"),
    ],
)
def test_a_meeting_with_our_mark_that_is_no_sessions_own(state: SessionMeeting | None, kind: str):
    own = [Listed(OWN, AS_IT_IS)] if state and state.meeting else []
    assert kinds(state, *own, Listed(OTHER, AS_IT_IS)) == [kind]


def test_a_canceled_sessions_meeting_is_still_to_be_deleted():
    canceled = with_meeting(wanted(status="canceled", seats_taken=0))
    assert kinds(canceled, Listed(OWN, AS_IT_IS)) == ["to_delete"]


def test_no_other_signature_is_ever_ours():
    reference = Reference(ID, 1)
    forged = MarkerKey(b"x" * 32).marker(reference)
    foreign = [Listed(OTHER, seen(session(), agenda=agenda)) for agenda in (forged, "", f"see {KEY.marker(reference)}")]
    assert kinds(wanted(), *foreign, before={}) == []
    assert sessions_of(foreign, KEY) == set()
