"""What must be true when everything has come to rest: bookings, meetings at Zoom and mails tell the same.

It looks from outside, over HTTP, at Zoom's side and into the mailboxes; only for what waits does it look into the
databases and the queues.
"""

import asyncio
import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aio_pika
from pymongo import MongoClient

from convoke.contracts.topology import TOPOLOGY
from local_stack.mailbox import Mail
from tests.e2e.waiting import NotTrueInTime, until
from tests.e2e.world import World

Json = dict[str, Any]
Databases = MongoClient[dict[str, Any]]
_SESSION = re.compile(r"\[ref:([a-z0-9_]+)\.")
_OUTBOXES = (("auth", "connections"), ("booking", "sessions"), ("meeting", "meetings"), ("notifier", "correspondence"))
_DUE = (("meeting", "meetings"), ("notifier", "correspondence"))
_CONSUMERS = ("booking", "meeting", "notifier")


@dataclass(frozen=True)
class Expected:
    """How one booking should stand.

    `methods` are those of the mails to each side, and `meetings_made` how many meetings there ever were at most; None
    where that may vary. The meetings of `former_users` are out of reach. A mail to those in `doubtful` may have left
    or not, and was then overtaken: only they may get a CANCEL for what they never got.
    """

    name: str
    read: Callable[[], Json]
    session_id: str
    starts_at: datetime
    ends_at: datetime
    is_canceled: bool
    has_zoom: bool
    people: tuple[str, ...]
    methods: tuple[str, ...] | None
    former_users: tuple[str, ...] = ()
    meetings_made: int | None = 1
    doubtful: frozenset[str] = frozenset()


def settled(world: World, expected: Sequence[Expected], *, within: float) -> None:
    """Return once nothing is wrong with any of these bookings; raises with everything that still is."""

    def nothing_wrong() -> bool:
        # What is still wrong with one makes it needless to ask the services for all the others.
        return next(violations(world, expected), None) is None

    try:
        until("every booking as it should be", nothing_wrong, within=within, every=0.4)
    except NotTrueInTime as late:
        raise NotTrueInTime("\n".join([str(late), *violations(world, expected)])) from None


def at_rest(world: World, *, within: float = 30) -> None:
    """Return once nothing waits anywhere: no outbox entry, no due work, no message, no dead letter."""

    def nothing_waits() -> bool:
        left = list(waiting(world.databases, world.system.urls["rabbitmq"]))
        assert not left, "\n".join(left)
        return True

    until("the system at rest", nothing_waits, within=within, every=0.3)


def violations(world: World, expected: Sequence[Expected]) -> Iterator[str]:
    """Name everything that is not as it should be."""
    people = {person for one in expected for person in one.people}
    return problems(expected, world.zoom.meetings(), world.mails.mails(*people))


def problems(expected: Sequence[Expected], meetings: Sequence[Json], mails: Sequence[Mail]) -> Iterator[str]:
    """Name everything that is not as it should be, in what Zoom and the mailboxes hold (oldest mail first)."""
    by_session, by_recipient = defaultdict(list), defaultdict(list)
    for meeting in meetings:
        by_session[_session_of(meeting)].append(meeting)
    for mail in mails:
        by_recipient[mail.recipient].append(mail)
    for one in expected:
        made = by_session[one.session_id]
        at_zoom = [meeting for meeting in made if meeting["host_id"] not in one.former_users]
        told = {person: by_recipient[person] for person in one.people}
        for problem in itertools.chain(_of_booking(one, at_zoom), _of_mails(one, told, at_zoom)):
            yield f"{one.name}: {problem}"


def orphans(world: World) -> list[Json]:
    """Return the living meetings at Zoom that no scheduled booking references."""
    return orphans_among(world.zoom.meetings(), world.databases)


def orphans_among(meetings: Sequence[Json], databases: Databases) -> list[Json]:
    """Return those of the meetings that live, and that no scheduled booking references."""
    sessions = databases["booking"]["sessions"]
    scheduled = {session["_id"] for session in sessions.find({"status": "scheduled"}, {"_id": 1})}
    return [one for one in meetings if not one["deleted"] and _session_of(one) not in scheduled]


def _session_of(meeting: Json) -> str | None:
    found = _SESSION.search(meeting["agenda"])
    return found[1] if found else None


def _of_booking(one: Expected, at_zoom: list[Json]) -> Iterator[str]:
    booking = one.read()
    if booking["status"] != ("canceled" if one.is_canceled else "confirmed"):
        yield f"the booking is {booking['status']}"
    if _instant(booking["starts_at"]) != one.starts_at:
        yield f"the booking starts at {booking['starts_at']}"
    if one.meetings_made is not None and len(at_zoom) > one.has_zoom * one.meetings_made:
        yield f"{len(at_zoom)} meetings were made"
    living = [found for found in at_zoom if not found["deleted"]]
    if one.is_canceled and living:
        yield "the meeting is still at Zoom"
    if one.has_zoom and not one.is_canceled:
        yield from _of_link(one, booking["meeting"], living)


def _of_link(one: Expected, shown: Json, living: list[Json]) -> Iterator[str]:
    if shown["status"] != "ready":
        yield f"the link is {shown['status']} ({shown.get('reason')})"
    if len(living) != 1:
        yield f"{len(living)} meetings are at Zoom"
        return
    [meeting] = living
    duration = int((one.ends_at - one.starts_at).total_seconds() // 60)
    if (_instant(meeting["start_time"]), meeting["duration"]) != (one.starts_at, duration):
        yield f"Zoom has {meeting['start_time']} and {meeting['duration']} minutes"
    if (shown.get("id"), shown.get("join_url")) != (meeting["id"], meeting["join_url"]):
        yield "the booking shows another link than Zoom has"


def _of_mails(one: Expected, mails: Mapping[str, list[Mail]], at_zoom: list[Json]) -> Iterator[str]:
    links = [found["join_url"] for found in at_zoom if not found["deleted"]]
    for person, got in mails.items():
        for problem in _of_mails_to(person, got, one, links):
            yield f"to {person}: {problem}"
        told = tuple(mail.method or "none" for mail in _different(got))
        if one.methods is not None and told != one.methods:
            yield f"to {person}: the mails were {told} instead of {one.methods}"


def _of_mails_to(person: str, got: list[Mail], one: Expected, links: list[str]) -> Iterator[str]:
    yield from _of_copies(got)
    yield from _of_order(got)
    yield from _of_methods(got, may_begin_with_cancel=person in one.doubtful)
    yield from _of_newest(one, got, links)


def _of_copies(got: list[Mail]) -> Iterator[str]:
    by_id = itertools.groupby(sorted(got, key=lambda mail: mail.message_id), key=lambda mail: mail.message_id)
    for message_id, copies in by_id:
        if len({mail.raw for mail in copies}) != 1:
            yield f"two different mails are called {message_id}"


def _of_order(got: list[Mail]) -> Iterator[str]:
    if len({mail.uid for mail in got if mail.event}) > 1:
        yield "the mails are of several calendar entries"
    sequences = [mail.sequence for mail in got if mail.sequence is not None]
    if sequences != sorted(sequences):
        yield f"their SEQUENCE falls: {sequences}"
    different = [mail.sequence for mail in _different(got) if mail.sequence is not None]
    if len(different) != len(set(different)):
        yield f"two mails have the same SEQUENCE: {different}"


def _of_methods(got: list[Mail], *, may_begin_with_cancel: bool) -> Iterator[str]:
    methods = [mail.method for mail in got if mail.method]
    begins_well = may_begin_with_cancel or methods[:1] != ["CANCEL"]
    if "CANCEL" in methods and not (begins_well and methods[-1] == "CANCEL"):
        yield f"CANCEL does not end what a REQUEST began: {methods}"


def _of_newest(one: Expected, got: list[Mail], links: list[str]) -> Iterator[str]:
    if not got:
        yield "no mail"
        return
    newest = got[-1]
    if one.is_canceled:
        if newest.method == "REQUEST":
            yield "was not told of the cancellation"
        return
    if newest.method != "REQUEST" or newest.event is None:
        yield f"the newest mail is a {newest.method}"
        return
    if (newest.event.start, newest.event.end) != (one.starts_at, one.ends_at):
        yield f"was last told {newest.event.start}"
    if one.has_zoom and not any(link in newest.text for link in links):
        yield "the newest mail lacks the link"


def _different(got: list[Mail]) -> list[Mail]:
    return list({mail.message_id: mail for mail in reversed(got)}.values())[::-1]


def waiting(databases: Databases, rabbitmq_url: str) -> Iterator[str]:
    """Name everything that is still to be done: outboxes, due work, messages, dead letters."""
    for database, collection in _OUTBOXES:
        count = databases[database][collection].count_documents({"outbox.0": {"$exists": True}})
        if count:
            yield f"{count} outboxes of {database} are not empty"
    for database, collection in _DUE:
        for document in databases[database][collection].find({"due_at": {"$type": "date"}}):
            yield f"{document['_id']} of {database} is due {document['due_at']}: {document.get('reason')}"
    for database in _CONSUMERS:
        count = databases[database]["dead_letters"].count_documents({"state": "waiting"})
        if count:
            yield f"{count} dead letters wait in {database}"
    for queue, count in asyncio.run(_messages(rabbitmq_url)).items():
        if count:
            yield f"{count} messages are in {queue}"


async def _messages(url: str) -> dict[str, int]:
    names = [name for stream in TOPOLOGY for name in (stream.queue, stream.dead_letter_queue)]
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queues = [await channel.declare_queue(name, passive=True) for name in names]
        return {queue.name: queue.declaration_result.message_count or 0 for queue in queues}


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
