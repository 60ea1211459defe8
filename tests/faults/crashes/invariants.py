"""What has to be true once everything is at rest: nothing lost, nothing doubled, whatever happened."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

from convoke.mongo import Document
from notifier.domain.deliveries import OPEN
from tests.faults.crashes.client import Booked
from tests.faults.crashes.letters import Letter, read
from tests.faults.crashes.services import MAILROOM
from tests.faults.crashes.world import HOST, TALK, World


def broken(world: World, bookings: Sequence[Booked]) -> list[str]:
    """Return each broken invariant in words; nothing where all hold."""
    of_bookings = chain.from_iterable(_of_booking(world, booking) for booking in bookings)
    return [*of_bookings, *_of_documents(world), *_of_messages(world), *_orphans(world, bookings)]


def _of_booking(world: World, booking: Booked) -> Iterator[str]:
    stored = world.disks["sessions"].documents.get(booking.session_id)
    if stored is None:
        yield f"{booking.booking_id} was answered and is lost"
        return
    for problem in chain(_of_session(world, booking, stored), _of_mails(world, booking, stored)):
        yield f"{booking.booking_id}: {problem}"


def _of_session(world: World, booking: Booked, stored: Document) -> Iterator[str]:
    living = [one for one in world.zoom.living(booking.session_id) if one.host_id not in booking.former_users]
    if (stored["starts_at"], stored["status"] == "canceled") != (booking.starts_at, booking.is_canceled):
        yield f"stored as {stored['status']} at {stored['starts_at']}, answered was {booking.starts_at}"
    if booking.is_canceled:
        if living:
            yield f"it is cancelled, and {len(living)} meetings live"
        return
    outcome = stored["meeting"]["outcome"]
    if outcome == "failed" and stored["meeting"]["reason"]:
        if len(living) > 1:
            yield f"it is parked, and {len(living)} meetings live"
        return
    if outcome != "ready" or len(living) != 1:
        yield f"it shows {outcome}, and {len(living)} meetings live"
        return
    meeting = living[0]
    if (meeting.start_time, meeting.duration) != (booking.starts_at, TALK.duration_minutes):
        yield f"Zoom has {meeting.start_time}, {meeting.duration} minutes"
    if stored["meeting"]["way_in"]["meeting_id"] != meeting.id:
        yield "it shows another link than Zoom has"


def _of_mails(world: World, booking: Booked, stored: Document) -> Iterator[str]:
    for recipient in (HOST.email, booking.invitee):
        letters = [read(mail.raw, mail.recipient) for mail in world.mails if mail.recipient == recipient]
        uid = _uids(world, booking)
        mails = [mail for mail in letters if mail.uid in uid or booking.booking_id in mail.text]
        for problem in chain(_of_copies(mails), _of_order(mails), _of_newest(mails, booking, stored)):
            yield f"mails to {recipient}: {problem}"


def _uids(world: World, booking: Booked) -> set[str | None]:
    """Return the UID of the calendar entry, told by the invitee's mails: nobody else gets this booking's."""
    mails = [read(mail.raw, mail.recipient) for mail in world.mails if mail.recipient == booking.invitee]
    return {mail.uid for mail in mails if mail.uid}


def _of_copies(mails: Sequence[Letter]) -> Iterator[str]:
    contents: dict[str, set[bytes]] = {}
    for mail in mails:
        contents.setdefault(mail.message_id, set()).add(mail.raw)
    for message_id, copies in contents.items():
        if len(copies) > 1:
            yield f"{len(copies)} different mails are called {message_id}"
    sequences = Counter({(mail.sequence, mail.message_id) for mail in mails if mail.method})
    if len({sequence for sequence, _ in sequences}) != len(sequences):
        yield f"several mails have the same SEQUENCE: {sorted(sequences, key=str)}"


def _of_order(mails: Sequence[Letter]) -> Iterator[str]:
    methods = [mail.method for mail in mails if mail.method]
    if "CANCEL" in methods and methods[0] == "CANCEL":
        yield f"CANCEL without REQUEST: {methods}"


def _of_newest(mails: Sequence[Letter], booking: Booked, stored: Document) -> Iterator[str]:
    if not mails:
        if stored["meeting"]["outcome"] != "failed" and not booking.is_canceled:
            yield "there is none"
        return
    newest = max(mails, key=lambda mail: -1 if mail.sequence is None else mail.sequence)
    if booking.is_canceled:
        if newest.method and newest.method != "CANCEL":
            yield f"the newest is {newest.method}, and the booking is cancelled"
    elif newest.method != "REQUEST":
        yield f"the newest is {newest.method}"
    elif stored["meeting"]["outcome"] == "ready" and newest.starts_at != booking.starts_at:
        yield f"the newest says {newest.starts_at} instead of {booking.starts_at}"


def _of_documents(world: World) -> Iterator[str]:
    for collection in ("sessions", "meetings", "correspondence"):
        for document in world.documents(collection):
            if document.get("outbox"):
                yield f"{collection} {document['_id']}: {len(document['outbox'])} entries are left in the outbox"
            if document.get("lease"):
                yield f"{collection} {document['_id']}: a lease is left"
    yield from _foreign_mails(world)
    for document in world.documents("correspondence"):
        if open_ones := [mail["kind"] for mail in document["deliveries"] if mail["state"] in OPEN]:
            yield f"mails under way for ever: {open_ones}"
    for document in world.documents("meetings"):
        if document.get("intent") and not document.get("reason"):
            yield f"{document['_id']}: a create in doubt for ever"


def _foreign_mails(world: World) -> Iterator[str]:
    """Find mails whose Message-ID does not follow from what they are about: a copy could not be recognised."""
    deliveries = [mail["id"] for document in world.documents("correspondence") for mail in document["deliveries"]]
    known = {MAILROOM.message_id(delivery) for delivery in deliveries}
    for mail in world.mails:
        if (message_id := read(mail.raw, mail.recipient).message_id) not in known:
            yield f"no delivery has the Message-ID {message_id}"


def _of_messages(world: World) -> Iterator[str]:
    if not world.queues.is_empty():
        yield "messages wait in queues"
    for message in world.queues.dead_letters():
        yield f"a dead letter: {message.headers}"
    if missing := world.queues.unaccounted_for():
        yield f"messages that nobody can account for: {missing}"


def _orphans(world: World, bookings: Sequence[Booked]) -> Iterator[str]:
    known = {booking.session_id for booking in bookings} | {one["_id"] for one in world.documents("meetings")}
    for meeting in world.zoom.meetings():
        if not meeting.deleted and not any(f"[ref:{session_id}." in meeting.agenda for session_id in known):
            yield f"meeting {meeting.id} at Zoom belongs to no booking"
