"""What an operator does with dead letters: see what a replay would do now, replay, discard."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from faststream.rabbit import RabbitBroker

from convoke.contracts.topology import TOPOLOGY
from convoke.contracts.wire import EventData
from convoke.messaging.cloudevents import Event, Malformed, parse
from convoke.messaging.dead_letters.letter import Decision, Letter
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.messaging.publisher import NotPublished, Publisher

CONNECT_WITHIN = 10.0

Preview = Callable[[Event[Any]], Awaitable[str]]
"""Tells what handling an event would do now, and does nothing. Raises what the handler would raise."""

Previews = Mapping[type[EventData], Preview]

_EVENTS_OF = {stream.queue: stream.events for stream in TOPOLOGY}


class NotWaiting(Exception):
    """There is no such letter, or it has been decided about."""


class DeadLetterOffice:
    """The dead letters of one service; `previews` is what the service knows of each event that it handles."""

    def __init__(self, letters: DeadLetters, broker: RabbitBroker, previews: Previews) -> None:
        self.letters = letters
        self._broker = broker
        self._publisher = Publisher(broker)
        self._previews = previews

    async def waiting(self, cause: str | None = None) -> list[Letter]:
        """Return the letters that wait, oldest first, without bodies; of one cause or reason code where it is given."""
        found = [letter async for letter in self.letters.all() if cause in {None, letter.cause, letter.reason_code}]
        return sorted(found, key=lambda letter: letter.first_died_at)

    async def read(self, letter_id: str, *, with_body: bool = True) -> Letter:
        """Return a letter that waits. Raises NotWaiting, and CannotDecrypt where its body is wanted."""
        letter = await self.letters.find(letter_id, with_body=with_body)
        if letter is None or letter.state != "waiting":
            what = f"was {letter.state} already" if letter else "is no letter of this service"
            raise NotWaiting(f"'{letter_id}' {what}; `dead-letters list` shows those that wait")
        return letter

    async def preview(self, letter: Letter) -> str:
        """Return what a replay would do now."""
        try:
            event = parse(letter.body or b"")
        except Malformed as refusal:
            return f"still unreadable: {refusal.code}: {refusal}"
        preview = self._previews.get(type(event.data))
        if preview is None or type(event.data) not in _EVENTS_OF.get(letter.queue, ()):
            return f"still unexpected: {letter.queue} has no handler for {event.data.event_type}"
        try:
            return await preview(event)
        except Exception as error:  # noqa: BLE001 - whatever the handler would raise is the answer
            return f"would fail again: {type(error).__name__}: {error}"

    async def replay(self, letter: Letter) -> bool:
        """Put a letter back into its own queue, and into no other; False where it has died again meanwhile.

        The broker has it before it counts as replayed: dying in between leaves it waiting, and the copy is a no-op.
        Raises NotPublished.
        """
        await self._connect()
        await self._publisher.put_back(
            letter.queue, letter.body or b"", message_id=letter.message_id, content_type=letter.content_type
        )
        return await self.letters.decide(letter, Decision("replayed", self.letters.now()))

    async def replay_all(self, cause: str | None) -> AsyncIterator[tuple[int, int]]:
        """Replay the letters that wait now, of one cause or all; yield how many are done, of how many.

        What dies again meanwhile waits for another time. Raises NotPublished.
        """
        waiting = await self.waiting(cause)
        for done, listed in enumerate(waiting, start=1):
            letter = await self.letters.find(listed.id)
            if letter and (letter.state, letter.deaths) == ("waiting", listed.deaths):
                await self.replay(letter)
            yield done, len(waiting)

    async def discard(self, letter: Letter, by: str, note: str) -> None:
        """Give a letter up for good; who, when and why stay visible. Raises NotWaiting where it has died again."""
        if not await self.letters.decide(letter, Decision("discarded", self.letters.now(), by, note)):
            raise NotWaiting(f"'{letter.id}' has just come again; look at it once more")

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                await self._broker.connect()
        except (OSError, TimeoutError) as error:
            raise NotPublished(f"RabbitMQ cannot be reached: {type(error).__name__}") from error
