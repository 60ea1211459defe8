"""The MIME message: built by the standard library, never by hand, so that no text can become a header."""

import functools
from collections.abc import Sequence
from datetime import datetime
from email.charset import QP, Charset
from email.encoders import encode_base64
from email.headerregistry import Address, HeaderRegistry
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.parser import BytesHeaderParser
from email.policy import SMTP, compat32
from email.utils import format_datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from notifier.domain.deliveries import Correspondence, Delivery
from notifier.mail.invite import calendar_entry
from notifier.mail.letter import Letter, letter
from notifier.mail.notice import NoticeLetter

OF_PARTS = frozenset({"content-type", "content-transfer-encoding", "content-disposition", "mime-version"})


class _Headers(HeaderRegistry):
    """Parses the headers of parts once: they are the same in every mail, and are asked for often while it is laid out.

    Without this a mail costs half as much again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._of_parts = functools.lru_cache(maxsize=64)(super().__call__)
        self._classes = functools.lru_cache(maxsize=64)(super().__getitem__)

    def __call__(self, name: str, value: str) -> Any:
        return self._of_parts(name, value) if name.lower() in OF_PARTS else super().__call__(name, value)

    def __getitem__(self, name: str) -> Any:
        return self._classes(name)


POLICY = SMTP.clone(cte_type="7bit", header_factory=_Headers())
"""CRLF inside every part, also the calendar's, and no part that needs a server with 8BITMIME."""

UTF8 = Charset("utf-8")
UTF8.body_encoding = QP

MIXED, ALTERNATIVE = "=_whole", "=_said"
"""Boundaries between parts: no body that is quoted-printable or base64 can hold `=_` (RFC 2045, section 6.7)."""


class Unmailable(Exception):
    """An address or a text that cannot stand in a mail."""


class Mailroom:
    """Renders mails from one sender, who is also the organizer of the calendar entries."""

    def __init__(self, sender: Address) -> None:
        self.sender = sender
        self._templates = Environment(
            loader=PackageLoader("notifier.mail"),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )

    def message_id(self, delivery_id: str) -> str:
        """Return the Message-ID, which follows from what the mail is about."""
        return f"<{delivery_id}@{self.sender.domain}>"

    def render(self, correspondence: Correspondence, delivery: Delivery, now: datetime) -> bytes:
        """Return the whole mail. Raises Unmailable."""
        said = letter(correspondence.snapshot, delivery, correspondence.told(delivery.recipient))
        if said.reader.address is None:
            raise Unmailable("the mail address is not valid")
        message = self._headers(said, correspondence, delivery, now)
        alternative = self._said("mail", said)
        message.attach(alternative)
        if delivery.calendar_method:
            entry = calendar_entry(correspondence.snapshot, said, self.sender, delivery, delivery.calendar_method)
            calendar = _text(entry.decode(), "calendar")
            calendar.set_param("method", delivery.calendar_method)
            alternative.attach(calendar)
            message.attach(_file(entry))
        return _with_our_headers_only(message)

    def render_notice(self, said: NoticeLetter, mail_id: str, now: datetime) -> tuple[str, bytes]:
        """Return the address and the whole mail for the owner of a broken connection. Raises Unmailable."""
        if said.reader.address is None:
            raise Unmailable("the mail address is not valid")
        message = self._addressed(said, mail_id, now)
        message.attach(self._said("notice", said))
        return said.reader.address.addr_spec, _with_our_headers_only(message)

    def _headers(
        self, said: Letter, correspondence: Correspondence, delivery: Delivery, now: datetime
    ) -> "Message[Any, Any]":
        message = self._addressed(said, delivery.id, now)
        if said.other.address:
            message["Reply-To"] = said.other.address
        if first := _first_of(correspondence.deliveries, delivery):
            message["References"] = self.message_id(first.id)
        return message

    def _addressed(self, said: Letter | NoticeLetter, mail_id: str, now: datetime) -> "Message[Any, Any]":
        message: Message[Any, Any] = MIMEMultipart("mixed", MIXED, policy=POLICY)
        message["From"] = self.sender
        message["To"] = said.reader.address
        message["Subject"] = said.subject
        message["Date"] = format_datetime(now)
        message["Message-ID"] = self.message_id(mail_id)
        message["Auto-Submitted"] = "auto-generated"
        return message

    def _said(self, template: str, said: Letter | NoticeLetter) -> MIMEMultipart:
        alternative = MIMEMultipart("alternative", ALTERNATIVE)
        alternative.attach(_text(self._laid_out(f"{template}.txt", said), "plain"))
        alternative.attach(_text(self._laid_out(f"{template}.html", said), "html"))
        return alternative

    def _laid_out(self, template: str, said: Letter | NoticeLetter) -> str:
        return self._templates.get_template(template).render(letter=said)


def _text(text: str, subtype: str) -> MIMENonMultipart:
    part = MIMENonMultipart("text", subtype)
    part.set_payload(text, UTF8)
    return part


def _file(entry: bytes) -> MIMEBase:
    file = MIMEBase("application", "ics")
    file.set_payload(entry)
    encode_base64(file)
    file.add_header("Content-Disposition", "attachment", filename="invite.ics")
    return file


def _with_our_headers_only(message: "Message[Any, Any]") -> bytes:
    """Return the bytes of a message, read back to see that no text in it has become a header. Raises Unmailable."""
    raw = message.as_bytes(policy=POLICY)
    if BytesHeaderParser(policy=compat32).parsebytes(raw).keys() != message.keys():
        raise Unmailable("a name or title would become a header of the mail")
    return raw


def _first_of(deliveries: Sequence[Delivery], delivery: Delivery) -> Delivery | None:
    left = {"sending", "sent", "in_doubt"}
    return next((found for found in deliveries if found.recipient == delivery.recipient and found.state in left), None)
