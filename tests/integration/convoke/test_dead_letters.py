"""A dead letter is kept until an operator decides, replayed into its own queue only, and never lost on the way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aio_pika import DeliveryMode
from motor.motor_asyncio import AsyncIOMotorDatabase
from prometheus_client import REGISTRY
from pydantic import SecretBytes
from pymongo.errors import AutoReconnect

from convoke import mongo
from convoke.contracts import BookingCreated, NotificationFailed, NotificationSent
from convoke.contracts.topology import BOOKING_SERVICE_MEETINGS, TOPOLOGY, streams_of
from convoke.contracts.topology import BOOKING_SERVICE_NOTIFICATIONS as STREAM
from convoke.messaging.broker import publishing_broker
from convoke.messaging.cloudevents import CONTENT_TYPE, Event
from convoke.messaging.connections import Connections
from convoke.messaging.consumer import Subscription
from convoke.messaging.dead_letters import keeping
from convoke.messaging.dead_letters.letter import Decision, Letter
from convoke.messaging.dead_letters.office import DeadLetterOffice, NotWaiting, Previews
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.messaging.publisher import NotPublished
from convoke.mongo import Database, Document
from convoke.vault import Vault
from tests.integration.convoke.conftest import Wire, sample, sample_with
from tests.support.eventually import eventually

Handle = Callable[[Event[Any]], Awaitable[object]]
SENT = sample("notification.sent.v1")
NO_JSON = b"\xff canary@guest.example"


class Crash(BaseException):
    """The process dies here: nothing after it runs, as with SIGKILL."""


class Handler:
    """Fails while it is broken; remembers what it has handled."""

    def __init__(self) -> None:
        self.is_broken = True
        self.handled: list[str] = []

    async def __call__(self, event: Event[Any]) -> None:
        if self.is_broken:
            raise KeyError("a defect")
        self.handled.append(event.id)


@pytest.fixture
async def database(mongodb_url: str, fresh_database: str) -> AsyncIterator[Database]:
    client = mongo.connect(mongodb_url)
    yield mongo.database(client, fresh_database)
    client.close()


@pytest.fixture
async def letters(database: Database) -> DeadLetters:
    letters = DeadLetters(database, Vault({"k1": SecretBytes(b"v" * 32)}), [STREAM])
    await letters.prepare()
    return letters


async def would_count(event: Event[Any]) -> str:
    return f"would count {event.id}"


async def would_raise(_: Event[Any]) -> str:
    raise LookupError("no such booking")


@pytest.fixture
async def office(fresh_vhost: str, letters: DeadLetters) -> AsyncIterator[DeadLetterOffice]:
    broker = publishing_broker(fresh_vhost)
    previews: Previews = {NotificationSent: would_count, NotificationFailed: would_raise, BookingCreated: would_count}
    yield DeadLetterOffice(letters, broker, previews)
    await broker.stop()


@asynccontextmanager
async def service(vhost: str, handle: Handle, letters: DeadLetters | None) -> AsyncIterator[None]:
    """Run what a service has of its own: a consumer, and the keeping of its dead letters where there is a store."""
    connections = Connections(vhost)
    connections.subscribe([Subscription(STREAM, {NotificationSent: handle, NotificationFailed: handle})])
    if letters:
        connections.keep_dead_letters(letters)
    await connections.start()
    try:
        yield
    finally:
        await connections.stop_consuming()
        await connections.close()


async def waiting(office: DeadLetterOffice, number: int = 1) -> list[Letter]:
    """Return the letters that wait, with their bodies, once there are so many."""

    async def found() -> list[Letter]:
        listed = await office.waiting()
        return listed if len(listed) == number else []

    return [await office.read(letter.id) for letter in await eventually(found)]


async def stored(database: AsyncIOMotorDatabase[Document]) -> list[Document]:
    return await database["dead_letters"].find().to_list(None)


async def test_what_could_not_be_handled_is_kept_with_its_cause_and_its_queue_is_empty(
    fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    async with service(fresh_vhost, Handler(), letters):
        await wire.send(SENT.body(), STREAM.queue, message_id=SENT.id)
        [letter] = await waiting(office)
        await eventually(lambda: is_empty(wire, STREAM.dead_letter_queue))
    assert (letter.cause, letter.reason) == (
        "handler_failed:notification.sent.v1",
        "KeyError in notification.sent.v1",
    )
    assert (letter.queue, letter.subject, letter.message_id) == (STREAM.queue, SENT.subject, SENT.id)
    assert (letter.body, letter.deaths) == (SENT.body(), 1)


async def is_empty(wire: Wire, queue: str) -> bool:
    return await wire.depth(queue) == 0


async def test_what_was_never_readable_gets_an_id_and_is_kept_byte_for_byte(
    fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice, database: Database
):
    """Nothing of it is shown or stored in clear: it may hold anything."""
    async with service(fresh_vhost, Handler(), letters):
        await wire.send(NO_JSON, STREAM.queue)
        [letter] = await waiting(office)
    assert (letter.body, letter.cause) == (NO_JSON, "not_json")
    assert (letter.event_type, letter.subject) == (None, None)
    assert "canary" not in str(await stored(database))
    assert "canary" not in repr(letter)


@pytest.mark.parametrize("field", ["type", "subject"])
async def test_what_a_message_says_of_itself_is_shown_only_where_it_has_our_form(
    field: str, fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    async with service(fresh_vhost, Handler(), letters):
        await wire.send(sample_with("notification.sent.v1", **{field: "canary@guest.example"}), STREAM.queue)
        [letter] = await waiting(office)
    assert {letter.event_type, letter.subject} <= {None, SENT.subject, SENT.data.event_type}


async def test_a_letter_that_only_the_broker_could_put_aside_says_so(
    fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    async with service(fresh_vhost, Handler(), None):
        """Declares the queues."""
    await wire.send(SENT.body(), STREAM.queue)
    message = await eventually(lambda: wire.peek(STREAM.queue))
    assert message
    await message.reject(requeue=False)
    async with service(fresh_vhost, Handler(), letters):
        [letter] = await waiting(office)
    assert letter.cause == "rejected:notification.sent.v1"
    assert "message.dead_lettering_failed" in letter.reason


async def test_copies_of_a_letter_are_one_letter(
    fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    """As after a crash between storing a letter and acknowledging it."""
    async with service(fresh_vhost, Handler(), letters):
        for _ in range(3):
            await wire.send(SENT.body(), STREAM.dead_letter_queue)
        await eventually(lambda: has_died(office, times=3))
    [letter] = await waiting(office)
    assert letter.body == SENT.body()


async def has_died(office: DeadLetterOffice, times: int) -> bool:
    return [letter.deaths for letter in await office.waiting()] == [times]


@pytest.mark.parametrize("hold_for", [0.0, 1_200.0], ids=["given back", "held"])
async def test_a_letter_that_cannot_be_kept_is_not_lost(
    hold_for: float, fresh_vhost: str, wire: Wire, letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
):
    """Whatever stands in the way: held while the process lives, given back to its queue, then kept."""
    monkeypatch.setattr(keeping, "HOLD_FOR", hold_for)
    tries = 0

    class Refusing(DeadLetters):
        async def keep(self, _: Letter) -> None:
            nonlocal tries
            tries += 1
            raise (AutoReconnect("no primary"), ValueError("too large"))[tries % 2]

    refusing = Refusing.__new__(Refusing)
    refusing.streams = [STREAM]
    async with service(fresh_vhost, Handler(), refusing):
        await wire.send(SENT.body(), STREAM.queue)
        await eventually(lambda: tries >= 2)
    await eventually(lambda: holds(wire, STREAM.dead_letter_queue))
    async with service(fresh_vhost, Handler(), letters):
        await eventually(lambda: has_kept(letters, SENT.body()))


async def has_kept(letters: DeadLetters, body: bytes) -> bool:
    found = [await letters.find(letter.id) async for letter in letters.all()]
    return [letter.body for letter in found if letter] == [body]


async def holds(wire: Wire, queue: str) -> bool:
    return await wire.depth(queue) == 1


async def test_a_replayed_letter_is_handled_and_its_body_erased(
    fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice, database: Database
):
    handler = Handler()
    async with service(fresh_vhost, handler, letters):
        await wire.send(SENT.body(), STREAM.queue, message_id=SENT.id)
        [letter] = await waiting(office)
        handler.is_broken = False
        assert await office.replay(letter)
        await eventually(lambda: handler.handled)
        with pytest.raises(NotWaiting, match="was replayed already"):
            await office.read(letter.id)
    assert handler.handled == [SENT.id]
    [document] = await stored(database)
    assert "sealed" not in document


async def test_a_replay_reaches_this_queue_and_no_other(
    fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    """The exchange would give a copy to every service that is bound to the event."""
    async with service(fresh_vhost, Handler(), None):
        """Declares the queues."""
    ready = sample("meeting.ready.v1")
    for_booking_service = Letter(
        id="dl_1",
        queue=BOOKING_SERVICE_MEETINGS.queue,
        reason_code="handler_failed",
        reason="KeyError in meeting.ready.v1",
        event_type=ready.data.event_type,
        subject=ready.subject,
        message_id=ready.id,
        content_type=CONTENT_TYPE,
        first_died_at=ready.time,
        died_at=ready.time,
        body=ready.body(),
    )
    await letters.keep(for_booking_service)
    assert await office.replay(await office.read("dl_1"))
    message = await wire.take(BOOKING_SERVICE_MEETINGS.queue)
    assert (message.body, message.message_id, message.content_type) == (ready.body(), ready.id, CONTENT_TYPE)
    assert message.delivery_mode == DeliveryMode.PERSISTENT
    assert {stream.queue: await wire.depth(stream.queue) for stream in TOPOLOGY} == {
        stream.queue: 0 for stream in TOPOLOGY
    }


async def test_dying_between_putting_a_letter_back_and_storing_that_loses_nothing(
    fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice, monkeypatch: pytest.MonkeyPatch
):
    handler = Handler()
    async with service(fresh_vhost, handler, letters):
        await wire.send(SENT.body(), STREAM.queue)
        [letter] = await waiting(office)
        handler.is_broken = False
        with monkeypatch.context() as dying:
            dying.setattr(letters, "decide", die)
            with pytest.raises(Crash):
                await office.replay(letter)
        [still] = await waiting(office)
        await office.replay(still)
        await eventually(lambda: len(handler.handled) == 2)
    assert await office.waiting() == []


async def die(*_: Any) -> bool:
    raise Crash


async def test_dying_before_the_broker_has_the_letter_leaves_it_waiting(
    fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    """Here the queue is gone, so that nothing can take it: `mandatory` makes that an error."""
    async with service(fresh_vhost, Handler(), letters):
        await wire.send(SENT.body(), STREAM.queue)
        [letter] = await waiting(office)
    await wire.delete(STREAM.queue)
    with pytest.raises(NotPublished):
        await office.replay(letter)
    [still] = await waiting(office)
    assert still.body == SENT.body()


async def test_a_letter_that_fails_again_waits_again(
    fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    async with service(fresh_vhost, Handler(), letters):
        await wire.send(SENT.body(), STREAM.queue)
        [letter] = await waiting(office)
        await office.replay(letter)
        await eventually(lambda: has_died(office, times=2))
    [again] = await waiting(office)
    assert again.body == SENT.body()
    assert again.first_died_at < again.died_at


async def test_a_letter_that_dies_again_before_its_replay_is_stored_still_waits(
    letters: DeadLetters, office: DeadLetterOffice, fresh_vhost: str, wire: Wire
):
    """Its handler fails within milliseconds: the replay's own note must not hide that."""
    async with service(fresh_vhost, Handler(), letters):
        await wire.send(SENT.body(), STREAM.queue)
        [letter] = await waiting(office)
    await letters.keep(letter)
    assert not await letters.decide(letter, Decision("replayed", letters.now()))
    assert (await waiting(office))[0].body == SENT.body()


async def test_all_letters_of_a_cause_are_replayed_and_no_other(
    fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    handler = Handler()
    async with service(fresh_vhost, handler, letters):
        for number in range(20):
            await wire.send(sample_with("notification.sent.v1", id=f"evt_{number}"), STREAM.queue)
        await wire.send(NO_JSON, STREAM.queue)
        await waiting(office, 21)
        handler.is_broken = False
        progress = [step async for step in office.replay_all("handler_failed:notification.sent.v1")]
        await eventually(lambda: len(handler.handled) == 20)
    assert progress == [(done, 20) for done in range(1, 21)]
    assert [letter.cause for letter in await office.waiting()] == ["not_json"]


async def test_a_replay_of_all_ends_where_letters_keep_failing(
    fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    async with service(fresh_vhost, Handler(), letters):
        for number in range(3):
            await wire.send(sample_with("notification.sent.v1", id=f"evt_{number}"), STREAM.queue)
        await waiting(office, 3)
        async with asyncio.timeout(20):
            assert [step async for step in office.replay_all(None)][-1] == (3, 3)
        await eventually(lambda: have_died_twice(office))


async def test_what_somebody_else_decides_meanwhile_is_not_replayed(
    fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    async with service(fresh_vhost, Handler(), letters):
        for number in range(2):
            await wire.send(sample_with("notification.sent.v1", id=f"evt_{number}"), STREAM.queue)
        _, second = await waiting(office, 2)
    replaying = office.replay_all(None)
    assert await anext(replaying) == (1, 2)
    await office.discard(second, "ada", "no longer needed")
    assert await anext(replaying) == (2, 2)
    assert await wire.depth(STREAM.queue) == 1


async def have_died_twice(office: DeadLetterOffice) -> bool:
    return [letter.deaths for letter in await office.waiting()] == [2, 2, 2]


async def test_a_discarded_letter_says_who_when_and_why_and_keeps_nothing_else(
    fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice, database: Database
):
    async with service(fresh_vhost, Handler(), letters):
        await wire.send(SENT.body(), STREAM.queue)
        [letter] = await waiting(office)
        await office.discard(letter, "ada", "sent by a test of version 9")
        assert await office.waiting() == []
        [gone] = [found async for found in letters.all(decided=True)]
        [decision] = gone.decisions
        assert (decision.state, decision.by, decision.note) == ("discarded", "ada", "sent by a test of version 9")
        assert "sealed" not in (await stored(database))[0]
        await wire.send(SENT.body(), STREAM.queue)
        [again] = await waiting(office)
    assert again.decisions == gone.decisions, "who comes again is seen again, with what was decided before"


async def test_a_letter_that_came_again_since_it_was_read_is_not_discarded(
    fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    async with service(fresh_vhost, Handler(), letters):
        await wire.send(SENT.body(), STREAM.queue)
        [letter] = await waiting(office)
    await letters.keep(letter)
    with pytest.raises(NotWaiting, match="has just come again"):
        await office.discard(letter, "ada", "no longer needed")
    await waiting(office)


PREVIEWS = {
    "still unreadable: not_json": NO_JSON,
    "still unreadable: unknown_type": sample_with("notification.sent.v1", type="notification.sent.v9"),
    f"still unexpected: {STREAM.queue} has no handler": sample("booking.created.v1").body(),
    f"would count {SENT.id}": SENT.body(),
    "would fail again: LookupError: no such booking": sample("notification.failed.v1").body(),
}


@pytest.mark.parametrize("answer", PREVIEWS)
async def test_a_preview_says_what_a_replay_would_do_and_does_nothing(
    answer: str, fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    handler = Handler()
    async with service(fresh_vhost, handler, letters):
        await wire.send(PREVIEWS[answer], STREAM.queue)
        [letter] = await waiting(office)
        handler.is_broken = False
        assert (await office.preview(letter)).startswith(answer)
    assert handler.handled == []
    assert await office.waiting() == [letter_without_body(letter)]


def letter_without_body(letter: Letter) -> Letter:
    return Letter(**{**vars(letter), "body": None})


async def test_how_many_letters_wait_is_in_the_metrics(
    fresh_vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    async with service(fresh_vhost, Handler(), letters):
        await wire.send(SENT.body(), STREAM.queue)
        [letter] = await waiting(office)
        await letters.measure()
        assert REGISTRY.get_sample_value("convoke_dead_letters_waiting", {"queue": STREAM.queue}) == 1
        await office.discard(letter, "ada", "a test")
        await letters.measure()
        assert REGISTRY.get_sample_value("convoke_dead_letters_waiting", {"queue": STREAM.queue}) == 0


def test_every_stream_has_one_service_that_keeps_its_dead_letters():
    services = ("auth-service", "booking-service", "meeting-service", "notifier")
    assert sorted(stream.queue for service in services for stream in streams_of(service)) == sorted(
        stream.queue for stream in TOPOLOGY
    )
