"""A mail, read back as its receiver's program reads it."""

from dataclasses import replace
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

import pytest

from convoke.contracts import Location
from convoke.contracts.notifications import Recipient
from notifier.domain.deliveries import Correspondence, Delivery, owed
from notifier.domain.snapshot import Snapshot, with_booking, with_meeting
from notifier.mail.letter import spaced
from notifier.mail.message import Mailroom, Unmailable
from tests.unit.notifier.bookings import JOIN_URL, PASSCODE, PHONE, Story
from tests.unit.notifier.mails import calendar_of, event_of, html_of, parsed, part_of, parts_of, text_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MAILROOM = Mailroom(Address("Convoke", addr_spec="bookings@convoke.example"))
FIRST = Story(
    starts_at=datetime(2026, 12, 1, 9, tzinfo=UTC), host_email="hanna@host.example", invitee_email="gus@guest.example"
)


def snapshot_of(story: Story, reason: str | None = None) -> Snapshot:
    if story.location.kind == "zoom" and not story.canceled:
        return with_meeting(None, story.ready().data, NOW)
    return with_booking(None, story.booking, story.session, NOW, reason)


def mail_to(recipient: Recipient, story: Story, before: Story | None = None, reason: str | None = None) -> EmailMessage:
    """Return what a side gets of a story, after the mail of `before`."""
    return parsed(rendered(recipient, story, before, reason))


def rendered(recipient: Recipient, story: Story, before: Story | None = None, reason: str | None = None) -> bytes:
    sent: tuple[Delivery, ...] = ()
    if before:
        told = Correspondence(story.booking_id, story.organization_id, snapshot_of(before))
        sent = tuple(replace(delivery, state="sent") for delivery in owed(told, NOW))
    correspondence = Correspondence(
        story.booking_id, story.organization_id, snapshot_of(story, reason), sent, sequence=len(sent) // 2
    )
    (delivery,) = (mail for mail in owed(correspondence, NOW) if mail.recipient == recipient)
    return MAILROOM.render(correspondence, delivery, NOW)


def test_a_mail_has_text_html_calendar_and_an_attached_invite() -> None:
    """The order is what mail programs expect: the richest alternative last, the file beside them."""
    assert parts_of(mail_to("invitee", FIRST)) == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
        "application/ics",
    ]


def test_the_calendar_part_and_the_file_are_the_same() -> None:
    """Two different entries in one mail would be two events (RFC 6047), and lines end as RFC 5545 says."""
    mail = mail_to("invitee", replace(FIRST, description="Überblick 🎉\nzweite Zeile"))
    part, file = part_of(mail, "text/calendar"), part_of(mail, "application/ics")
    assert part is not None
    assert file is not None
    entry = part.get_payload(decode=True)
    assert entry == file.get_payload(decode=True)
    assert isinstance(entry, bytes)
    assert entry.replace(b"\r\n", b"").count(b"\n") == 0
    assert file.get_filename() == "invite.ics"


@pytest.mark.parametrize(
    ("story", "before", "method", "status"),
    [
        (FIRST, None, "REQUEST", "CONFIRMED"),
        (FIRST.next(canceled=True), FIRST, "CANCEL", "CANCELLED"),
    ],
)
def test_the_method_is_the_same_in_the_mime_header_and_in_the_calendar(
    story: Story, before: Story | None, method: str, status: str
) -> None:
    """A calendar part whose parameter differs is shown, but does nothing."""
    mail = mail_to("host", story, before)
    part = part_of(mail, "text/calendar")
    assert part is not None
    assert part.get_param("method") == method
    assert part.get_content_charset() == "utf-8"
    assert calendar_of(mail)["METHOD"] == method
    assert event_of(mail)["STATUS"] == status


def test_f38_the_calendar_entry_is_one_that_calendars_accept() -> None:
    """Sender and organizer are one, both sides attend, nobody is asked for an answer, times are in UTC."""
    mail, event = mail_to("invitee", FIRST), event_of(mail_to("invitee", FIRST))
    assert event["ORGANIZER"] == "mailto:bookings@convoke.example"
    assert event["ORGANIZER"].params["CN"] == "Hanna Host"
    assert mail["From"].addresses[0].addr_spec == "bookings@convoke.example"
    assert set(event["ATTENDEE"]) == {"mailto:gus@guest.example", "mailto:hanna@host.example"}
    assert {attendee.params["RSVP"] for attendee in event["ATTENDEE"]} == {"FALSE"}
    assert event["UID"] == f"{FIRST.booking_id}@convoke.example"
    assert event["DTSTAMP"].dt == NOW
    assert event["DTSTART"].to_ical() == b"20261201T090000Z"
    assert event["DTEND"].to_ical() == b"20261201T093000Z"
    assert event["URL"] == event["LOCATION"] == JOIN_URL
    assert JOIN_URL in event["DESCRIPTION"]
    assert PASSCODE not in event["SUMMARY"]


def test_the_headers_say_who_it_is_from_and_that_a_machine_wrote_it() -> None:
    """One recipient, answers go to the other side, and no vacation notice comes back (RFC 3834)."""
    mail = mail_to("invitee", FIRST)
    assert str(mail["To"]) == "Gus Guest <gus@guest.example>"
    assert str(mail["Reply-To"]) == "Hanna Host <hanna@host.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@convoke.example>")
    assert mail["Subject"] == "Confirmed: Coaching: first talk with Hanna Host, Tue Dec 1, 4:00 am"


@pytest.mark.parametrize("name", ["Åse Ødegård", "משה כהן", "👩\u200d💻 Zoë…", "東京 太郎", "x" * 120])
def test_every_script_arrives_as_it_was_written(name: str) -> None:
    """In the texts, the header and the calendar."""
    mail = mail_to("host", replace(FIRST, invitee_name=name))
    assert f"{name} (gus@guest.example)" in text_of(mail)
    assert f"{name} (gus@guest.example)" in html_of(mail)
    assert mail["Reply-To"].addresses[0].display_name == name
    assert name in {attendee.params["CN"] for attendee in event_of(mail)["ATTENDEE"]}


@pytest.mark.parametrize("laid_out", [text_of, html_of])
def test_f34_f36_f37_text_and_html_say_the_same(laid_out: Any) -> None:
    """Whoever reads only one of the two misses nothing."""
    said = laid_out(mail_to("invitee", replace(FIRST, description="Bring your notes.")))
    for content in (
        "Coaching: first talk with Hanna Host is booked.",
        "Tuesday, December 1, 2026, 4:00 am to 4:30 am (America/New York, EST UTC-05:00)",
        "30 minutes",
        "Hanna Host (hanna@host.example)",
        JOIN_URL,
        "812 3456 7890",
        PASSCODE,
        "+1 646 931 3860 (US, toll)",
        "https://book.example/j/Jk3vXw9mQz7nRt5pLc2yHb8dFg4sKa6u",
        "https://book.example/manage/Mw5nQz7vXk3tRj9pLc2yHb8dFg4sKa6u",
        "Bring your notes.",
    ):
        assert content in said


def test_each_side_reads_its_own_zone_and_the_host_gets_no_key_to_the_booking() -> None:
    """The manage address lets its holder act as the invitee."""
    said = text_of(mail_to("host", FIRST))
    assert "Tuesday 1 December 2026, 10:00 to 10:30 (Europe/Berlin, CET UTC+01:00)" in said
    assert "Gus Guest (gus@guest.example)" in said
    assert "/manage/" not in said


def test_a_new_time_is_told_with_the_old_one() -> None:
    """The reader sees what changed."""
    moved = FIRST.next(starts_at=datetime(2026, 12, 2, 15, tzinfo=UTC), meeting_revision=2)
    said = text_of(mail_to("host", moved, FIRST))
    assert said.index("Wednesday 2 December 2026, 16:00") < said.index("Tuesday 1 December 2026, 10:00")
    assert "New time" in said
    assert "Old time" in said


def test_a_cancellation_says_so_with_its_reason_and_shows_no_way_in() -> None:
    """Nobody joins a meeting that is gone."""
    mail = mail_to("invitee", FIRST.next(canceled=True), FIRST, reason="Hanna is ill.")
    for said in (text_of(mail), html_of(mail)):
        assert "is canceled. It will not take place." in said
        assert "Hanna is ill." in said
        assert "zoom.us" not in said
        assert "/j/" not in said
    assert "LOCATION" not in event_of(mail)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        (PHONE, "+49 30 1234567"),
        (Location(kind="in_person", detail="Main Street 5,\nBerlin"), "Main Street 5,"),
        (Location(kind="link", detail="https://meet.example/hanna"), "https://meet.example/hanna"),
        (Location(kind="link", detail="javascript:alert(1)"), "javascript:alert(1)"),
    ],
)
def test_a_booking_without_zoom_shows_its_place(location: Location, shown: str) -> None:
    """What is no https address stays plain text."""
    mail = mail_to("invitee", replace(FIRST, location=location))
    assert shown in text_of(mail)
    assert shown in html_of(mail)
    assert ("javascript:" not in shown) == ("meet.example" in html_of(mail) or location.kind != "link")
    assert 'href="javascript' not in html_of(mail)
    assert "Meeting ID" not in text_of(mail)


def test_a_link_that_was_set_by_hand_replaces_zoom_s() -> None:
    """Nobody is sent to two meetings."""
    said = text_of(mail_to("invitee", replace(FIRST, manual_link="https://meet.example/hanna")))
    assert "https://meet.example/hanna" in said
    assert "zoom.us" not in said
    assert "Meeting ID" not in said


@pytest.mark.parametrize(
    "address",
    [
        "gus@guest.example\r\nBcc: all@evil.example",
        "=?utf-8?q?=0D=0ABcc:_x?=@guest.example",
        "gus@guest.example, all@evil.example",
        "Gus <gus@guest.example>",
        "gus",
        "@",
        "",
    ],
)
def test_a_mail_of_one_side_is_never_sent_to_a_broken_address(address: str) -> None:
    """The other side's broken address is left out of the mail instead."""
    broken = replace(FIRST, invitee_email=address)
    with pytest.raises(Unmailable):
        rendered("invitee", broken)
    mail = mail_to("host", broken)
    assert mail["Reply-To"] is None
    assert event_of(mail)["ATTENDEE"] == "mailto:hanna@host.example"


@pytest.mark.parametrize(
    ("meeting_id", "shown"),
    [(123456789, "123 456 789"), (1234567890, "123 456 7890"), (81234567890, "812 3456 7890")],
)
def test_meeting_ids_are_spaced_as_zoom_spaces_them(meeting_id: int, shown: str) -> None:
    """So that they can be compared and typed."""
    assert spaced(meeting_id) == shown


def test_a_cancellation_names_the_time_that_its_reader_knows() -> None:
    """A time that was wanted since, and that nobody was told, would leave the known one standing."""
    never_told = FIRST.next(starts_at=datetime(2027, 1, 15, 9, tzinfo=UTC))
    mail = mail_to("invitee", never_told.next(canceled=True), FIRST)
    assert event_of(mail)["DTSTART"].dt == FIRST.starts_at
    for said in (str(mail["Subject"]), text_of(mail), html_of(mail)):
        assert "Dec" in said
        assert "Jan" not in said


def test_a_calendar_entry_says_with_whom() -> None:
    assert str(event_of(mail_to("host", FIRST))["SUMMARY"]) == "Coaching: first talk with Gus Guest"
    assert str(event_of(mail_to("invitee", FIRST))["SUMMARY"]) == "Coaching: first talk with Hanna Host"


def test_a_host_is_not_sent_to_the_invitees_pages() -> None:
    for address in (FIRST.booking.join_address, FIRST.booking.manage_address):
        assert address in text_of(mail_to("invitee", FIRST))
        assert address not in text_of(mail_to("host", FIRST))
