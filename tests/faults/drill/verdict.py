"""What there is in the end: bookings, meetings at Zoom and mails, compared; and the table that says so."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from local_stack.mailbox import Mail
from tests.e2e.checker import Databases, Expected, Json, orphans_among, problems


@dataclass(frozen=True)
class Evidence:
    """What was found at rest.

    `expected` is how each acknowledged booking should stand, `guests` the booking of each guest, `listed` what the
    product lists, `meetings` all that ever were, `mails` all, oldest first, and `waiting` what is still to be done.
    """

    expected: Sequence[Expected]
    guests: Mapping[str, str]
    listed: Sequence[Json]
    meetings: Sequence[Json]
    mails: Sequence[Mail]
    waiting: Sequence[str] = ()


@dataclass
class Verdict:
    """Everything that is wrong, by how it is called; nothing is, if all are empty."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    unmailed: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not any(vars(self).values())

    def all(self) -> Iterator[str]:
        for kind, found in vars(self).items():
            yield from (f"{kind}: {text}" for text in found)


def judge(evidence: Evidence, databases: Databases) -> Verdict:
    """Compare everything with everything."""
    verdict = Verdict(waiting=list(evidence.waiting))
    verdict.lost += _lost(evidence)
    verdict.doubled += [*_doubled_bookings(evidence), *_doubled_meetings(evidence), *_doubled_mails(evidence.mails)]
    verdict.orphans += [
        f"meeting {one['id']} of {one['host_id']}" for one in orphans_among(evidence.meetings, databases)
    ]
    for problem in problems(evidence.expected, evidence.meetings, evidence.mails):
        _home_of(problem, verdict).append(problem)
    return verdict


def twins(meetings: Sequence[Json]) -> int:
    """Return for how many bookings more than one meeting was ever made of the same generation."""
    marks = Counter(meeting["agenda"].partition("]")[0] for meeting in meetings)
    return sum(count > 1 for mark, count in marks.items() if mark.startswith("[ref:"))


def copies(mails: Sequence[Mail]) -> int:
    """Return how many mails came again under the same Message-ID."""
    return len(mails) - len({mail.message_id for mail in mails})


def _home_of(problem: str, verdict: Verdict) -> list[str]:
    signs = {
        "two different mails are called": verdict.copies,
        "no mail": verdict.unmailed,
        "was last told": verdict.unmailed,
        "was not told": verdict.unmailed,
        "lacks the link": verdict.unmailed,
        "0 meetings are at Zoom": verdict.lost,
    }
    return next((home for sign, home in signs.items() if sign in problem), verdict.other)


def _lost(evidence: Evidence) -> Iterator[str]:
    listed = {booking["id"] for booking in evidence.listed}
    for guest, booking_id in evidence.guests.items():
        if booking_id not in listed:
            yield f"booking {booking_id} of {guest} was acknowledged and is not listed"


def _doubled_bookings(evidence: Evidence) -> Iterator[str]:
    by_guest = Counter(booking["invitee"]["email"] for booking in evidence.listed)
    yield from (f"{count} bookings of {guest}" for guest, count in by_guest.items() if count > 1)
    for booking in evidence.listed:
        if booking["invitee"]["email"] not in evidence.guests:
            yield f"booking {booking['id']} of {booking['invitee']['email']} was never acknowledged"


def _doubled_meetings(evidence: Evidence) -> Iterator[str]:
    living = Counter(meeting["agenda"].partition(".")[0] for meeting in evidence.meetings if not meeting["deleted"])
    yield from (f"{count} meetings live for {session}" for session, count in living.items() if count > 1)


def _doubled_mails(mails: Sequence[Mail]) -> Iterator[str]:
    """Name pairs of different mails, one after the other, that tell one person the same of one booking."""
    told = defaultdict(list)
    for mail in mails:
        told[mail.recipient, mail.uid].append(mail)
    for (recipient, _), got in told.items():
        different = list({mail.message_id: mail for mail in reversed(got)}.values())[::-1]
        for first, second in pairwise(different):
            if _tells(first) == _tells(second):
                yield f"{recipient} was told the same twice: {first.message_id} and {second.message_id}"


def _tells(mail: Mail) -> tuple[object, ...]:
    event = mail.event
    if event is None:
        return (mail.method, mail.text)
    return (mail.method, event.start, event.end, str(event.get("location")), str(event.get("description")))
