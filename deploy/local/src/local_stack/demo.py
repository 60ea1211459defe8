"""The demo: one booking from HTTP to Zoom and to the mailboxes, moved and cancelled, checked at every step."""

import functools
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from local_stack.installation import Installation
from local_stack.mailbox import Mail, Mailbox
from local_stack.progress import say
from local_stack.tenant import Tenant, new_tenant, wait_for

Json = dict[str, Any]
HOST = {"name": "Hanna Host", "email": "hanna@host.example", "timezone": "Europe/Berlin", "locale": "de-DE"}
GUEST = {"name": "Gus Guest", "email": "gus@guest.example", "timezone": "America/New_York", "locale": "en-US"}
READY_WITHIN = 1.0


class DemoFailedError(Exception):
    """What was seen is not what Convoke promises."""


def demo(installation: Installation) -> None:
    """Tell the story and check it. Raises DemoFailedError or NotInTimeError."""
    run = datetime.now(UTC).strftime("%H%M%S%f")
    people = [f"{run}.{person['email']}" for person in (HOST, GUEST)]
    with Tenant(installation, new_tenant(installation, "Demo")) as tenant, Mailbox(installation.urls["mails"]) as mails:
        _Story(tenant, mails, installation.urls["zoom"], *people).tell()


class _Story:
    def __init__(self, tenant: Tenant, mails: Mailbox, zoom_url: str, host_mail: str, guest_mail: str) -> None:
        self._tenant = tenant
        self._mails = mails
        self._zoom_url = zoom_url
        self._host_mail = host_mail
        self._guest_mail = guest_mail

    def tell(self) -> None:
        self._connect()
        booking = self._book()
        self._reschedule(booking)
        self._cancel(booking)
        self._show_timeline(booking["id"])
        self._show_mails()

    def _connect(self) -> None:
        say("\n1. Zoom is connected, once")
        page = self._tenant.connect_zoom("host-1")
        _check("connected" in page, "the page after consenting says that Zoom is connected")

    def _book(self) -> Json:
        say("\n2. A booking gets its own Zoom meeting")
        host = self._tenant.add_host(**HOST | {"email": self._host_mail})
        event_type = self._tenant.add_event_type(
            title="Coaching: first talk",
            description="Bring your notes.",
            duration_minutes=45,
            location={"kind": "zoom"},
        )
        started = time.monotonic()
        booking = self._tenant.book(
            event_type_id=event_type["id"],
            host_id=host["id"],
            starts_at=_start(days=7),
            invitee=GUEST | {"email": self._guest_mail},
        )
        ready = self._when_ready(booking["id"], booking["starts_at"])
        took = time.monotonic() - started
        meeting = self._at_zoom(ready)
        _check(took < READY_WITHIN, f"the link is there {took * 1000:.0f} ms after the request")
        _check((meeting["start_time"], meeting["duration"]) == (ready["starts_at"], 45), "Zoom has its time and length")
        _check(ready["meeting"]["join_url"] == meeting["join_url"], f"one link everywhere: {meeting['join_url']}")
        self._check_mails("REQUEST", 1, ready["meeting"]["join_url"])
        return ready

    def _reschedule(self, booking: Json) -> None:
        say("\n3. It moves when the booking moves")
        self._tenant.reschedule(booking["id"], _start(days=8, hours=3), "Train strike")
        moved = self._when_ready(booking["id"], _start(days=8, hours=3))
        meeting = self._at_zoom(moved)
        _check(meeting["start_time"] == moved["starts_at"], f"Zoom has the new time: {meeting['start_time']}")
        _check(meeting["updates"] == 1, "by one update of the same meeting")
        _check(moved["meeting"]["join_url"] == booking["meeting"]["join_url"], "the link has not changed")
        self._check_mails("REQUEST", 2, booking["meeting"]["join_url"])

    def _cancel(self, booking: Json) -> None:
        say("\n4. It goes when the booking goes")
        self._tenant.cancel(booking["id"], "Ill")
        gone = wait_for("the meeting's end at Zoom", lambda: self._at_zoom(booking)["deleted"])
        _check(gone, "the meeting is deleted at Zoom")
        self._check_mails("CANCEL", 3, None)

    def _when_ready(self, booking_id: str, starts_at: str) -> Json:
        def ready() -> Json | None:
            booking = self._tenant.booking(booking_id)
            is_ready = booking["meeting"]["status"] == "ready" and booking["starts_at"] == starts_at
            return booking if is_ready else None

        return wait_for("the booking's link", ready)

    def _at_zoom(self, booking: Json) -> Json:
        meetings = httpx.get(f"{self._zoom_url}/sandbox/meetings", trust_env=False).raise_for_status().json()
        (meeting,) = [one for one in meetings if booking["session_id"] in one["agenda"]]
        return dict(meeting)

    def _check_mails(self, method: str, count: int, join_url: str | None) -> None:
        for who, address in (("host", self._host_mail), ("guest", self._guest_mail)):
            mails = wait_for(f"mail {count} to the {who}", functools.partial(self._if_there, address, count))
            newest = mails[-1]
            _check(newest.method == method, f"mail to the {who}: {newest.subject} (calendar {method})")
            _check_calendar(mails)
            if join_url:
                _check(join_url in newest.text, "it holds the join link", quiet=True)

    def _if_there(self, address: str, count: int) -> list[Mail] | None:
        mails = self._mails.mails(address)
        return mails if len(mails) >= count else None

    def _show_timeline(self, booking_id: str) -> None:
        say("\nThe booking's timeline, as its host can read it:")
        for line in self._tenant.timeline(booking_id):
            say(f"    {line['at']}  {line['what']}  {line.get('detail') or ''}".rstrip())

    def _show_mails(self) -> None:
        mails = self._mails.mails(self._host_mail, self._guest_mail)
        say("")
        _check(len(mails) == 6, "six mails were sent, three to each side")
        say("\nThe guest's second mail:\n")
        second = self._mails.mails(self._guest_mail)[1]
        for line in second.text.splitlines():
            say(f"    | {line}".rstrip())


def _check_calendar(mails: list[Mail]) -> None:
    sequences = [-1 if mail.sequence is None else mail.sequence for mail in mails]
    _check(len({mail.uid for mail in mails}) == 1, "the mails are of one calendar entry", quiet=True)
    _check(sequences[0] >= 0 and sequences == sorted(set(sequences)), "its SEQUENCE rises", quiet=True)


def _start(**later: float) -> str:
    midnight = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    return (midnight + timedelta(**later)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check(holds: bool, what: str, *, quiet: bool = False) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise DemoFailedError(f"NOT TRUE: {what.strip()}")
    if not quiet:
        say(f"   ok  {what}")
