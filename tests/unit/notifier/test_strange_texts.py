"""What strangers write into a booking stays text in the mail about it: no header, recipient, component or markup."""

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convoke.contracts import Location
from tests.unit.notifier.bookings import PHONE
from tests.unit.notifier.mails import calendar_of, event_of, html_of, text_of
from tests.unit.notifier.test_mails import FIRST, mail_to, rendered

HEADERS = {
    "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "References", "Auto-Submitted", "MIME-Version",
    "Content-Type", "Content-Transfer-Encoding",
}  # fmt: skip
STRANGE = [
    "Eve\r\nBcc: all@evil.example",
    "Eve\n\nBEGIN:VEVENT",
    'Eve "quoted" <eve@evil.example>, Mallory',
    "<script>alert(1)</script>",
    "{{ 7 * 7 }} {% raw %}",
    "=?utf-8?q?encoded=0D=0ABcc:_x?=",
    "==?utf-8?q?=0D=0ABcc:_x?==?utf-8?q?=0D=0ABcc:_x?=",
    "משה כהן",
    "\u202eevil\u202c name",
    "👩\u200d💻 Zoë ☕",
    "a" * 5000,
    "Name;CN=x:mailto:eve@evil.example",
    "\x00\x1b[31m\u2028\u2029\x85\x0b",
    "^n^' \\n \\, ;",
    " ",
    "",
]


def assert_only_ours(mail: EmailMessage) -> None:
    """Nothing a stranger wrote became a header, a recipient, an attendee, a component or markup."""
    assert set(mail.keys()) <= HEADERS
    assert len(mail.keys()) == len(set(mail.keys()))
    assert [address.addr_spec for address in mail["To"].addresses] == ["hanna@host.example"]
    assert not mail.defects
    calendar, event = calendar_of(mail), event_of(mail)
    assert [component.name for component in calendar.walk()] == ["VCALENDAR", "VEVENT"]
    assert set(event["ATTENDEE"]) == {"mailto:gus@guest.example", "mailto:hanna@host.example"}
    assert set(event) <= {
        "UID", "DTSTAMP", "SEQUENCE", "DTSTART", "DTEND", "SUMMARY", "DESCRIPTION", "STATUS", "LOCATION", "URL",
        "ORGANIZER", "ATTENDEE",
    }  # fmt: skip
    assert "<script" not in html_of(mail)
    assert "49 " not in mail["Subject"]
    shown = "".join(text_of(mail).splitlines())
    assert not any(unicodedata.category(character) == "Cc" or character == "\u202e" for character in shown)


@pytest.mark.parametrize("text", STRANGE)
def test_no_text_of_a_stranger_becomes_more_than_text(text: str) -> None:
    """As name, title, description, reason or place."""
    strange = replace(FIRST, invitee_name=text, host_name=text, title=text, description=text, passcode=text)
    assert_only_ours(mail_to("host", strange))
    moved = strange.next(starts_at=datetime(2026, 12, 2, 9, tzinfo=UTC), location=Location(kind="phone", detail=text))
    assert_only_ours(mail_to("host", moved, strange, reason=text))


FRAGMENTS = [
    *["=?utf-8?q?", "=?utf-8?b?", "DQpCY2M6IHg=", "=0D=0A", "?=", "=?", "?", "\r", "\n", "\r\n ", "Bcc: x", "^n"],
    *["BEGIN:VEVENT", "ATTENDEE:mailto:x@y.example", "{{", "}}", "%", " ", "ü", "\u2028", "\u202e", *':;,"\\<>@()'],
]
TEXTS = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=4), max_size=12).map("".join)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_asvs_1_3_11_no_text_at_all_becomes_more_than_text(
    name: str, title: str, description: str, reason: str
) -> None:
    """The same for whatever can be written."""
    strange = replace(FIRST, invitee_name=name, host_name=title, title=title, description=description)
    assert_only_ours(mail_to("host", strange))
    moved = strange.next(starts_at=datetime(2026, 12, 2, 9, tzinfo=UTC), location=PHONE)
    assert_only_ours(mail_to("host", moved, strange, reason=reason))
    raw = rendered("host", moved, strange, reason=reason)
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.isascii()
