"""Which mail a side is owed follows from what it was told, whatever the order of the events."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from convoke.contracts import BookingCanceled, BookingRescheduled, Location, MeetingReady
from convoke.messaging.cloudevents import Event
from notifier.domain.deliveries import (
    REASON_WITHIN,
    Correspondence,
    Delivery,
    State,
    due_at,
    kind_owed,
    owed,
    with_deliveries,
    without_overtaken,
)
from notifier.domain.snapshot import Snapshot, UnsafeLink, is_https, with_booking, with_meeting
from tests.unit.notifier.bookings import PHONE, Story

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = timedelta(hours=1)


def learned(*events: Event[Any], known: Snapshot | None = None) -> Snapshot:
    for event in events:
        if isinstance(event.data, MeetingReady):
            known = with_meeting(known, event.data, event.time)
        else:
            reason = event.data.reason if isinstance(event.data, BookingCanceled | BookingRescheduled) else None
            known = with_booking(known, event.data.booking, event.data.session, event.time, reason)
    assert known
    return known


def told(snapshot: Snapshot, state: State = "sent") -> tuple[Delivery, ...]:
    """Return the deliveries after both sides were told a snapshot, in the given state."""
    correspondence = Correspondence("bkg", "org", snapshot)
    return tuple(replace(delivery, state=state) for delivery in owed(correspondence, NOW))


def kinds(snapshot: Snapshot, deliveries: tuple[Delivery, ...] = ()) -> list[tuple[str, str | None]]:
    """Return kind and calendar method of what the host is owed."""
    correspondence = Correspondence("bkg", "org", snapshot, deliveries, sequence=len(deliveries))
    correspondence = without_overtaken(correspondence, NOW)
    return [
        (delivery.kind, delivery.calendar_method)
        for delivery in owed(correspondence, NOW)
        if delivery.recipient == "host"
    ]


FIRST = Story(starts_at=datetime(2026, 12, 1, 9, tzinfo=UTC))
MOVED = FIRST.next(starts_at=FIRST.starts_at + LATER, meeting_revision=2)
RELINKED = FIRST.next(meeting_revision=2, join_url="https://us05web.zoom.us/j/89999999999")
NEW_PASSCODE = FIRST.next(meeting_revision=2, passcode="other")
RENAMED = FIRST.next(title="Another title", meeting_revision=2)
GONE = FIRST.next(canceled=True)
CONFIRMATION = ("confirmation", "REQUEST")


@pytest.mark.parametrize(
    ("before", "events", "expected"),
    [
        (None, [FIRST.created()], []),
        (None, [FIRST.ready()], [CONFIRMATION]),
        (None, [MOVED.ready()], [CONFIRMATION]),
        (None, [GONE.canceled_event()], [("cancellation", None)]),
        (FIRST, [MOVED.rescheduled()], []),
        (FIRST, [MOVED.rescheduled(), MOVED.ready()], [("rescheduled", "REQUEST")]),
        (FIRST, [FIRST.next(minutes=60, meeting_revision=2).ready()], [("rescheduled", "REQUEST")]),
        (FIRST, [RELINKED.ready()], [("link_changed", "REQUEST")]),
        (FIRST, [NEW_PASSCODE.ready()], [("link_changed", "REQUEST")]),
        (FIRST, [RENAMED.updated(), RENAMED.ready()], []),
        (FIRST, [FIRST.ready()], []),
        (FIRST, [GONE.canceled_event()], [("cancellation", "CANCEL")]),
        (FIRST, [FIRST.next(location=PHONE).updated()], [("link_changed", "REQUEST")]),
        (FIRST, [FIRST.next(manual_link="https://meet.example/1").updated()], [("link_changed", "REQUEST")]),
        (GONE, [GONE.canceled_event()], []),
        (GONE, [FIRST.ready(), FIRST.created()], []),
    ],
)
def test_the_mail_follows_from_what_was_told_before(
    before: Story | None, events: list[Event[Any]], expected: list[tuple[str, str | None]]
) -> None:
    """The table of decisions: what was told, what is known now, what is owed."""
    known = learned(before.canceled_event() if before.canceled else before.ready()) if before else None
    deliveries = told(known) if known else ()
    assert kinds(learned(*events, known=known), deliveries) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("sent", ("rescheduled", "REQUEST")),
        ("sending", ("rescheduled", "REQUEST")),
        ("in_doubt", ("rescheduled", "REQUEST")),
        ("waiting", CONFIRMATION),
        ("superseded", CONFIRMATION),
        ("failed", CONFIRMATION),
        ("too_late", CONFIRMATION),
    ],
)
def test_what_may_have_left_counts_as_told_and_what_has_not_does_not(state: State, expected: tuple[str, str]) -> None:
    """A mail that perhaps arrived must be corrected; one that certainly did not is simply replaced."""
    first = learned(FIRST.ready())
    assert kinds(learned(MOVED.ready(), known=first), told(first, state)) == [expected]


@pytest.mark.parametrize(("state", "method"), [("sending", "CANCEL"), ("in_doubt", "CANCEL"), ("waiting", None)])
def test_a_cancel_needs_a_request_that_may_have_left(state: State, method: str | None) -> None:
    """Otherwise the cancellation is a mail without a calendar part."""
    first = learned(FIRST.ready())
    assert kinds(learned(GONE.canceled_event(), known=first), told(first, state)) == [("cancellation", method)]


@pytest.mark.parametrize("state", ["sending", "waiting"])
def test_a_mail_under_way_is_sent_again_and_not_planned_anew(state: State) -> None:
    """As long as it says what there is to say, the stored mail is the one to send."""
    snapshot = learned(FIRST.ready())
    deliveries = told(snapshot, state)
    renamed = learned(RENAMED.updated(), known=snapshot)
    assert owed(Correspondence("bkg", "org", renamed, deliveries, sequence=1), NOW) == deliveries


@pytest.mark.parametrize(("state", "after"), [("sending", "in_doubt"), ("waiting", "superseded")])
def test_a_mail_under_way_that_is_untrue_is_dropped(state: State, after: State) -> None:
    """Nothing old is sent once something newer is known."""
    first = learned(FIRST.ready())
    correspondence = Correspondence("bkg", "org", learned(MOVED.ready(), known=first), told(first, state), sequence=1)
    assert {delivery.state for delivery in without_overtaken(correspondence, NOW).deliveries} == {after}


def test_a_failed_mail_is_not_tried_again_at_the_same_revision() -> None:
    """A refusal is final until something new is to be told."""
    snapshot = learned(FIRST.ready())
    assert kinds(snapshot, told(snapshot, "failed")) == []


def test_there_and_back_again_before_anything_left_is_no_news() -> None:
    """Moved and moved back while the mail server was down: who knows the first time needs no mail."""
    first = learned(FIRST.ready())
    back = MOVED.next(starts_at=FIRST.starts_at, meeting_revision=3)
    assert kinds(learned(MOVED.ready(), back.ready(), known=first), told(first)) == []


def test_b5_every_order_of_the_events_ends_in_the_same_knowledge() -> None:
    """Reversed, doubled or mixed: the newest booking with the meeting that fits it."""
    events = [FIRST.created(), FIRST.ready(), MOVED.rescheduled(), MOVED.ready()]
    for order in permutations(events):
        snapshot = learned(*order, *events)
        assert snapshot.session.starts_at == MOVED.starts_at
        assert snapshot.meeting == MOVED.meeting


def test_a_meeting_that_was_ready_for_another_time_is_not_announced() -> None:
    """Zoom has accepted the old time only, even if its event comes after the new one."""
    snapshot = learned(FIRST.created(), MOVED.rescheduled(), FIRST.ready())
    assert snapshot.meeting is None
    assert not snapshot.is_complete


def test_a_new_title_does_not_hold_back_the_mail_of_a_ready_meeting() -> None:
    """Same time, same place: the meeting that is ready still fits, in both orders."""
    for events in ([FIRST.ready(), RENAMED.updated()], [FIRST.created(), RENAMED.updated(), FIRST.ready()]):
        snapshot = learned(*events)
        assert snapshot.meeting == FIRST.meeting
        assert snapshot.session.title == "Another title"


def test_a_corrected_meeting_wins_over_an_older_one_of_the_same_booking_revision() -> None:
    """meeting.revision orders what happens within one booking revision."""
    corrected = FIRST.next(revision=1, meeting_revision=3, passcode="new")
    for order in permutations([FIRST.ready(), corrected.ready(), FIRST.created()]):
        assert learned(*order).passcode == "new"


def test_the_meeting_of_before_is_forgotten_when_the_place_changes() -> None:
    """From Zoom to the phone and back: the old meeting is deleted, a late word of it must not be mailed."""
    by_phone = FIRST.next(location=PHONE)
    zoom_again = by_phone.next(location=Location(kind="zoom"))
    snapshot = learned(FIRST.ready(), by_phone.updated(), zoom_again.updated(), FIRST.ready())
    assert not snapshot.is_complete


def test_every_order_of_the_events_ends_with_the_reason_of_the_newest_time() -> None:
    """Also where Zoom's word of the new time comes first, and where a new title comes later."""
    for order in permutations([FIRST.created(), MOVED.rescheduled("Train strike"), MOVED.ready()]):
        assert learned(*order).reason == "Train strike"
        assert learned(*order, MOVED.next(title="Another title").updated()).reason == "Train strike"
        assert learned(*order, MOVED.next(canceled=True).canceled_event()).reason is None


def test_only_a_new_time_without_its_own_event_waits_for_the_reason() -> None:
    """The usual order, and every other mail, leaves at once."""
    first, renamed = learned(FIRST.created(), FIRST.ready()), learned(FIRST.created(), RENAMED.ready())
    awaited = learned(MOVED.ready(), known=first)
    heard = learned(MOVED.rescheduled(), known=awaited)
    usual = learned(MOVED.rescheduled(), MOVED.ready(), known=first)
    dues = [
        due_at(Correspondence("bkg", "org", snapshot, told(first)), NOW) for snapshot in (awaited, heard, usual, first)
    ]
    assert dues == [NOW + REASON_WITHIN, NOW, NOW, None]
    assert due_at(Correspondence("bkg", "org", renamed), NOW) == NOW


def test_an_event_that_is_not_newer_changes_nothing() -> None:
    """The same object comes back, so that nothing is written."""
    snapshot = learned(FIRST.ready(), FIRST.created())
    for event in (FIRST.created(), FIRST.ready(), FIRST.updated()):
        assert learned(event, known=snapshot) is snapshot


def test_only_calendar_mails_raise_the_sequence_and_both_sides_share_it() -> None:
    """SEQUENCE counts what calendars were told."""
    correspondence = Correspondence("bkg", "org", learned(FIRST.ready()))
    mails = owed(correspondence, NOW)
    assert [mail.sequence for mail in mails] == [0, 0]
    assert with_deliveries(correspondence, mails).sequence == 1
    plain = Correspondence("bkg", "org", learned(GONE.canceled_event()))
    assert with_deliveries(plain, owed(plain, NOW)).sequence == 0


def test_the_id_of_a_mail_follows_from_what_it_is_about() -> None:
    """Two processes that plan the same mail give it the same id; another kind, side or revision another one."""
    first, moved = learned(FIRST.ready()), learned(MOVED.ready())
    ids = [delivery.id for snapshot in (first, first, moved) for delivery in told(snapshot)]
    assert ids[:2] == ids[2:4]
    assert len(set(ids)) == 4


def test_microseconds_make_no_other_time() -> None:
    """MongoDB keeps milliseconds and a calendar seconds: neither may look like a new time."""
    odd = FIRST.next(starts_at=FIRST.starts_at + timedelta(microseconds=7))
    first = learned(FIRST.ready())
    (delivery, _) = told(first)
    assert kind_owed(learned(odd.ready(), known=first), delivery) is None


@pytest.mark.parametrize(
    "link",
    [
        "http://us05web.zoom.us/j/1",
        "javascript:alert(1)",
        "https://",
        "https:///j/1",
        'https://us05web.zoom.us/j/1"onclick="x',
        "https://us05web.zoom.us/j/1\r\nBCC:x",
        "https://us05web.zoom.us/j/1 x",
        "//us05web.zoom.us/j/1",
        "https://[us05web.zoom.us/j/1",
        "",
    ],
)
def test_a_join_link_that_is_no_https_address_is_refused(link: str) -> None:
    """Whatever it is, it is not rendered."""
    assert not is_https(link)
    with pytest.raises(UnsafeLink):
        learned(FIRST.next(join_url=link).ready())
