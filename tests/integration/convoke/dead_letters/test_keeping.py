"""A dead letter is kept with its cause, once, byte for byte, and not lost while it cannot be kept."""

import pytest
from pymongo.errors import AutoReconnect

from convoke.contracts.topology import BOOKING_SERVICE_NOTIFICATIONS as STREAM
from convoke.messaging.dead_letters import keeping
from convoke.messaging.dead_letters.letter import Letter
from convoke.messaging.dead_letters.office import DeadLetterOffice
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.mongo import Database
from tests.integration.convoke.conftest import Wire, sample_with
from tests.integration.convoke.dead_letters.service import (
    NO_JSON,
    SENT,
    Handler,
    has_died,
    holds,
    is_empty,
    service,
    stored,
    waiting,
)
from tests.support.eventually import eventually


async def test_what_could_not_be_handled_is_kept_with_its_cause_and_its_queue_is_empty(
    vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    async with service(vhost, Handler(), letters):
        await wire.send(SENT.body(), STREAM.queue, message_id=SENT.id)
        [letter] = await waiting(office)
        await eventually(lambda: is_empty(wire, STREAM.dead_letter_queue))
    assert (letter.cause, letter.reason) == (
        "handler_failed:notification.sent.v1",
        "KeyError in notification.sent.v1",
    )
    assert (letter.queue, letter.subject, letter.message_id) == (STREAM.queue, SENT.subject, SENT.id)
    assert (letter.body, letter.deaths) == (SENT.body(), 1)


async def test_what_was_never_readable_gets_an_id_and_is_kept_byte_for_byte(
    vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice, database: Database
):
    """Nothing of it is shown or stored in clear: it may hold anything."""
    async with service(vhost, Handler(), letters):
        await wire.send(NO_JSON, STREAM.queue)
        [letter] = await waiting(office)
    assert (letter.body, letter.cause) == (NO_JSON, "not_json")
    assert (letter.event_type, letter.subject) == (None, None)
    assert "canary" not in str(await stored(database))
    assert "canary" not in repr(letter)


@pytest.mark.parametrize("field", ["type", "subject"])
async def test_what_a_message_says_of_itself_is_shown_only_where_it_has_our_form(
    field: str, vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    async with service(vhost, Handler(), letters):
        await wire.send(sample_with("notification.sent.v1", **{field: "canary@guest.example"}), STREAM.queue)
        [letter] = await waiting(office)
    assert {letter.event_type, letter.subject} <= {None, SENT.subject, SENT.data.event_type}


async def test_a_letter_that_only_the_broker_could_put_aside_says_so(
    vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    async with service(vhost, Handler(), None):
        """Declares the queues."""
    await wire.send(SENT.body(), STREAM.queue)
    message = await eventually(lambda: wire.peek(STREAM.queue))
    assert message
    await message.reject(requeue=False)
    async with service(vhost, Handler(), letters):
        [letter] = await waiting(office)
    assert letter.cause == "rejected:notification.sent.v1"
    assert "message.dead_lettering_failed" in letter.reason


async def test_copies_of_a_letter_are_one_letter(
    vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    """As after a crash between storing a letter and acknowledging it."""
    async with service(vhost, Handler(), letters):
        for _ in range(3):
            await wire.send(SENT.body(), STREAM.dead_letter_queue)
        await eventually(lambda: has_died(office, times=3))
    [letter] = await waiting(office)
    assert letter.body == SENT.body()


@pytest.mark.parametrize("hold_for", [0.0, 1_200.0], ids=["given back", "held"])
async def test_a_letter_that_cannot_be_kept_is_not_lost(
    hold_for: float, vhost: str, wire: Wire, letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
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
    async with service(vhost, Handler(), refusing):
        await wire.send(SENT.body(), STREAM.queue)
        await eventually(lambda: tries >= 2)
    await eventually(lambda: holds(wire, STREAM.dead_letter_queue))
    async with service(vhost, Handler(), letters):
        await eventually(lambda: has_kept(letters, SENT.body()))


async def has_kept(letters: DeadLetters, body: bytes) -> bool:
    found = [await letters.find(letter.id) async for letter in letters.all()]
    return [letter.body for letter in found if letter] == [body]
