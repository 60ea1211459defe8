"""What Zoom is sent, within its limits, and the mark in it."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from convoke.contracts import ZoomOptions
from meeting_service.domain.body import body_of, has_start_of
from meeting_service.domain.marker import MarkerKey, Reference
from tests.unit.meeting_service.sessions import KEY, session

REFERENCE = Reference("ses_1", 3)


@given(title=st.text(max_size=400), description=st.text(max_size=4000))
def test_every_text_fits_and_the_mark_survives_the_cut_of_a_list_answer(title: str, description: str):
    sent = body_of(session(title=title, description=description), KEY.marker(REFERENCE))
    assert len(sent["topic"]) <= 200
    assert len(sent["agenda"]) <= 2000
    assert KEY.find(sent["agenda"][:250]) == REFERENCE


def test_f32_the_start_is_gmt_in_the_one_form_that_zoom_documents_and_the_duration_in_minutes():
    sent = body_of(session(), "")
    assert (sent["start_time"], sent["duration"], sent["timezone"]) == ("2026-12-01T09:00:00Z", 45, "Europe/Berlin")


def test_f31_settings_that_the_host_did_not_choose_are_left_to_the_hosts_account():
    assert body_of(session(zoom=ZoomOptions()), "")["settings"] == {"use_pmi": False}
    chosen = ZoomOptions(waiting_room=False, alternative_hosts=("a@x.example", "b@x.example"))
    assert body_of(session(zoom=chosen), "")["settings"] == {
        "use_pmi": False,
        "waiting_room": False,
        "alternative_hosts": "a@x.example;b@x.example",
    }


def test_a_part_of_a_minute_is_rounded_up():
    assert body_of(session(ends_at=session().starts_at + timedelta(minutes=5, seconds=1)), "")["duration"] == 6


def test_b4_a_mark_made_with_another_key_or_for_another_meeting_is_not_ours():
    assert KEY.find(MarkerKey(b"x" * 32).marker(REFERENCE)) is None
    assert KEY.find(KEY.marker(REFERENCE).replace(".3.", ".4.")) is None
    assert KEY.find("no mark at all") is None
    assert KEY.find("moved behind " + KEY.marker(REFERENCE)) is None


def test_after_a_change_of_keys_old_marks_are_still_ours_and_new_ones_are_of_the_first():
    new = MarkerKey(b"n" * 32, b"k" * 32)
    assert new.find(KEY.marker(REFERENCE)) == REFERENCE
    assert KEY.find(new.marker(REFERENCE)) is None


def test_a_start_is_compared_as_zoom_writes_it():
    sent = body_of(session(), "")
    assert has_start_of(sent, session().starts_at.astimezone(ZoneInfo("Asia/Kolkata")))
    assert has_start_of(sent, None)
    assert not has_start_of(sent, session().starts_at + timedelta(minutes=5))
