"""A service's two connections to RabbitMQ, from connecting to the graceful stop."""

import asyncio
import contextlib
from collections.abc import Sequence

from convoke.contracts.wire import EventData
from convoke.messaging.broker import connect, consuming_broker, declare_topology, publishing_broker
from convoke.messaging.consumer import Handler, Subscription, cancel_consumers, subscribe, subscribe_replica
from convoke.messaging.dead_letters.keeping import subscribe_dead_letters
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.messaging.publisher import Publisher

FINISH_HANDLERS_WITHIN = 6.0
CUT_OFF_WITHIN = 1.0


class Connections:
    """One connection that publishes and one that consumes; nothing is opened before `start`."""

    def __init__(self, rabbitmq_url: str) -> None:
        self._publishing = publishing_broker(rabbitmq_url)
        self._consuming = consuming_broker(rabbitmq_url)
        self._started = False
        self.publisher = Publisher(self._publishing)

    def subscribe(self, subscriptions: Sequence[Subscription]) -> None:
        """Register what is consumed once `start` is called."""
        for subscription in subscriptions:
            subscribe(self._consuming, self._publishing, subscription)

    def keep_dead_letters(self, letters: DeadLetters) -> None:
        """Register that what the service's own streams could not digest is kept once `start` is called."""
        for stream in letters.streams:
            subscribe_dead_letters(self._consuming, stream, letters.keep)

    def subscribe_replica(self, service: str, event: type[EventData], handler: Handler) -> None:
        """Register what this replica, like every other one, is told of once `start` is called."""
        subscribe_replica(self._consuming, service, event, handler)

    async def start(self) -> None:
        """Connect, however long that takes; declare the whole topology; then consume."""
        await connect(self._publishing)
        await declare_topology(self._publishing)
        await connect(self._consuming)
        await self._consuming.start()
        self._started = True

    async def is_up(self) -> bool:
        """Tell whether both connections stand."""
        return self._started and await self._publishing.ping(1.0) and await self._consuming.ping(1.0)

    async def stop_consuming(self) -> None:
        """Take no more messages and let the running handlers finish."""
        if not self._started:
            return
        async with asyncio.timeout(FINISH_HANDLERS_WITHIN):
            await cancel_consumers(self._consuming)
            await self._consuming.stop()

    async def close(self) -> None:
        """Close both connections, last of all; an unfinished handler is cut off, and its message comes again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CUT_OFF_WITHIN):
                await self._consuming.stop()
        await self._publishing.stop()
