"""A gate between the notifier and the mail server: it shuts, or holds one person's mail at a chosen moment of SMTP."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

_RECIPIENT = re.compile(rb"RCPT TO:<([^>]+)>", re.IGNORECASE)
_END_OF_MAIL = b".\r\n"


class Moment(Enum):
    BEFORE_DATA = "before the mail is handed over"
    BEFORE_ANSWER = "after the server has stored the mail, before it says so"


@dataclass
class Hold:
    """`reached` once the mail is there; it goes on when `released`."""

    recipient: str
    moment: Moment
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def keep(self) -> None:
        self.reached.set()
        self.released.wait()


class MailGate:
    """Listens on `port` and passes every connection on to the mail server on port `behind`."""

    def __init__(self, port: int, behind: int) -> None:
        self._port = port
        self._behind = behind
        self._holds: list[Hold] = []
        self._listener: socket.socket | None = None
        self._connections: list[_Connection] = []

    def open(self) -> None:
        """Let mails through; does nothing where the gate is open."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self._port))
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuse connections, and end those that stand."""
        if self._listener is not None:
            # Without the shutdown the accepting thread would take one more.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for connection in self._connections:
            connection.end()
        self._connections.clear()

    def hold(self, recipient: str, moment: Moment) -> Hold:
        """Hold the next mail to this person."""
        hold = Hold(recipient, moment)
        self._holds.append(hold)
        return hold

    def release(self) -> None:
        """Let everything that is held go on, and hold nothing more."""
        holds, self._holds = self._holds, []
        for hold in holds:
            hold.released.set()

    def take(self, recipient: str, moment: Moment) -> Hold | None:
        """Return the hold that a mail runs into; it holds that one mail only."""
        found = (hold for hold in self._holds if (hold.recipient, hold.moment) == (recipient, moment))
        return next((hold for hold in found if not hold.reached.is_set()), None)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._behind))
                connection = _Connection(self, client, server)
                self._connections.append(connection)
                connection.start()


class _Connection:
    """One SMTP connection: two threads, one for each direction."""

    def __init__(self, gate: MailGate, client: socket.socket, server: socket.socket) -> None:
        self._gate = gate
        self._client = client
        self._server = server
        self._recipient = ""
        self._answer_held_by: Hold | None = None

    def start(self) -> None:
        for direction in (self._to_server, self._to_client):
            threading.Thread(target=direction, daemon=True).start()

    def end(self) -> None:
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _to_server(self) -> None:
        in_mail = False
        for line in self._lines(self._client):
            if in_mail and line == _END_OF_MAIL:
                in_mail = False
                self._answer_held_by = self._gate.take(self._recipient, Moment.BEFORE_ANSWER)
            elif not in_mail and (named := _RECIPIENT.match(line)):
                self._recipient = named[1].decode()
            elif not in_mail and line.upper().startswith(b"DATA"):
                in_mail = True
                if hold := self._gate.take(self._recipient, Moment.BEFORE_DATA):
                    hold.keep()
            self._send(self._server, line)
        self.end()

    def _to_client(self) -> None:
        for line in self._lines(self._server):
            if self._answer_held_by:
                self._answer_held_by.keep()
                self._answer_held_by = None
            self._send(self._client, line)
        self.end()

    @staticmethod
    def _lines(end: socket.socket) -> Iterator[bytes]:
        with contextlib.suppress(OSError, ValueError), end.makefile("rb") as lines:
            yield from lines

    @staticmethod
    def _send(end: socket.socket, line: bytes) -> None:
        with contextlib.suppress(OSError):
            end.sendall(line)
