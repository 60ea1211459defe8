"""The mail server misbehaves as it is told, and keeps every mail that it took."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosmtplib
import pytest

from local_stack.processes import free_port
from tests.faults.drill.smtp_sink import NOBODY, Misdeed, SmtpSink
from tests.support.eventually import eventually

MAIL = b"Subject: hello\r\n\r\nhello\r\n"
GUEST = "guest@guest.example"


@asynccontextmanager
async def sinking() -> AsyncIterator[tuple[SmtpSink, int]]:
    sink, port = SmtpSink(), free_port()
    await sink.open(port)
    try:
        yield sink, port
    finally:
        await sink.close()


async def send(port: int, to: str = GUEST) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, timeout=5) as smtp:
        await smtp.sendmail("from@host.example", [to], MAIL)


async def test_a_mail_is_kept_byte_for_byte() -> None:
    async with sinking() as (sink, port):
        await send(port)
        assert [(mail.recipient, mail.raw) for mail in sink.taken] == [(GUEST, MAIL)]


@pytest.mark.parametrize(
    ("misdeed", "kept"),
    [
        (Misdeed.LATER, 0),
        (Misdeed.LATER_AFTER_DATA, 0),
        (Misdeed.DROP_UNSTORED, 0),
        (Misdeed.DROP_STORED, 1),
    ],
)
async def test_each_misdeed_fails_one_mail_and_only_a_stored_one_is_kept(misdeed: Misdeed, kept: int) -> None:
    """The client that repeats has then two copies, or one."""
    async with sinking() as (sink, port):
        sink.plan(misdeed)
        with pytest.raises(aiosmtplib.SMTPException):
            await send(port)
        assert len(sink.taken) == kept
        assert sink.done == {misdeed: 1}
        await send(port)
        assert len(sink.taken) == kept + 1


async def test_somebody_who_does_not_exist_is_refused_for_good() -> None:
    async with sinking() as (sink, port):
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await send(port, f"{NOBODY}7@guest.example")
        assert (sink.refused, sink.taken) == (1, [])


@pytest.mark.parametrize("stored", [True, False])
async def test_an_answer_is_kept_back_before_or_after_the_mail_is_stored(stored: bool) -> None:  # noqa: FBT001 - a case
    async with sinking() as (sink, port):
        held = sink.hold(GUEST, stored=stored)
        sending = asyncio.create_task(send(port))
        await eventually(held.reached.is_set)
        assert (len(sink.taken), sending.done()) == (int(stored), False)
        sink.release(held)
        await sending
        assert len(sink.taken) == 1
