"""What an operator sees of the letters before deciding, and what is left of a decision."""

import pytest
from prometheus_client import REGISTRY

from convoke.contracts.topology import BOOKING_SERVICE_NOTIFICATIONS as STREAM
from convoke.contracts.topology import TOPOLOGY, streams_of
from convoke.messaging.dead_letters.letter import Letter
from convoke.messaging.dead_letters.office import DeadLetterOffice, NotWaiting
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.mongo import Database
from tests.integration.convoke.conftest import Wire, sample, sample_with
from tests.integration.convoke.dead_letters.service import NO_JSON, SENT, Handler, service, stored, waiting


async def test_a_discarded_letter_says_who_when_and_why_and_keeps_nothing_else(
    vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice, database: Database
):
    async with service(vhost, Handler(), letters):
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
    vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    async with service(vhost, Handler(), letters):
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
async def test_b8_a_preview_says_what_a_replay_would_do_and_does_nothing(
    answer: str, vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    handler = Handler()
    async with service(vhost, handler, letters):
        await wire.send(PREVIEWS[answer], STREAM.queue)
        [letter] = await waiting(office)
        handler.is_broken = False
        assert (await office.preview(letter)).startswith(answer)
    assert handler.handled == []
    assert await office.waiting() == [letter_without_body(letter)]


def letter_without_body(letter: Letter) -> Letter:
    return Letter(**{**vars(letter), "body": None})


async def test_how_many_letters_wait_is_in_the_metrics(
    vhost: str, wire: Wire, letters: DeadLetters, office: DeadLetterOffice
):
    async with service(vhost, Handler(), letters):
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
