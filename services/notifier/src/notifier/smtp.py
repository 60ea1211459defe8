"""The way out: mails handed to an SMTP server, with errors typed by what to do next.

A refusal is certain; a connection that is lost after DATA is not (RFC 1047), and the mail may have been accepted.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosmtplib

from notifier.settings import SmtpServer

CONNECT_WITHIN = 5.0
ANSWER_WITHIN = 5.0
ACCEPT_WITHIN = 15.0
"""Seconds for each of the two answers to DATA. All the time-outs of a mail together stay under the lease."""

_ENHANCED_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


class Undelivered(Exception):
    """A mail that the server did not take. The text names codes only: a server's own may hold an address."""


class Unreachable(Undelivered):
    """No session with the server, or it does not let us send at all: nothing was handed over, try again later."""


class Deferred(Undelivered):
    """Not accepted for certain: try again later."""


class Refused(Undelivered):
    """Not accepted, and never will be."""


class InDoubt(Undelivered):
    """Nobody knows whether it was accepted: send the same bytes again later."""


class SmtpSession:
    """An open session; each `deliver` is a transaction of its own."""

    def __init__(self, client: aiosmtplib.SMTP, sender: str) -> None:
        self._client = client
        self._sender = sender

    async def deliver(self, recipient: str, mime: bytes) -> None:
        """Return once the server has accepted the mail. Raises Deferred, Refused or InDoubt."""
        await self._address(recipient)
        try:
            await self._client.data(mime, timeout=ACCEPT_WITHIN)
        except aiosmtplib.SMTPResponseException as error:
            raise _refusal(error) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise InDoubt(f"connection lost after DATA ({type(error).__name__})") from error

    async def _address(self, recipient: str) -> None:
        try:
            if not self._client.is_connected:
                await self._client.connect()
            await self._client.mail(self._sender)
            await self._client.rcpt(recipient)
        except (aiosmtplib.SMTPRecipientRefused, UnicodeEncodeError) as error:
            await self._forget_transaction()
            raise _refusal(error) from error
        except aiosmtplib.SMTPResponseException as error:
            await self._forget_transaction()
            raise Deferred(f"sender not accepted ({_codes(error)})") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Deferred(f"connection lost before DATA ({type(error).__name__})") from error

    async def _forget_transaction(self) -> None:
        try:
            await self._client.rset()
        except (aiosmtplib.SMTPException, OSError):
            self._client.close()


class SmtpPost:
    """Opens sessions with the server that takes our mails; `sender` is the envelope's."""

    def __init__(self, server: SmtpServer, sender: str, own_name: str) -> None:
        self._server = server
        self._sender = sender
        self._own_name = own_name

    @asynccontextmanager
    async def session(self) -> AsyncIterator[SmtpSession]:
        """Connect and log in; close at the end. Raises Unreachable."""
        client = self._client()
        try:
            await client.connect(timeout=CONNECT_WITHIN)
        except aiosmtplib.SMTPResponseException as error:
            raise Unreachable(f"the mail server does not let us in ({_codes(error)})") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unreachable(f"the mail server cannot be reached ({type(error).__name__})") from error
        async with client:
            yield SmtpSession(client, self._sender)

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._server.hostname,
            port=self._server.port,
            username=self._server.username,
            password=self._server.password,
            use_tls=self._server.use_tls,
            start_tls=self._server.start_tls,
            local_hostname=self._own_name,
            timeout=ANSWER_WITHIN,
        )


def _refusal(error: Exception) -> Undelivered:
    if not isinstance(error, aiosmtplib.SMTPResponseException):
        return Refused("the address cannot be written in ASCII, which the mail server requires")
    kind = Refused if error.code >= 500 else Deferred
    return kind(f"mail server answered {_codes(error)}")


def _codes(error: aiosmtplib.SMTPResponseException) -> str:
    enhanced = _ENHANCED_CODE.search(error.message)
    return f"{error.code} {enhanced[0]}" if enhanced else str(error.code)
