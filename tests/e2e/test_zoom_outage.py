"""A neighbour is away: bookings are confirmed all the same, say why their link is late, and heal by themselves."""

import contextlib
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from convoke.contracts.topology import TOPOLOGY
from tests.e2e.checker import at_rest, orphans, settled
from tests.e2e.story import Story
from tests.e2e.waiting import until
from tests.e2e.world import World

# A create in doubt waits 15 s, a dead process's lease 20 s; the first test also starts the whole system.
pytestmark = pytest.mark.timeout(180)

AT_ONCE = 1.0
WITHIN = 90.0


@contextlib.contextmanager
def at_once(what: str, *, seconds: float = AT_ONCE) -> Iterator[None]:
    """Fail where the block takes longer than somebody who books would notice."""
    started = time.monotonic()
    yield
    took = time.monotonic() - started
    assert took < seconds, f"{what} took {took:.2f} s"


def test_a_booking_while_zoom_is_down_gets_its_link_by_itself_afterwards(world: World):
    """The 201 is there at once, the booking says why it waits and until when; after healing all goes out, once."""
    stories = [Story(world, f"booked during an outage {n}").connected() for n in range(3)]
    moved, gone = (Story(world, f"{act} during an outage").connected() for act in ("moved", "cancelled"))
    for story in (moved, gone):
        story.book()
    settled(world, [moved.expected, gone.expected], within=WITHIN)
    world.zoom.fault("*", "down", times=None)
    for story in stories:
        with at_once("the booking"):
            story.book()
    with at_once("the reschedule"):
        moved.reschedule()
    with at_once("the cancellation"):
        gone.cancel()
    for story in stories:
        _says_that_zoom_is_away(story)
        assert "Zoom does not answer" in httpx.get(story.booking["join_address"], trust_env=False).text
        assert world.mails.mails(story.guest_mail) == []
    world.zoom.heal()
    everything = [*stories, moved, gone]
    settled(world, [story.expected for story in everything], within=WITHIN)
    assert [line["what"] for line in stories[0].timeline()][:2] == ["booked", "meeting_failed"]


def test_whatever_becomes_of_the_answer_there_is_one_meeting(world: World):
    """Lost, late, an error although it was done, slower than our patience: each leaves exactly one meeting."""
    faults: dict[str, dict[str, Any]] = {
        "is lost": {"kind": "answer_lost"},
        "is an error after the commit": {"kind": "status_after_commit", "status": 500},
        "is a gateway's error": {"kind": "status", "status": 502},
        "is lost, and the commit late": {"kind": "late_commit", "delay_seconds": 5},
        "comes after we gave up": {"kind": "slow", "delay_seconds": 12},
        "says too many requests": {"kind": "rate_limited_second"},
    }
    stories = []
    for name, fault in faults.items():
        story = Story(world, f"the answer {name}").connected()
        world.zoom.fault("create_meeting", user_id=story.zoom_user, **fault)
        with at_once("the booking"):
            story.book()
        stories.append(story)
    settled(world, [story.expected for story in stories], within=WITHIN)
    assert orphans(world) == []


def test_a_booking_while_auth_service_is_down_is_confirmed_and_recovers(world: World):
    """booking-service knows the keys of the tokens; only the link waits for auth-service."""
    story = Story(world, "without auth-service").connected()
    world.system.kill("auth-service")
    with at_once("the booking"):
        story.book()
    _says_that_zoom_is_away(story)
    world.system.start_again("auth-service")
    settled(world, [story.expected], within=WITHIN)


def test_a_booking_while_rabbitmq_is_down_is_confirmed_and_its_event_follows(world: World):
    """Killed as by a power cut; what it had confirmed and what came meanwhile arrive both."""
    before, during, moved = (Story(world, f"without a broker {n}").connected() for n in range(3))
    moved.book()
    settled(world, [moved.expected], within=WITHIN)
    queues = [name for stream in TOPOLOGY for name in (stream.queue, stream.dead_letter_queue)]
    until("the queues on disk", lambda: all(map(world.rabbitmq.remembers, queues)))
    before.book()
    world.rabbitmq.kill()
    with at_once("the booking"):
        during.book()
    with at_once("the reschedule"):
        moved.reschedule()
    assert during.now()["meeting"]["status"] == "pending"
    world.rabbitmq.start()
    world.rabbitmq.wait_until_ready()
    settled(world, [story.expected for story in (before, during, moved)], within=WITHIN)
    at_rest(world)


def test_a_request_while_mongodb_is_down_is_a_503_and_its_repetition_books_once(world: World):
    """The answer says that nobody knows whether it was done; the same Idempotency-Key makes it safe to ask again."""
    story = Story(world, "without a database").connected()
    world.mongodb.kill()
    with pytest.raises(httpx.HTTPStatusError) as refused:
        story.book_once()
    answer = refused.value.response
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"]
    assert "Idempotency-Key" in answer.json()["detail"]
    world.mongodb.start()
    world.mongodb.wait_until_ready()
    story.book()
    assert story.book_once()["id"] == story.booking["id"]
    settled(world, [story.expected], within=WITHIN)
    assert len(story.all_of_host()) == 1


def test_mongodb_killed_amid_many_bookings_neither_loses_nor_doubles_one(world: World):
    """Each client asks again under its key until it knows."""
    stories = [Story(world, f"amid a crash of the database {n}").connected() for n in range(8)]
    clients = [threading.Thread(target=story.book, daemon=True) for story in stories]
    for client in clients[:4]:
        client.start()
    world.mongodb.kill()
    for client in clients[4:]:
        client.start()
    world.mongodb.start()
    world.mongodb.wait_until_ready()
    for client in clients:
        client.join(60)
        assert not client.is_alive()
    settled(world, [story.expected for story in stories], within=WITHIN)
    assert [len(story.all_of_host()) for story in stories] == [1] * 8


def test_mails_wait_for_the_mail_server(world: World):
    """The booking is ready all the same; each mail goes out once when the server is back."""
    story = Story(world, "without a mail server").connected()
    world.system.gate.shut()
    with at_once("the booking"):
        story.book()
    until("the link", lambda: story.now()["meeting"]["status"] == "ready")
    assert world.mails.mails(story.guest_mail) == []
    world.system.gate.open()
    settled(world, [story.expected], within=WITHIN)


def test_services_started_before_their_servers_work_as_soon_as_these_are_there(world: World):
    """Nobody has to start things in an order: each service waits for its broker and its database."""
    services = ("auth-service", "booking-service", "meeting-service", "notifier")
    story = Story(world, "before the servers").connected()
    for service in services:
        world.system.kill(service)
    world.rabbitmq.kill()
    world.mongodb.kill()
    for service in services:
        world.system.process(service).start()
    for service in services:
        _lives(world, service)
    world.rabbitmq.start()
    world.mongodb.start()
    for service in services:
        world.system.start_again(service)
    story.book()
    settled(world, [story.expected], within=WITHIN)


def test_after_all_outages_nothing_waits_and_no_meeting_is_nobodys(world: World):
    at_rest(world, within=WITHIN)
    assert orphans(world) == []


def _says_that_zoom_is_away(story: Story) -> None:
    def waits() -> bool:
        meeting = story.now()["meeting"]
        assert meeting["status"] == "failed", meeting
        assert meeting["reason"]["code"] == "zoom_unavailable"
        assert meeting["reason"]["action"]
        return datetime.fromisoformat(meeting["retry_at"]) > datetime.now(UTC)

    until(f"the reason why {story.name} waits", waits)


def _lives(world: World, service: str) -> None:
    def answers() -> bool:
        try:
            return httpx.get(f"{world.system.url(service)}/health/live", trust_env=False).is_success
        except httpx.TransportError:
            return False

    until(f"{service} answering", answers)
    assert httpx.get(f"{world.system.url(service)}/health/ready", trust_env=False).status_code == 503
