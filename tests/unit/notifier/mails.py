"""A mail as its receiver reads it."""

import email.policy
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any

from icalendar import Calendar


def parsed(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)


def text_of(mail: EmailMessage) -> str:
    return _content(mail, "text/plain")


def html_of(mail: EmailMessage) -> str:
    return _content(mail, "text/html")


def parts_of(mail: EmailMessage) -> list[str]:
    return [part.get_content_type() for part in mail.walk()]


def part_of(mail: EmailMessage, content_type: str) -> EmailMessage | None:
    return next((part for part in mail.walk() if part.get_content_type() == content_type), None)


def calendar_of(mail: EmailMessage) -> Calendar:
    part = part_of(mail, "text/calendar")
    assert part is not None, "the mail has no calendar part"
    calendar = Calendar.from_ical(str(part.get_content()))
    assert isinstance(calendar, Calendar)
    return calendar


def event_of(mail: EmailMessage) -> Any:
    (event,) = calendar_of(mail).walk("VEVENT")
    return event


def _content(mail: EmailMessage, content_type: str) -> str:
    part = part_of(mail, content_type)
    assert part is not None, f"the mail has no {content_type} part"
    return str(part.get_content())
