"""The MIME message: built by the standard library, never by hand, so that no text can become a header."""

import functools
from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import SMTP, compat32
from email.utils import format_datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from notifier.domain.deliveries import Correspondence, Delivery
from notifier.mail.invite import calendar_entry
from notifier.mail.letter import Letter, letter

PART_HEADERS = frozenset({"content-type", "content-transfer-encoding", "content-disposition", "mime-version"})


class _Headers(HeaderRegistry):
    """Parses the headers of parts once: they are the same in every mail, and cost a third of its rendering."""

    def __init__(self) -> None:
        super().__init__()
        self._of_parts = functools.lru_cache(maxsize=64)(super().__call__)
        self._classes = functools.lru_cache(maxsize=64)(super().__getitem__)

    def __call__(self, name: str, value: str) -> Any:
        of_a_part = name.lower() in PART_HEADERS and "boundary" not in value
        return self._of_parts(name, value) if of_a_part else super().__call__(name, value)

    def __getitem__(self, name: str) -> Any:
        return self._classes(name)


POLICY = SMTP.clone(cte_type="7bit", header_factory=_Headers())
"""CRLF inside every part, also the calendar's, and no part that needs a server with 8BITMIME."""


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
        message.set_content(self._laid_out("mail.txt", said))
        message.add_alternative(self._laid_out("mail.html", said), subtype="html")
        if delivery.calendar_method:
            self._add_calendar(message, said, correspondence, delivery)
        return _with_our_headers_only(message)

    def _headers(self, said: Letter, correspondence: Correspondence, delivery: Delivery, now: datetime) -> EmailMessage:
        message = EmailMessage(policy=POLICY)
        message["From"] = self.sender
        message["To"] = said.reader.address
        if said.other.address:
            message["Reply-To"] = said.other.address
        message["Subject"] = said.subject
        message["Date"] = format_datetime(now)
        message["Message-ID"] = self.message_id(delivery.id)
        if first := _first_of(correspondence.deliveries, delivery):
            message["References"] = self.message_id(first.id)
        message["Auto-Submitted"] = "auto-generated"
        return message

    def _add_calendar(
        self, message: EmailMessage, said: Letter, correspondence: Correspondence, delivery: Delivery
    ) -> None:
        method = delivery.calendar_method
        if method is None:
            return
        entry = calendar_entry(correspondence.snapshot, said, self.sender, delivery, method)
        message.add_alternative(entry.decode(), subtype="calendar", params={"method": method})
        message.add_attachment(entry, maintype="application", subtype="ics", filename="invite.ics")

    def _laid_out(self, template: str, said: Letter) -> str:
        return self._templates.get_template(template).render(letter=said)


def _with_our_headers_only(message: EmailMessage) -> bytes:
    """Return the bytes of a message, read back to see that no text in it has become a header. Raises Unmailable."""
    raw = message.as_bytes(policy=POLICY)
    if BytesHeaderParser(policy=compat32).parsebytes(raw).keys() != message.keys():
        raise Unmailable("a name or title would become a header of the mail")
    return raw


def _first_of(deliveries: Sequence[Delivery], delivery: Delivery) -> Delivery | None:
    left = {"sending", "sent", "in_doubt"}
    return next((found for found in deliveries if found.recipient == delivery.recipient and found.state in left), None)
