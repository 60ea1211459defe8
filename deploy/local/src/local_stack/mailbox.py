"""What reached people's mailboxes: the mails in the sink, and what their calendar parts say."""

import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Self, cast

import httpx
from icalendar import Calendar, Event


@dataclass(frozen=True)
class Mail:
    """One mail as it arrived."""

    recipient: str
    subject: str
    message_id: str
    text: str
    raw: bytes
    method: str | None
    event: Event | None

    @property
    def sequence(self) -> int | None:
        return None if self.event is None else int(self.event.sequence)

    @property
    def uid(self) -> str | None:
        return None if self.event is None else str(self.event["UID"])


class Mailbox:
    """The sink's mails, oldest first."""

    def __init__(self, url: str) -> None:
        # None is kept open: the server closes idle ones after seconds, perhaps just as the next request is sent.
        one_each = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=30, limits=one_each)
        self._read: dict[str, Mail] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def mails(self, *recipients: str) -> list[Mail]:
        """Return the mails to these people, to anybody where none is named."""
        listed = self._http.get("/api/v1/messages", params={"limit": 10_000}).raise_for_status().json()["messages"]
        found = [(one["ID"], one["To"][0]["Address"]) for one in reversed(listed)]
        return [self._mail(mail_id, to) for mail_id, to in found if not recipients or to in recipients]

    def clear(self) -> None:
        self._http.delete("/api/v1/messages").raise_for_status()

    def _mail(self, mail_id: str, recipient: str) -> Mail:
        if mail_id not in self._read:
            raw = self._http.get(f"/api/v1/message/{mail_id}/raw").raise_for_status().content
            self._read[mail_id] = parse(raw, recipient)
        return self._read[mail_id]


def parse(raw: bytes, recipient: str) -> Mail:
    """Return a mail with its calendar part; raises ValueError where the part's method is not the calendar's."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    body = message.get_body(("plain",))
    method, event = _calendar(message)
    return Mail(
        recipient,
        str(message["Subject"]),
        str(message["Message-ID"]),
        body.get_content() if body else "",
        raw,
        method,
        event,
    )


def _calendar(message: EmailMessage) -> tuple[str | None, Event | None]:
    for part in message.walk():
        if part.get_content_type() == "text/calendar" and part.get_content_disposition() != "attachment":
            calendar = Calendar.from_ical(part.get_content())
            method = str(calendar["METHOD"])
            if part.get_param("method") != method:
                raise ValueError("the part's method is not the calendar's (RFC 6047, 2.4)")
            (event,) = calendar.walk("VEVENT")
            return method, cast("Event", event)
    return None, None
