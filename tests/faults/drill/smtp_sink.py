"""A mail server that misbehaves on order and keeps every mail that it took, also where it never said so."""

import asyncio
import functools
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

NOBODY = "nobody."
"""How the addresses begin that this server refuses for good."""


class Misdeed(StrEnum):
    """What the server does to one mail."""

    LATER = "451 before the mail is handed over"
    LATER_AFTER_DATA = "451 after the mail is handed over"
    DROP_UNSTORED = "connection lost while the mail is handed over"
    DROP_STORED = "mail stored, connection lost before the 250"
    SLOW = "mail stored, the 250 said late"


@dataclass
class Held:
    """One mail's answer that is kept back, before or after it was stored."""

    recipient: str
    stored: bool
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Taken:
    """One mail that was taken, as it came in."""

    recipient: str
    raw: bytes


class SmtpSink:
    """Keeps mails, oldest first; `done` counts the misdeeds, `refused` the mails refused for good."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.done: Counter[Misdeed] = Counter()
        self.refused = 0
        self._planned: deque[Misdeed] = deque()
        self._held: list[Held] = []
        self._server: asyncio.Server | None = None

    async def open(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        smtp = functools.partial(_Server, self, hostname="localhost", enable_SMTPUTF8=True, loop=loop)
        self._server = await loop.create_server(smtp, "127.0.0.1", port, backlog=1024)

    async def close(self) -> None:
        self.heal()
        if self._server is not None:
            self._server.close()

    def plan(self, *misdeeds: Misdeed) -> None:
        """Do these to the next mails, one to each."""
        self._planned.extend(misdeeds)

    def hold(self, recipient: str, *, stored: bool) -> Held:
        """Keep back the answer to this person's next mail, before or after it is stored."""
        held = Held(recipient, stored)
        self._held.append(held)
        return held

    def release(self, held: Held) -> None:
        self._held = [each for each in self._held if each is not held]
        held.released.set()

    def heal(self) -> None:
        self._planned.clear()
        for held in list(self._held):
            self.release(held)

    # The names are aiosmtpd's.
    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith(NOBODY):
            self.refused += 1
            return "550 5.1.1 There is nobody of this name here"
        if self._next_is(Misdeed.LATER):
            return "451 4.3.0 Later, please"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        recipient = envelope.rcpt_tos[0]
        await self._wait_where_held(recipient, stored=False)
        if self._next_is(Misdeed.LATER_AFTER_DATA):
            return "451 4.3.0 Later, please"
        if self._next_is(Misdeed.DROP_UNSTORED):
            return _drop(server)
        self.taken.append(Taken(recipient, envelope.original_content or b""))
        await self._wait_where_held(recipient, stored=True)
        if self._next_is(Misdeed.DROP_STORED):
            return _drop(server)
        if self._next_is(Misdeed.SLOW):
            await asyncio.sleep(_SLOW_SECONDS)
        return "250 OK"

    def _next_is(self, misdeed: Misdeed) -> bool:
        if not self._planned or self._planned[0] is not misdeed:
            return False
        self.done[self._planned.popleft()] += 1
        return True

    async def _wait_where_held(self, recipient: str, *, stored: bool) -> None:
        for held in [each for each in self._held if (each.recipient, each.stored) == (recipient, stored)]:
            held.reached.set()
            await held.released.wait()


_SLOW_SECONDS = 3.0


def _drop(server: SMTP) -> str:
    transport = server.transport
    if isinstance(transport, asyncio.Transport):
        transport.abort()
    return "421 dropped"


class _Server(SMTP):
    """Says nothing more on a connection that was dropped, where uvloop would raise."""

    async def push(self, status: Any) -> None:
        if self.transport is not None and not self.transport.is_closing():
            await super().push(status)
