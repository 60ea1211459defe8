"""What a mail says, to whom: decided here once, laid out twice by the templates as text and as HTML."""

from collections.abc import Iterator
from dataclasses import dataclass

from convoke.contracts.notifications import Recipient
from notifier.domain.deliveries import Delivery
from notifier.domain.snapshot import Snapshot, is_https
from notifier.mail.person import Person, person
from notifier.mail.text import line, paragraph, subject
from notifier.mail.times import duration, moment, span

SUBJECTS = {
    "confirmation": "Confirmed",
    "rescheduled": "New time",
    "link_changed": "New details to join",
    "cancellation": "Canceled",
}
OPENINGS = {
    "confirmation": "{title} with {other} is booked.",
    "rescheduled": "{title} with {other} has a new time.",
    "link_changed": "How to join {title} with {other} has changed. The time stays as it was.",
    "cancellation": "{title} with {other} is canceled. It will not take place.",
}


@dataclass(frozen=True)
class Fact:
    """A label and its lines; `link` where the only line is an address to follow."""

    label: str
    lines: tuple[str, ...]
    link: bool = False
    is_time: bool = False


@dataclass(frozen=True)
class Letter:
    reader: Person
    other: Person
    title: str
    subject: str
    opening: str
    facts: tuple[Fact, ...]
    join_link: str | None

    @property
    def calendar_description(self) -> str:
        """The facts as plain text, without the times: a calendar shows those itself, in the zone it is set to."""
        return "\n".join("\n".join((f"{fact.label}:", *fact.lines)) for fact in self.facts if not fact.is_time)


def letter(snapshot: Snapshot, delivery: Delivery, before: Delivery | None) -> Letter:
    """Return what `delivery` says; `before` is what its reader was told last."""
    reader, other = _sides(snapshot, delivery.recipient)
    title = line(snapshot.session.title) or "Your booking"
    words = {"title": title, "other": other.name}
    when = moment(delivery.starts_at, reader.timezone, reader.locale)
    return Letter(
        reader=reader,
        other=other,
        title=title,
        subject=subject(SUBJECTS[delivery.kind], f"{title} with {other.name}", when),
        opening=OPENINGS[delivery.kind].format_map(words),
        facts=tuple(_facts(snapshot, delivery, before, reader, other)),
        join_link=None if snapshot.is_canceled else _followable(snapshot.link),
    )


def _sides(snapshot: Snapshot, recipient: Recipient) -> tuple[Person, Person]:
    host, invitee = person(snapshot.session.host), person(snapshot.booking.invitee)
    return (host, invitee) if recipient == "host" else (invitee, host)


def _facts(
    snapshot: Snapshot, delivery: Delivery, before: Delivery | None, reader: Person, other: Person
) -> Iterator[Fact]:
    session = snapshot.session
    when = span(*delivery.span, reader.timezone, reader.locale)
    if delivery.kind == "rescheduled" and before:
        yield Fact("New time", (when,), is_time=True)
        old = span(before.starts_at, before.ends_at, reader.timezone, reader.locale)
        yield Fact("Old time", (old,), is_time=True)
    else:
        yield Fact("When", (when,), is_time=True)
    yield Fact("Duration", (duration(delivery.ends_at - delivery.starts_at),), is_time=True)
    yield Fact("With", (other.contact,))
    if snapshot.reason and delivery.kind in {"rescheduled", "cancellation"}:
        yield Fact("Reason", tuple(paragraph(snapshot.reason).splitlines()))
    if not snapshot.is_canceled:
        yield from _ways_in(snapshot)
        yield from _addresses(snapshot, delivery.recipient)
        if session.description.strip():
            yield Fact("About", tuple(paragraph(session.description).splitlines()))


def _ways_in(snapshot: Snapshot) -> Iterator[Fact]:
    location = snapshot.session.location
    if snapshot.link:
        label = "Join Zoom" if location.kind == "zoom" and not snapshot.session.manual_link else "Join"
        yield Fact(label, (line(snapshot.link),), link=_followable(snapshot.link) is not None)
        yield from _zoom_details(snapshot)
    elif location.detail:
        label = "Phone" if location.kind == "phone" else "Where"
        yield Fact(label, tuple(paragraph(location.detail).splitlines()))


def _zoom_details(snapshot: Snapshot) -> Iterator[Fact]:
    meeting = snapshot.meeting
    if meeting is None or snapshot.link != meeting.join_url:
        return
    yield Fact("Meeting ID", (spaced(meeting.id),))
    if meeting.passcode:
        yield Fact("Passcode", (line(meeting.passcode),))
    if meeting.dial_in:
        numbers = (f"{number.number} ({number.country}, {number.type})" for number in meeting.dial_in)
        yield Fact("By phone", tuple(map(line, numbers)))


def _addresses(snapshot: Snapshot, recipient: Recipient) -> Iterator[Fact]:
    join_address, manage_address = line(snapshot.booking.join_address), line(snapshot.booking.manage_address)
    # Both pages are the invitee's: in the invitee's words and zone, and whoever has one acts as the invitee.
    if recipient == "host":
        return
    if snapshot.link and join_address:
        yield Fact("Always the newest link", (join_address,), link=_is_web_address(join_address))
    if manage_address:
        yield Fact("Your booking", (manage_address,), link=_is_web_address(manage_address))


def _followable(link: str | None) -> str | None:
    return link if link and is_https(link) else None


def _is_web_address(address: str) -> bool:
    # Ours; plain http only where Convoke runs on a developer's machine.
    return address.startswith(("https://", "http://"))


def spaced(meeting_id: int) -> str:
    """Return a meeting id as Zoom shows it: 123 4567 8901, 123 456 7890, 123 456 789."""
    digits = str(meeting_id)
    middle = 3 if len(digits) <= 10 else 4
    return " ".join(filter(None, (digits[:3], digits[3 : 3 + middle], digits[3 + middle :])))
