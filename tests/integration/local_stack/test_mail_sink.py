"""The mail sink takes real SMTP and gives back byte for byte what came in."""

import asyncio
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx
import pytest
from aiosmtpd.smtp import Envelope

from local_stack import environment
from local_stack.mail_sink import MailSink
from local_stack.processes import ChildProcess, free_ports


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """Run a sink and return its SMTP port and its HTTP address."""
    smtp, http = free_ports(2)
    process = ChildProcess(
        "mail-sink",
        [sys.executable, "-m", "local_stack.mail_sink", "--smtp-port", str(smtp), "--http-port", str(http)],
        environment=environment.inherited(),
        log=tmp_path / "mail-sink.log",
    )
    process.start()
    process.wait_until_healthy(f"http://127.0.0.1:{http}/readyz", says="ok", within=30)
    yield smtp, f"http://127.0.0.1:{http}"
    process.stop()


def _mail(subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Convoke <bookings@convoke.example>"
    mail["To"] = "Ada <ada@example.org>"
    mail["Subject"] = subject
    mail["Message-ID"] = "<one@convoke.example>"
    mail.set_content("Your link")
    return mail


async def _send(mail: EmailMessage, port: int) -> None:
    await aiosmtplib.send(mail, hostname="127.0.0.1", port=port, start_tls=False)


async def test_a_mail_is_listed_and_comes_back_raw(sink: tuple[int, str]) -> None:
    """The list has Mailpit's fields, newest first, and the raw mail is what was sent."""
    smtp, http = sink
    await _send(_mail("first"), smtp)
    await _send(_mail("Grüße"), smtp)
    async with httpx.AsyncClient(base_url=http, trust_env=False) as client:
        listed = (await client.get("/api/v1/messages")).json()["messages"]
        raw = (await client.get(f"/api/v1/message/{listed[1]['ID']}/raw")).content
    assert [mail["Subject"] for mail in listed] == ["Grüße", "first"]
    assert listed[0]["MessageID"] == "one@convoke.example"
    assert listed[0]["From"] == {"Name": "Convoke", "Address": "bookings@convoke.example"}
    assert listed[0]["To"] == [{"Name": "Ada", "Address": "ada@example.org"}]
    assert raw.replace(b"\r\n", b"\n") == _mail("first").as_bytes()


async def test_mails_of_many_clients_at_once_all_arrive_until_they_are_deleted(sink: tuple[int, str]) -> None:
    """Two hundred clients at the same moment lose nothing; DELETE empties the list."""
    smtp, http = sink
    await asyncio.gather(*(_send(_mail(str(number)), smtp) for number in range(200)))
    async with httpx.AsyncClient(base_url=http, trust_env=False) as client:
        assert (await client.get("/api/v1/messages")).json()["total"] == 200
        two = (await client.get("/api/v1/messages", params={"start": 198, "limit": 50})).json()
        assert (two["count"], two["total"]) == (2, 200)
        await client.delete("/api/v1/messages")
        assert (await client.get("/api/v1/messages")).json()["messages"] == []
        assert (await client.get("/api/v1/message/none/raw")).status_code == httpx.codes.NOT_FOUND


def test_the_oldest_mails_leave_when_there_are_too_many() -> None:
    """Memory is bounded."""
    sink = MailSink(kept=2)
    for name in ("a", "b", "c"):
        envelope = Envelope()
        envelope.mail_from = name
        sink.add(envelope)
    assert [mail.sender for mail in sink.newest_first()] == ["c", "b"]
