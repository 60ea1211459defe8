"""The way out: mails handed to an SMTP server, with errors typed by what to do next.

A refusal is certain; a connection that is lost after DATA is not (RFC 1047), and the mail may have been accepted.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import aiosmtplib

from convoke.clock import Clock
from notifier.settings import SmtpServer

ANSWER_WITHIN = 5.0
ACCEPT_WITHIN = 15.0
"""Seconds for each of the two answers to DATA."""

CONNECT_WITHIN = 10.0
"""Seconds to connect, encrypt and log in, all together."""

MAIL_WITHIN = timedelta(seconds=20)
"""All the answers to one mail together, with a new connection where the old one was lost."""

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

    def __init__(self, client: aiosmtplib.SMTP, sender: str, clock: Clock) -> None:
        self._client = client
        self._sender = sender
        self._clock = clock

    async def deliver(self, recipient: str, mime: bytes, until: datetime) -> None:
        """Return once the server has accepted the mail, which is ours to send `until` then.

        Raises Deferred, Refused or InDoubt.
        """
        now = self._clock()
        until = min(until, now + MAIL_WITHIN)
        data_begun = False
        try:
            async with asyncio.timeout((until - now).total_seconds()):
                await self._address(recipient)
                self._check_time(until)
                data_begun = True
                await self._data(mime)
        except TimeoutError as error:
            self._client.close()
            outcome = InDoubt if data_begun else Deferred
            raise outcome("the time for one mail was over") from error

    def _check_time(self, until: datetime) -> None:
        # Whoever was frozen may have lost the mail to another, and the timer has not fired yet.
        if self._clock() >= until:
            raise TimeoutError

    async def _data(self, mime: bytes) -> None:
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

    def __init__(self, server: SmtpServer, sender: str, own_name: str, clock: Clock) -> None:
        self._server = server
        self._sender = sender
        self._own_name = own_name
        self._clock = clock

    @asynccontextmanager
    async def session(self) -> AsyncIterator[SmtpSession]:
        """Connect and log in; close at the end. Raises Unreachable."""
        client = self._client()
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                await client.connect()
        except aiosmtplib.SMTPResponseException as error:
            raise Unreachable(f"the mail server does not let us in ({_codes(error)})") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unreachable(f"the mail server cannot be reached ({type(error).__name__})") from error
        async with client:
            yield SmtpSession(client, self._sender, self._clock)

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
