"""`dead-letters list|show|replay|discard` of each service, as an operator uses them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import pytest

from convoke.contracts.topology import (
    BOOKING_SERVICE_MEETINGS,
    BOOKING_SERVICE_NOTIFICATIONS,
    MEETING_SERVICE_BOOKINGS,
    MEETING_SERVICE_ZOOM,
    NOTIFIER_BOOKINGS,
    NOTIFIER_MEETINGS,
    Stream,
    streams_of,
)
from convoke.settings import load
from tests.integration.commands.conftest import Programs, sample
from tests.support.eventually import eventually

SERVICES = ("booking_service", "meeting_service", "notifier")


@asynccontextmanager
async def serving(programs: Programs, program: str) -> AsyncIterator[None]:
    """Run a service in this process."""
    settings = load(import_module(f"{program}.settings").Settings, programs.settings(program))
    lifecycle = import_module(f"{program}.app").build_app(settings).state.lifecycle
    async with lifecycle:

        async def is_ready() -> bool:
            return all((await lifecycle.is_ready()).values())

        await eventually(is_ready, within=20)
        yield


async def letter_in(programs: Programs, program: str, stream: Stream, body: dict[str, Any] | bytes) -> str:
    """Have a service that runs find a message among its dead letters, and return the letter's id."""
    await programs.send(stream.dead_letter_queue, body)
    [letter] = await programs.waiting(program, 1)
    return letter


@pytest.mark.parametrize("program", SERVICES)
async def test_where_nothing_waits_the_list_says_so(program: str, programs: Programs):
    done = await programs.run(program, "dead-letters", "list")
    assert (done.status, done.output, done.errors) == (0, "0 letters wait\n", "")


async def test_b8_a_letter_from_its_death_to_its_replay(programs: Programs):
    """Unreadable, listed by cause, shown, replayed, dead again, discarded, and remembered."""
    queue = MEETING_SERVICE_BOOKINGS.queue
    unknown = sample("booking.created.v1", type="booking.created.v9")
    async with serving(programs, "meeting_service"):
        for number in range(7):
            await programs.send(queue, unknown | {"id": f"evt_{number}"})
        letters = await programs.waiting("meeting_service", 7)
        listed = await programs.run("meeting_service", "dead-letters", "list")
        assert f"unknown_type:booking.created.v9: 7 letters in {queue}, from 20" in listed.output
        assert "why: no event class has the type 'booking.created.v9'" in listed.output
        assert f"of: {unknown['subject']}" in listed.output
        assert "and 2 more" in listed.output
        shown = await programs.run("meeting_service", "dead-letters", "show", letters[0])
        assert "a replay now: still unreadable: unknown_type" in shown.output
        again = await programs.run("meeting_service", "dead-letters", "replay", "--cause", "unknown_type")
        assert "7 letters put back" in again.output
        await eventually(lambda: all_died_twice(programs))
        note = ("--by", "ada", "--note", "that version was withdrawn")
        gone = await programs.run("meeting_service", "dead-letters", "discard", letters[0], *note)
        assert "is discarded" in gone.output
    decided = await programs.run("meeting_service", "dead-letters", "list", "--decided")
    assert letters[0] in decided.output
    assert "by ada: that version was withdrawn" in decided.output
    refused = await programs.run("meeting_service", "dead-letters", "replay", letters[0])
    assert (refused.status, refused.output) == (1, "")
    assert "was discarded already" in refused.errors


async def all_died_twice(programs: Programs) -> bool:
    letters = programs.database("meeting_service")["dead_letters"]
    return bool(await letters.count_documents({"state": "waiting", "deaths": 2}) == 7)


async def test_a_replayed_letter_is_handled_and_a_second_replay_would_be_a_no_op(programs: Programs):
    created = sample("booking.created.v1")
    session, booking = created["data"]["session"], created["data"]["booking"]
    async with serving(programs, "meeting_service"):
        letter = await letter_in(programs, "meeting_service", MEETING_SERVICE_BOOKINGS, created)
        first = await programs.run("meeting_service", "dead-letters", "show", letter)
        assert f"would store revision {session['revision']} of session {session['id']}" in first.output
        done = await programs.run("meeting_service", "dead-letters", "replay", letter)
        assert done.status == 0, done.errors
        meetings = programs.database("meeting_service")["meetings"]
        await eventually(lambda: meetings.find_one({"_id": session["id"]}))
        await letter_in(programs, "meeting_service", MEETING_SERVICE_BOOKINGS, created)
        second = await programs.run("meeting_service", "dead-letters", "show", "--cause", "unknown")
    assert f"no-op: session {session['id']} is at revision {session['revision']}" in second.output
    assert f"booking {booking['id']} is at {booking['revision']}, this says {booking['revision']}" in second.output
    assert await programs.depth(NOTIFIER_BOOKINGS.queue) == 0


PREVIEWS = {
    ("booking_service", BOOKING_SERVICE_MEETINGS, "meeting.ready.v1"): "would fail again: BookingNotFound",
    ("booking_service", BOOKING_SERVICE_MEETINGS, "meeting.failed.v1"): "would fail again: BookingNotFound",
    ("booking_service", BOOKING_SERVICE_MEETINGS, "meeting.canceled.v1"): "would fail again: BookingNotFound",
    ("booking_service", BOOKING_SERVICE_NOTIFICATIONS, "notification.sent.v1"): "would fail again: BookingNotFound",
    ("meeting_service", MEETING_SERVICE_ZOOM, "zoom.connected.v1"): "would go on with what waits for Zoom",
    ("meeting_service", MEETING_SERVICE_ZOOM, "zoom.disconnected.v1"): "would drop the tokens",
    ("meeting_service", MEETING_SERVICE_ZOOM, "zoom.meeting_changed.v1"): "is no session's",
    ("notifier", NOTIFIER_BOOKINGS, "booking.canceled.v1"): "mails owed then: cancellation to the host",
    ("notifier", NOTIFIER_MEETINGS, "meeting.ready.v1"): "mails owed then: confirmation to the host",
}


@pytest.mark.parametrize(("program", "stream", "event_type"), PREVIEWS)
async def test_b8_each_service_says_what_it_would_do(program: str, stream: Stream, event_type: str, programs: Programs):
    async with serving(programs, program):
        letter = await letter_in(programs, program, stream, sample(event_type))
        shown = await programs.run(program, "dead-letters", "show", letter)
    assert PREVIEWS[program, stream, event_type] in shown.output


async def test_what_the_notifier_knows_already_would_be_a_no_op(programs: Programs):
    ready = sample("meeting.ready.v1")
    async with serving(programs, "notifier"):
        await programs.send(NOTIFIER_MEETINGS.queue, ready)
        known = programs.database("notifier")["correspondence"]
        await eventually(lambda: known.find_one({"_id": ready["data"]["booking"]["id"]}))
        letter = await letter_in(programs, "notifier", NOTIFIER_MEETINGS, ready)
        shown = await programs.run("notifier", "dead-letters", "show", letter)
    assert "a replay now: no-op: booking" in shown.output


async def test_a_link_that_is_unsafe_would_fail_again(programs: Programs):
    ready = sample("meeting.ready.v1")
    ready["data"]["meeting"]["join_url"] = "javascript:alert(1)"
    async with serving(programs, "notifier"):
        letter = await letter_in(programs, "notifier", NOTIFIER_MEETINGS, ready)
        shown = await programs.run("notifier", "dead-letters", "show", letter)
    assert "a replay now: would fail again: UnsafeLink" in shown.output


@pytest.mark.parametrize("program", SERVICES)
async def test_every_event_that_a_service_handles_has_a_preview(program: str, programs: Programs):
    settings = load(import_module(f"{program}.settings").Settings, programs.settings(program))
    handled = {event for stream in streams_of(program.replace("_", "-")) for event in stream.events}
    async with import_module(f"{program}.app").dead_letter_office(settings) as office:
        assert set(office._previews) == handled  # noqa: SLF001 - nothing else needs to know


@pytest.mark.parametrize("arguments", [(), ("dl_1", "--cause", "not_json"), ("--cause", "not_json", "--all")], ids=str)
async def test_a_replay_names_what_it_replays_in_one_way(arguments: tuple[str, ...], programs: Programs):
    refused = await programs.run("notifier", "dead-letters", "replay", *arguments)
    assert (refused.status, refused.output) == (2, "")
    assert "name one letter by its id" in refused.errors


async def test_a_letter_that_is_none_is_named(programs: Programs):
    refused = await programs.run("notifier", "dead-letters", "show", "dl_none")
    assert (refused.status, refused.output) == (1, "")
    assert refused.errors == "'dl_none' is no letter of this service; `dead-letters list` shows those that wait\n"
