"""What a notice about a broken Zoom connection says, and in whose zone; laid out by the templates `notice.*`."""

from dataclasses import dataclass

from convoke.contracts import Host
from notifier.domain.affected import Affected
from notifier.domain.notices import DAYS, Ending, Standing
from notifier.mail.person import Person, person
from notifier.mail.text import line
from notifier.mail.times import moment, span

WHY = {
    "deauthorized": "The app was removed from your Zoom account",
    "reauthorization_required": "Zoom no longer accepts the connection to your account",
}


@dataclass(frozen=True)
class Listed:
    """A booking: when it is in the reader's zone, and what it is."""

    when: str
    what: str


@dataclass(frozen=True)
class NoticeLetter:
    reader: Person
    subject: str
    opening: str
    affected: str
    bookings: tuple[Listed, ...]
    unlisted: int
    means: str
    to_do: str
    is_last: bool


def notice_letter(standing: Standing, broken: Ending, affected: Affected, day: int) -> NoticeLetter:
    """Return what is said to a connection's owner; `affected` has at least one booking."""
    reader = reader_of(standing, affected)
    bookings = "1 booking" if affected.count == 1 else f"{affected.count} bookings"
    whose = "yours" if standing.host_id else "your organization's"
    return NoticeLetter(
        reader=reader,
        subject=f"Zoom is disconnected: connect it again for {bookings}",
        opening=f"{WHY[broken.reason]} ({moment(broken.time, reader.timezone, reader.locale)}).",
        affected=f"{bookings} of {whose} that {'is' if affected.count == 1 else 'are'} ahead",
        bookings=tuple(
            Listed(
                span(*booking.span, reader.timezone, reader.locale),
                f"{line(booking.session.title) or 'A booking'} with {person(booking.booking.invitee).name}",
            )
            for booking in affected.first
        ),
        unlisted=affected.unlisted,
        means=(
            "They stay confirmed. But those without a link get none, "
            "and meetings that exist are neither moved nor deleted."
        ),
        to_do=(
            "Open the Zoom settings of the product in which your bookings are made, choose “Connect Zoom” and allow "
            "every permission. What could not be done meanwhile is then done by itself, and these notices end."
        ),
        is_last=day == DAYS[-1],
    )


def reader_of(standing: Standing, affected: Affected) -> Person:
    """Return the host of a host's connection; else who has the Zoom account's address, in the zone that is known best.

    That is their own where they are one of the hosts, else that of the next booking's host.
    """
    hosts = [booking.session.host for booking in affected.first]
    if standing.host_id:
        return person(hosts[0])
    email = standing.email or ""
    known = next((host for host in hosts if host.email.casefold() == email.casefold()), None)
    return person(known or _stranger(email, hosts[0]))


def _stranger(email: str, nearest: Host) -> Host:
    return Host(id=nearest.id, name=email, email=email, timezone=nearest.timezone, locale=nearest.locale)
