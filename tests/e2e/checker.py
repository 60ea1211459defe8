"""What must be true when everything has come to rest: bookings, meetings at Zoom and mails tell the same.

It looks from outside, over HTTP, at Zoom's side and into the mailboxes; only for what waits does it look into the
databases and the queues.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aio_pika

from convoke.contracts.topology import TOPOLOGY
from local_stack.mailbox import Mail
from tests.e2e.waiting import until
from tests.e2e.world import World

Json = dict[str, Any]
_OUTBOXES = (("auth", "connections"), ("booking", "sessions"), ("meeting", "meetings"), ("notifier", "correspondence"))
_DUE = (("meeting", "meetings"), ("notifier", "correspondence"))


@dataclass(frozen=True)
class Expected:
    """How one booking should stand. `methods` are those of the mails to each side, None where that may vary."""

    name: str
    read: Callable[[], Json]
    session_id: str
    starts_at: datetime
    ends_at: datetime
    is_canceled: bool
    has_zoom: bool
    people: tuple[str, str]
    methods: tuple[str, ...] | None


def settled(world: World, expected: Sequence[Expected], *, within: float) -> None:
    """Return once nothing is wrong with any of these bookings; raises with everything that still is."""

    def nothing_wrong() -> bool:
        wrong = list(violations(world, expected))
        assert not wrong, "\n".join(wrong)
        return True

    until("every booking as it should be", nothing_wrong, within=within, every=0.4)


def at_rest(world: World, *, within: float = 30) -> None:
    """Return once nothing waits anywhere: no outbox entry, no due work, no message, no dead letter."""

    def nothing_waits() -> bool:
        waiting = list(_waiting(world))
        assert not waiting, "\n".join(waiting)
        return True

    until("the system at rest", nothing_waits, within=within, every=0.3)


def violations(world: World, expected: Sequence[Expected]) -> Iterator[str]:
    """Name everything that is not as it should be."""
    meetings, mails = world.zoom.meetings(), world.mails.mails()
    for one in expected:
        at_zoom = [meeting for meeting in meetings if one.session_id in meeting["agenda"]]
        for problem in itertools.chain(_of_booking(one, at_zoom), _of_mails(one, mails, at_zoom)):
            yield f"{one.name}: {problem}"


def orphans(world: World) -> list[Json]:
    """Return the living meetings at Zoom that no scheduled booking references."""
    sessions = world.databases["booking"]["sessions"]
    scheduled = [session["_id"] for session in sessions.find({"status": "scheduled"}, {"_id": 1})]
    living = [meeting for meeting in world.zoom.meetings() if not meeting["deleted"]]
    return [one for one in living if not any(session in one["agenda"] for session in scheduled)]


def _of_booking(one: Expected, at_zoom: list[Json]) -> Iterator[str]:
    booking = one.read()
    if booking["status"] != ("canceled" if one.is_canceled else "confirmed"):
        yield f"the booking is {booking['status']}"
    if _instant(booking["starts_at"]) != one.starts_at:
        yield f"the booking starts at {booking['starts_at']}"
    if len(at_zoom) > one.has_zoom:
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


def _of_mails(one: Expected, mails: list[Mail], at_zoom: list[Json]) -> Iterator[str]:
    links = [found["join_url"] for found in at_zoom if not found["deleted"]]
    for person in one.people:
        got = [mail for mail in mails if mail.recipient == person]
        for problem in itertools.chain(_of_copies(got), _of_order(got), _of_newest(one, got, links)):
            yield f"to {person}: {problem}"
        told = tuple(mail.method or "none" for mail in _different(got))
        if one.methods is not None and told != one.methods:
            yield f"to {person}: the mails were {told} instead of {one.methods}"


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
    methods = [mail.method for mail in got if mail.method]
    if "CANCEL" in methods and (methods[0] == "CANCEL" or methods[-1] != "CANCEL"):
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


def _waiting(world: World) -> Iterator[str]:
    for database, collection in _OUTBOXES:
        count = world.databases[database][collection].count_documents({"outbox.0": {"$exists": True}})
        if count:
            yield f"{count} outboxes of {database} are not empty"
    for database, collection in _DUE:
        count = world.databases[database][collection].count_documents({"due_at": {"$type": "date"}})
        if count:
            yield f"{count} documents of {database} are due"
    for queue, count in asyncio.run(_messages(world.system.urls["rabbitmq"])).items():
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
