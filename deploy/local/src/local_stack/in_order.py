"""What is not in order: bookings against the meetings at Zoom and the newest mails to both sides."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from local_stack.mailbox import Mail, Mailbox
from local_stack.tenant import Tenant

Json = dict[str, Any]
SIDES = 2


@dataclass
class Booked:
    """A booking as its people want it now."""

    answer: Json
    starts_at: str
    is_canceled: bool = False

    @property
    def id(self) -> str:
        return str(self.answer["id"])

    @property
    def session_id(self) -> str:
        return str(self.answer["session_id"])


@dataclass(frozen=True)
class Check:
    """Looks from outside; `meetings` returns what Zoom has, the deleted included."""

    tenant: Tenant
    mails: Mailbox
    meetings: Callable[[], list[Json]]

    def wrong(self, bookings: Iterable[Booked]) -> list[str]:
        """Return a line for each booking that has not the one meeting and the mails that it should have."""
        living = [meeting for meeting in self.meetings() if not meeting["deleted"]]
        mails = self.mails.mails()
        return [f"{one.id}: {why}" for one in bookings if (why := next(self._wrong(one, living, mails), None))]

    def _wrong(self, one: Booked, living: list[Json], mails: list[Mail]) -> Iterator[str]:
        at_zoom = [meeting for meeting in living if one.session_id in meeting["agenda"]]
        if len(at_zoom) != (not one.is_canceled):
            yield f"{len(at_zoom)} meetings are at Zoom"
            return
        link = self._link(one)
        if not one.is_canceled and at_zoom[0]["start_time"] != one.starts_at:
            yield f"Zoom has {at_zoom[0]['start_time']} instead of {one.starts_at}"
        if not one.is_canceled and link != at_zoom[0]["join_url"]:
            yield f"the booking has the link {link}"
        yield from _wrong_mails(one, _newest_to_each(one, mails), link)

    def _link(self, one: Booked) -> str | None:
        """Return the booking's link, None where it is not ready."""
        meeting = self.tenant.booking(one.id)["meeting"]
        return str(meeting["join_url"]) if meeting["status"] == "ready" else None


def _newest_to_each(one: Booked, mails: list[Mail]) -> list[Mail]:
    guest = one.answer["invitee"]["email"]
    uid = next((mail.uid for mail in mails if mail.recipient == guest), None)
    return list({mail.recipient: mail for mail in mails if uid and mail.uid == uid}.values())


def _wrong_mails(one: Booked, newest: list[Mail], link: str | None) -> Iterator[str]:
    if one.is_canceled and not newest:
        return  # whoever was told nothing yet needs not be told that it is cancelled
    if len(newest) != SIDES:
        yield f"{len(newest)} of {SIDES} people were mailed"
    for mail in newest:
        if mail.method != ("CANCEL" if one.is_canceled else "REQUEST"):
            yield f"the newest mail to {mail.recipient} is {mail.method}"
        elif not one.is_canceled and (_starts(mail) != one.starts_at or str(link) not in mail.text):
            yield f"the newest mail to {mail.recipient} says {_starts(mail)}, or another link"


def _starts(mail: Mail) -> str | None:
    return mail.event.start.strftime("%Y-%m-%dT%H:%M:%SZ") if mail.event else None
