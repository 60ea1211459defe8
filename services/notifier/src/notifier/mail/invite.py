"""The calendar entry of a booking (RFC 5545, RFC 5546): one UID for ever, a rising SEQUENCE, UTC times."""

from email.headerregistry import Address
from urllib.parse import quote

from icalendar import Calendar, Event, vCalAddress

from notifier.domain.deliveries import CalendarMethod, Delivery
from notifier.domain.snapshot import Snapshot
from notifier.mail.letter import Letter
from notifier.mail.text import line

UNESCAPED = "@+!$'*=-._~&/"
"""What a mail address may hold as it is in a mailto address (RFC 6068, section 2)."""

PRODUCT = "-//Convoke//Convoke notifier//EN"


def calendar_entry(
    snapshot: Snapshot, said: Letter, organizer: Address, delivery: Delivery, method: CalendarMethod
) -> bytes:
    """Return the iCalendar object. The organizer is the sender's address, else Google would not take updates."""
    event = Event()
    event.add("uid", f"{snapshot.booking.id}@{organizer.domain}")
    event.add("dtstamp", snapshot.time)
    event.add("sequence", delivery.sequence)
    event.add("dtstart", delivery.starts_at)
    event.add("dtend", delivery.ends_at)
    event.add("summary", f"{said.title} with {said.other.name}")
    event.add("description", said.calendar_description)
    event.add("status", "CONFIRMED" if method == "REQUEST" else "CANCELLED")
    if place := _place(snapshot):
        event.add("location", place)
    if said.join_link:
        event.add("url", said.join_link)
    event["organizer"] = _party(organizer.addr_spec, snapshot.session.host.name)
    for person in (said.reader, said.other):
        if person.address:
            event.add("attendee", _attendee(person.address))
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    entry: bytes = calendar.to_ical()
    return entry


def _place(snapshot: Snapshot) -> str | None:
    if snapshot.is_canceled:
        return None
    place = snapshot.link or snapshot.session.location.detail
    return line(place) if place else None


def _attendee(address: Address) -> vCalAddress:
    attendee = _party(address.addr_spec, address.display_name)
    attendee.params["ROLE"] = "REQ-PARTICIPANT"
    # Both have agreed by offering and taking the slot; an answer would reach no reader.
    attendee.params["PARTSTAT"] = "ACCEPTED"
    attendee.params["RSVP"] = "FALSE"
    return attendee


def _party(address: str, name: str) -> vCalAddress:
    party = vCalAddress(f"mailto:{quote(address, safe=UNESCAPED)}")
    # RFC 6868 escapes quotes in parameters, which common calendars show as they are.
    party.params["CN"] = line(name).replace('"', "'").replace("^", "'") or address
    return party
