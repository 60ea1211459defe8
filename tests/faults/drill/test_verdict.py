"""The drill's judge finds whatever is planted: something lost, doubled, ownerless, unmailed, different, or waiting."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local_stack.mailbox import Mail, parse
from tests.e2e.checker import Expected, Json
from tests.faults.drill.verdict import Evidence, Verdict, copies, judge, twins

STARTS, LINK = datetime(2026, 12, 1, 9, tzinfo=UTC), "https://zoom.example/j/1"
GUEST, HOST = "guest@guest.example", "host@host.example"


class Databases(dict[str, Any]):
    """Which sessions are scheduled, as the booking-service's database says."""

    def __init__(self, *scheduled: str) -> None:
        sessions = [{"_id": session} for session in scheduled]
        super().__init__(booking={"sessions": _Collection(sessions)})


class _Collection:
    def __init__(self, documents: list[Json]) -> None:
        self._documents = documents

    def find(self, *_: object) -> list[Json]:
        return self._documents


def booking(**fields: Any) -> Json:
    return {
        "id": "bkg_1",
        "status": "confirmed",
        "starts_at": STARTS.isoformat(),
        "invitee": {"email": GUEST},
        "meeting": {"status": "ready", "id": 1, "join_url": LINK},
    } | fields


def meeting(**fields: Any) -> Json:
    start = {"start_time": STARTS.isoformat(), "duration": 30}
    return (
        {"id": 1, "host_id": "zoom-1", "agenda": "[ref:ses_1.1.abc]", "join_url": LINK, "deleted": False}
        | start
        | fields
    )


def mail(
    to: str = GUEST, *, number: int = 1, method: str = "REQUEST", starts: datetime = STARTS, link: str = LINK
) -> Mail:
    lines = [
        f"To: {to}",
        f"Message-ID: <{number}-{to}>",
        'Content-Type: multipart/alternative; boundary="-"',
        "",
        "---",
        "Content-Type: text/plain",
        "",
        f"Join: {link}",
        "---",
        f"Content-Type: text/calendar; method={method}",
        "",
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:tested",
        f"METHOD:{method}",
        "BEGIN:VEVENT",
        "UID:bkg_1@host.example",
        f"SEQUENCE:{number}",
        f"DTSTART:{starts:%Y%m%dT%H%M%SZ}",
        f"DTEND:{starts + timedelta(minutes=30):%Y%m%dT%H%M%SZ}",
        f"LOCATION:{link}",
        "END:VEVENT",
        "END:VCALENDAR",
        "-----",
    ]
    return parse("\r\n".join(lines).encode(), to)


def expected(reads: Json, **fields: Any) -> Expected:
    return replace(
        Expected(
            name="bkg_1",
            read=lambda: reads,
            session_id="ses_1",
            starts_at=STARTS,
            ends_at=STARTS + timedelta(minutes=30),
            is_canceled=False,
            has_zoom=True,
            people=(HOST, GUEST),
            methods=None,
            meetings_made=None,
        ),
        **fields,
    )


def as_it_should_be() -> Evidence:
    return Evidence(
        expected=[expected(booking())],
        guests={GUEST: "bkg_1"},
        listed=[booking()],
        meetings=[meeting()],
        mails=[mail(HOST), mail(GUEST)],
    )


def judged(evidence: Evidence) -> Verdict:
    return judge(evidence, Databases("ses_1"))  # type: ignore[arg-type]


def test_what_is_as_it_should_be_is_good() -> None:
    verdict = judged(as_it_should_be())
    assert list(verdict.all()) == []
    assert verdict.is_good


def test_a_second_copy_of_a_mail_and_a_deleted_twin_do_no_harm_and_are_counted() -> None:
    """Nobody can know whether a mail was taken whose 250 is lost; the copy has the same bytes."""
    good = as_it_should_be()
    evidence = replace(good, mails=[*good.mails, mail(GUEST)], meetings=[*good.meetings, meeting(id=2, deleted=True)])
    assert judged(evidence).is_good
    assert (copies(evidence.mails), twins(evidence.meetings)) == (1, 1)


def test_a_cancel_may_come_first_to_whom_the_mail_before_may_have_left_or_not() -> None:
    """Who may know of the booking has to be told of its end; nobody can know whether a mail left whose 250 is lost."""
    canceled = expected(booking(status="canceled"), is_canceled=True, doubtful=frozenset({GUEST}))
    evidence = replace(
        as_it_should_be(),
        expected=[canceled],
        meetings=[meeting(deleted=True)],
        mails=[mail(HOST), mail(HOST, number=2, method="CANCEL"), mail(GUEST, method="CANCEL")],
    )
    assert list(judged(evidence).all()) == []


PLANTED: dict[str, tuple[str, Callable[[Evidence], Evidence]]] = {
    "an acknowledged booking is gone": ("lost", lambda good: replace(good, listed=[])),
    "the meeting was never made": ("lost", lambda good: replace(good, meetings=[])),
    "the meeting was deleted": ("lost", lambda good: replace(good, meetings=[meeting(deleted=True)])),
    "a guest was booked twice": (
        "doubled",
        lambda good: replace(good, listed=[booking(), booking(id="bkg_2")]),
    ),
    "a booking that nobody was told of": (
        "doubled",
        lambda good: replace(good, listed=[booking(), booking(id="bkg_2", invitee={"email": "other@guest.example"})]),
    ),
    "a second meeting lives": ("doubled", lambda good: replace(good, meetings=[meeting(), meeting(id=2)])),
    "a mail says again what the one before said": (
        "doubled",
        lambda good: replace(good, mails=[*good.mails, mail(GUEST, number=2)]),
    ),
    "a meeting of nobody": (
        "orphans",
        lambda good: replace(good, meetings=[meeting(), meeting(id=2, agenda="[ref:ses_2.1.abc]")]),
    ),
    "a meeting without our mark": (
        "orphans",
        lambda good: replace(good, meetings=[meeting(), meeting(id=2, agenda="by hand")]),
    ),
    "the guest has no mail": ("unmailed", lambda good: replace(good, mails=[mail(HOST)])),
    "the host knows only the old time": (
        "unmailed",
        lambda good: replace(good, mails=[mail(HOST, starts=STARTS - timedelta(days=1)), mail(GUEST)]),
    ),
    "the guest has an old link": (
        "unmailed",
        lambda good: replace(good, mails=[mail(HOST), mail(GUEST, link="https://zoom.example/j/0")]),
    ),
    "the guest was not told of the cancellation": (
        "unmailed",
        lambda good: replace(
            good,
            expected=[expected(booking(status="canceled"), is_canceled=True)],
            meetings=[meeting(deleted=True)],
            mails=[mail(HOST), mail(HOST, number=2, method="CANCEL"), mail(GUEST)],
        ),
    ),
    "a copy differs": (
        "copies",
        lambda good: replace(good, mails=[*good.mails, replace(mail(GUEST), raw=b"another")]),
    ),
    "an outbox is not empty": ("waiting", lambda good: replace(good, waiting=["1 outboxes of booking are not empty"])),
    "a CANCEL comes first": (
        "other",
        lambda good: replace(
            good,
            expected=[expected(booking(status="canceled"), is_canceled=True)],
            meetings=[meeting(deleted=True)],
            mails=[mail(HOST), mail(HOST, number=2, method="CANCEL"), mail(GUEST, method="CANCEL")],
        ),
    ),
    "a canceled booking's meeting lives": (
        "other",
        lambda good: replace(
            good,
            expected=[expected(booking(status="canceled"), is_canceled=True)],
            mails=[
                mail(person, number=n, method=m) for person in (HOST, GUEST) for n, m in ((1, "REQUEST"), (2, "CANCEL"))
            ],
        ),
    ),
    "Zoom has another time": ("other", lambda good: replace(good, meetings=[meeting(duration=15)])),
    "the booking shows another link": (
        "other",
        lambda good: replace(
            good, expected=[expected(booking(meeting={"status": "ready", "id": 7, "join_url": LINK}))]
        ),
    ),
    "the booking waits": (
        "other",
        lambda good: replace(good, expected=[expected(booking(meeting={"status": "failed", "reason": "parked"}))]),
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_whatever_is_planted_is_found(planted: str) -> None:
    """Found under its own name, so that the table counts it right."""
    kind, plant = PLANTED[planted]
    verdict = judged(plant(as_it_should_be()))
    assert not verdict.is_good
    assert getattr(verdict, kind), f"not called {kind}, but {list(verdict.all())}"
