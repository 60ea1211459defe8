"""From `<queue>.dead` into the service's database: acknowledged only once a majority has the letter."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from faststream import AckPolicy
from faststream.rabbit import RabbitBroker
from faststream.rabbit.annotations import RabbitMessage
from structlog.stdlib import BoundLogger, get_logger

from convoke.clock import utc_now
from convoke.contracts.topology import Stream
from convoke.messaging.broker import dead_letter_queue_of
from convoke.messaging.consumer import HOLD_FOR, LONGEST_PAUSE, Untouched
from convoke.messaging.dead_letters.letter import Letter, letter_of

log: BoundLogger = get_logger(__name__)

Keep = Callable[[Letter], Awaitable[None]]


def subscribe_dead_letters(consumer: RabbitBroker, stream: Stream, keep: Keep) -> None:
    """Register the keeping of a stream's dead letters on a broker that is not started yet.

    Nothing is behind a dead-letter queue: whatever cannot be kept goes back to it, and is never rejected.
    """

    async def settle(message: RabbitMessage) -> None:
        await _keep_held(keep, letter_of(stream.queue, message, utc_now()))

    consumer.subscriber(
        dead_letter_queue_of(stream), ack_policy=AckPolicy.NACK_ON_ERROR, codec=Untouched(), no_reply=True
    )(settle)


async def _keep_held(keep: Keep, letter: Letter) -> None:
    """Keep a letter, again and again for HOLD_FOR seconds; then it raises what stands in the way."""
    pause, give_back_at = 0.1, time.monotonic() + HOLD_FOR
    while True:
        try:
            await keep(letter)
        except Exception as error:
            log.warning("dead_letter.held", letter=letter.id, queue=letter.queue, error=type(error).__name__)
            if time.monotonic() >= give_back_at:
                raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        else:
            return
