"""A notice as its reader sees it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage

import pytest

from notifier.domain.affected import Affected
from notifier.domain.notices import Ending, with_event
from notifier.domain.snapshot import with_booking
from notifier.mail.message import Mailroom
from notifier.mail.notice import notice_letter
from tests.unit.notifier.bookings import Story
from tests.unit.notifier.connections import Link
from tests.unit.notifier.mails import html_of, parsed, parts_of, text_of

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
BROKE_AT = NOW - timedelta(days=1)
MAILROOM = Mailroom(Address("Convoke", addr_spec="bookings@convoke.example"))
FIRST = Story(starts_at=datetime(2026, 12, 1, 9, tzinfo=UTC), host_email="hanna@host.example")


def mail(link: Link, *stories: Story, count: int | None = None, day: int = 1) -> EmailMessage:
    """Return the notice of a day about a connection that Zoom no longer accepts."""
    standing = with_event(
        None, link.next("reauthorization_required").disconnected(BROKE_AT, "deauthorized").data, BROKE_AT
    )
    first = tuple(with_booking(None, story.booking, story.session, NOW) for story in stories)
    affected = Affected(first, len(first) if count is None else count)
    ending = Ending(BROKE_AT, "reauthorization_required")
    said = notice_letter(standing, ending, affected, day)
    return parsed(MAILROOM.render_notice(said, "n1", NOW)[1])


def test_b14_a_notice_lists_the_affected_bookings_in_the_readers_zone_and_says_what_to_do():
    second = replace(FIRST, title="Review", starts_at=FIRST.starts_at + timedelta(days=1), invitee_name="Ada A.")
    notice = mail(Link(), FIRST, second)
    assert notice["Subject"] == "Zoom is disconnected: connect it again for 2 bookings"
    assert str(notice["To"]) == "Hanna Host <hanna@host.example>"
    assert notice["Message-ID"] == "<n1@convoke.example>"
    assert notice["Auto-Submitted"] == "auto-generated"
    for said in (text_of(notice), html_of(notice)):
        assert "Hanna Host" in said
        assert "Zoom no longer accepts the connection to your account (Fri 20 Nov, 09:00)." in said
        assert "Tuesday 1 December 2026, 10:00 to 10:30 (Europe/Berlin, CET UTC+01:00)" in said
        assert "Coaching: first talk with Gus Guest" in said
        assert "Wednesday 2 December 2026" in said
        assert "Review with Ada A." in said
        assert "choose “Connect Zoom” and allow every permission" in said
        assert "these notices end" in said
        assert "more" not in said.split("What this means")[0]


def test_b14_a_long_list_says_how_many_more_there_are():
    assert "and 7 more" in text_of(mail(Link(), FIRST, count=8))
    assert "and 7 more" in html_of(mail(Link(), FIRST, count=8))


def test_b14_an_organizations_notice_goes_to_the_zoom_accounts_address_in_the_zone_of_that_host():
    other = replace(FIRST, host_email="else@host.example", host_name="Else")
    own = mail(Link(host_id=None, email="HANNA@host.example"), other, FIRST)
    assert str(own["To"]) == "Hanna Host <hanna@host.example>"
    stranger = mail(Link(host_id=None, email="admin@org.example"), FIRST)
    assert str(stranger["To"]) == '"admin@org.example" <admin@org.example>'
    assert "your organization's" in text_of(stranger)


@pytest.mark.parametrize(("day", "is_last"), [(1, False), (3, False), (7, False), (14, True)])
def test_b14_the_last_notice_says_that_it_is_the_last(*, day: int, is_last: bool):
    notice = mail(Link(), FIRST, day=day)
    assert ("This is the last notice" in text_of(notice)) == is_last
    assert ("This is the last notice" in html_of(notice)) == is_last


def test_b14_no_name_of_a_stranger_becomes_more_than_text():
    evil = replace(FIRST, title="x\r\nBcc: all@evil.example", invitee_name="<script>alert(1)</script>")
    notice = mail(Link(), evil)
    assert "Bcc" not in notice
    assert "<script>" not in html_of(notice)
    assert parts_of(notice) == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html"]
