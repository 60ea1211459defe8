"""A mail server that keeps what it gets, with the part of Mailpit's HTTP API that demo and tests read.

`python -m local_stack.mail_sink --smtp-port 1025 --http-port 8025`
"""

import argparse
import asyncio
import functools
import json
import signal
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiosmtpd.smtp import SMTP, Envelope

_KEPT = 10_000
_LONGEST_REQUEST = 16_384
_HEADERS = BytesHeaderParser(policy=policy.default)


@dataclass(frozen=True)
class Mail:
    """One mail as it came in; its headers are read only when somebody asks."""

    id: str
    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    created: datetime

    @functools.cached_property
    def summary(self) -> dict[str, Any]:
        """The mail as Mailpit lists it."""
        headers: EmailMessage = _HEADERS.parsebytes(self.raw)
        return {
            "ID": self.id,
            "MessageID": str(headers["message-id"] or "").strip().strip("<>"),
            "From": _people(headers, "from", (self.sender,))[0],
            "To": _people(headers, "to", self.recipients),
            "Subject": str(headers["subject"] or ""),
            "Created": self.created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }


class MailSink:
    """The mails of one server, oldest first; the oldest leave when there are more than `kept`."""

    def __init__(self, *, kept: int = _KEPT) -> None:
        self._kept = kept
        self._mails: OrderedDict[str, Mail] = OrderedDict()

    def add(self, envelope: Envelope) -> None:
        mail = Mail(
            id=uuid.uuid4().hex,
            sender=envelope.mail_from or "",
            recipients=tuple(envelope.rcpt_tos),
            raw=envelope.original_content or b"",
            created=datetime.now(UTC),
        )
        self._mails[mail.id] = mail
        if len(self._mails) > self._kept:
            self._mails.popitem(last=False)

    def newest_first(self) -> list[Mail]:
        return list(reversed(self._mails.values()))

    def find(self, mail_id: str) -> Mail | None:
        return self._mails.get(mail_id)

    def clear(self) -> None:
        self._mails.clear()

    # The name is aiosmtpd's.
    async def handle_DATA(self, _server: SMTP, _session: object, envelope: Envelope) -> str:  # noqa: N802
        self.add(envelope)
        return "250 OK"


def _people(headers: EmailMessage, field: str, otherwise: tuple[str, ...]) -> list[dict[str, str]]:
    stated: tuple[Address, ...] = headers[field].addresses if headers[field] else ()
    people = [{"Name": person.display_name, "Address": person.addr_spec} for person in stated]
    return people or [{"Name": "", "Address": address} for address in otherwise] or [{"Name": "", "Address": ""}]


@dataclass(frozen=True)
class _Answer:
    status: str
    body: bytes
    kind: str = "text/plain"

    def encoded(self) -> bytes:
        head = f"HTTP/1.1 {self.status}\r\nContent-Type: {self.kind}\r\nContent-Length: {len(self.body)}\r\n"
        return f"{head}Connection: close\r\n\r\n".encode() + self.body


_OK = _Answer("200 OK", b"ok")
_NOT_FOUND = _Answer("404 Not Found", b"not found")


class MailApi:
    """Mailpit's paths over one sink; each connection carries one request."""

    def __init__(self, sink: MailSink) -> None:
        self._sink = sink

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii", "replace").split(" ", 2)
            writer.write(self._answer(method, target).encoded())
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
            pass  # not HTTP, or gone: there is nobody to tell
        finally:
            writer.close()

    def _answer(self, method: str, target: str) -> _Answer:
        asked = urlsplit(target)
        match method, asked.path.strip("/").split("/"):
            case "GET", ["readyz"]:
                return _OK
            case "GET", ["api", "v1", "messages"]:
                return self._listed(dict(parse_qsl(asked.query)))
            case "DELETE", ["api", "v1", "messages"]:
                self._sink.clear()
                return _OK
            case "GET", ["api", "v1", "message", mail_id, "raw"]:
                mail = self._sink.find(mail_id)
                return _Answer("200 OK", mail.raw) if mail else _NOT_FOUND
        return _NOT_FOUND

    def _listed(self, query: dict[str, str]) -> _Answer:
        # Unlike Mailpit's 50, no limit unless one is asked for.
        mails = self._sink.newest_first()
        start = int(query.get("start", 0))
        part = [mail.summary for mail in mails[start : start + int(query.get("limit", len(mails)))]]
        listed = {"total": len(mails), "count": len(part), "start": start, "messages": part}
        return _Answer("200 OK", json.dumps(listed).encode(), "application/json")


async def serve(*, host: str, smtp_port: int, http_port: int) -> None:
    """Take mails and answer the API until SIGTERM or SIGINT."""
    sink = MailSink()
    loop = asyncio.get_running_loop()
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    # With a host name given, no connection waits for the name service.
    smtp = functools.partial(SMTP, sink, hostname="localhost", enable_SMTPUTF8=True, loop=loop)
    async with (
        await loop.create_server(smtp, host, smtp_port, backlog=1024),
        await asyncio.start_server(MailApi(sink).serve, host, http_port, limit=_LONGEST_REQUEST),
    ):
        await asked_to_stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local_stack.mail_sink", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--smtp-port", type=int, default=1025)
    parser.add_argument("--http-port", type=int, default=8025)
    arguments = parser.parse_args()
    asyncio.run(serve(host=arguments.host, smtp_port=arguments.smtp_port, http_port=arguments.http_port))


if __name__ == "__main__":
    main()
