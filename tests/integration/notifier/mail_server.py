"""A real SMTP server (aiosmtpd) whose answers a test chooses."""

import asyncio
from collections import defaultdict, deque
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from local_stack.processes import free_port
from tests.unit.notifier.mails import parsed


class MailServer:
    """Keeps what it accepts; `answers` are given to the next mails of a recipient, `refuses` to all of them.

    It takes `slow_to` seconds to answer the RCPT of a recipient.

    Two answers are no answers: `drop` keeps the mail and cuts the connection before saying so, `freeze` waits for
    `thaw` and then keeps it.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.answers: defaultdict[str, deque[str]] = defaultdict(deque)
        self.refuses: dict[str, str] = {}
        self.slow_to: dict[str, float] = {}
        self.received: list[tuple[str, bytes]] = []
        self.thaw = asyncio.Event()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="mail.example", loop=loop, enable_SMTPUTF8=False), "127.0.0.1", self.port
        )

    async def stop(self) -> None:
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    def copies(self, *recipients: str) -> list[int]:
        """Return how many mails each recipient got."""
        return [len(self.raw_to(recipient)) for recipient in recipients]

    def mails_to(self, recipient: str) -> list[EmailMessage]:
        """Return what a recipient got, parsed."""
        return [parsed(raw) for raw in self.raw_to(recipient)]

    def raw_to(self, recipient: str) -> list[bytes]:
        return [raw for to, raw in self.received if to == recipient]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks for this name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        await asyncio.sleep(self.slow_to.get(address, 0))
        if refusal := self.refuses.get(address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        (recipient,) = envelope.rcpt_tos
        answer = self.answers[recipient].popleft() if self.answers[recipient] else "250 OK"
        if answer.startswith("4"):
            return answer
        if answer == "freeze":
            await self.thaw.wait()
        assert isinstance(envelope.content, bytes)
        self.received.append((recipient, envelope.content))
        if answer == "drop":
            server.transport.abort()
        return "250 OK"
