"""A letter is replayed into its own queue only, and never lost on the way."""

import asyncio
from typing import Any

import pytest
from aio_pika import DeliveryMode

from convoke.contracts.topology import BOOKING_SERVICE_MEETINGS, TOPOLOGY
from convoke.contracts.topology import BOOKING_SERVICE_NOTIFICATIONS as STREAM
from convoke.messaging.cloudevents import CONTENT_TYPE
from convoke.messaging.dead_letters.letter import Decision, Letter
from convoke.messaging.dead_letters.office import DeadLetterOffice, NotWaiting
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.messaging.publisher import NotPublished
from convoke.mongo import Database
from tests.integration.convoke.conftest import Wire, sample, sample_with
from tests.integration.convoke.dead_letters.service import (
    NO_JSON,
    SENT,
    Handler,
    has_died,
    service,
    stored,
    waiting,
)
from tests.support.eventually import eventually


class Crash(BaseException):
    """The process dies here: nothing after it runs, as with SIGKILL."""


async def test_a_replayed_letter_is_handled_and_its_body_erased(
    vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice, database: Database
):
    handler = Handler()
    async with service(vhost, handler, letters):
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
    vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    """The exchange would give a copy to every service that is bound to the event."""
    async with service(vhost, Handler(), None):
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
    vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice, monkeypatch: pytest.MonkeyPatch
):
    handler = Handler()
    async with service(vhost, handler, letters):
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
    vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    """Here the queue is gone, so that nothing can take it: `mandatory` makes that an error."""
    async with service(vhost, Handler(), letters):
        await wire.send(SENT.body(), STREAM.queue)
        [letter] = await waiting(office)
    await wire.delete(STREAM.queue)
    with pytest.raises(NotPublished):
        await office.replay(letter)
    [still] = await waiting(office)
    assert still.body == SENT.body()


async def test_a_letter_that_fails_again_waits_again(
    vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    async with service(vhost, Handler(), letters):
        await wire.send(SENT.body(), STREAM.queue)
        [letter] = await waiting(office)
        await office.replay(letter)
        await eventually(lambda: has_died(office, times=2))
    [again] = await waiting(office)
    assert again.body == SENT.body()
    assert again.first_died_at < again.died_at


async def test_a_letter_that_dies_again_before_its_replay_is_stored_still_waits(
    letters: DeadLetters, office: DeadLetterOffice, vhost: str, wire: Wire
):
    """Its handler fails within milliseconds: the replay's own note must not hide that."""
    async with service(vhost, Handler(), letters):
        await wire.send(SENT.body(), STREAM.queue)
        [letter] = await waiting(office)
    await letters.keep(letter)
    assert not await letters.decide(letter, Decision("replayed", letters.now()))
    assert (await waiting(office))[0].body == SENT.body()


async def test_b8_all_letters_of_a_cause_are_replayed_and_no_other(
    vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    handler = Handler()
    async with service(vhost, handler, letters):
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
    vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    async with service(vhost, Handler(), letters):
        for number in range(3):
            await wire.send(sample_with("notification.sent.v1", id=f"evt_{number}"), STREAM.queue)
        await waiting(office, 3)
        async with asyncio.timeout(20):
            assert [step async for step in office.replay_all(None)][-1] == (3, 3)
        await eventually(lambda: have_died_twice(office))


async def test_what_somebody_else_decides_meanwhile_is_not_replayed(
    vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    async with service(vhost, Handler(), letters):
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
