"""One mail never takes longer than its lease: whoever has no time left hands nothing over."""

import asyncio
import socket
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from pydantic import SecretStr

from convoke.clock import Clock, utc_now
from convoke.ids import new_id
from notifier import smtp
from notifier.mongo.correspondence import LEASE
from notifier.settings import smtp_server
from notifier.smtp import Deferred, InDoubt, SmtpPost, Unreachable
from tests.integration.notifier.mail_server import MailServer

MIME = b"Subject: Hello\r\n\r\nHello\r\n"
SOON = timedelta(seconds=1)
FOREVER = timedelta(hours=1)
LATEST = 3.0
"""Seconds: well before the limit of a single answer."""

NewPost = Callable[[Clock], SmtpPost]


@pytest.fixture
def recipient() -> str:
    return f"{new_id('gus')}@guest.example"


@pytest.fixture
def post(mail_server: MailServer) -> NewPost:
    return lambda clock: _post(mail_server.url, clock)


def _post(url: str, clock: Clock) -> SmtpPost:
    return SmtpPost(smtp_server(SecretStr(url)), "bookings@convoke.example", "convoke.example", clock)


async def test_a_process_that_wakes_after_its_lease_hands_nothing_over(
    post: NewPost, mail_server: MailServer, recipient: str
) -> None:
    """Frozen between RCPT and DATA: the mail is another's by now."""
    woken: list[datetime] = [utc_now(), utc_now() + LEASE]
    async with post(lambda: woken.pop(0)).session() as session:
        with pytest.raises(Deferred):
            await session.deliver(recipient, MIME, woken[-1])
    assert mail_server.copies(recipient) == [0]


async def test_a_server_too_slow_before_data_gets_nothing(
    post: NewPost, mail_server: MailServer, recipient: str
) -> None:
    """Each answer comes in its own time, but all of them together do not: certainly not accepted."""
    mail_server.slow_to[recipient] = smtp.ANSWER_WITHIN - SOON.total_seconds()
    async with post(utc_now).session() as session:
        with pytest.raises(Deferred):
            async with asyncio.timeout(LATEST):
                await session.deliver(recipient, MIME, utc_now() + SOON)
        mail_server.slow_to.clear()
        await session.deliver(recipient, MIME, utc_now() + FOREVER)
    assert mail_server.copies(recipient) == [1]


async def test_a_server_too_slow_after_data_may_have_the_mail(
    post: NewPost, mail_server: MailServer, recipient: str
) -> None:
    """Nobody can tell whether it accepted; the session serves the next mail all the same."""
    mail_server.answers[recipient].append("freeze")
    async with post(utc_now).session() as session:
        with pytest.raises(InDoubt):
            async with asyncio.timeout(LATEST):
                await session.deliver(recipient, MIME, utc_now() + SOON)
        await session.deliver(recipient, MIME, utc_now() + FOREVER)
    assert mail_server.copies(recipient) == [1]


async def test_however_long_the_lease_one_mail_has_its_own_limit(
    post: NewPost, mail_server: MailServer, recipient: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease leaves room for the writes around a mail."""
    assert smtp.MAIL_WITHIN + timedelta(seconds=10) <= LEASE
    monkeypatch.setattr(smtp, "MAIL_WITHIN", SOON)
    mail_server.answers[recipient].append("freeze")
    async with post(utc_now).session() as session:
        with pytest.raises(InDoubt):
            async with asyncio.timeout(LATEST):
                await session.deliver(recipient, MIME, utc_now() + FOREVER)


async def test_connecting_has_one_limit_for_all_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes the connection and then says nothing is as good as none."""
    monkeypatch.setattr(smtp, "CONNECT_WITHIN", SOON.total_seconds())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"smtp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Unreachable):
            async with asyncio.timeout(LATEST):
                await _post(url, utc_now).session().__aenter__()
