"""A message in: handled and acknowledged, or dead-lettered with a reason, or held until it can be handled."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from faststream import AckPolicy
from faststream.exceptions import RejectMessage
from faststream.rabbit import RabbitBroker, RabbitQueue
from faststream.rabbit.annotations import RabbitMessage
from pymongo.errors import PyMongoError
from structlog.contextvars import bound_contextvars
from structlog.stdlib import BoundLogger, get_logger

from convoke.contracts.topology import Stream
from convoke.contracts.wire import EventData
from convoke.ids import new_token
from convoke.messaging.broker import DEAD_LETTERS_EXCHANGE, EVENTS_EXCHANGE, queue_of
from convoke.messaging.cloudevents import Event, Malformed, parse
from convoke.mongo import is_refusal_of_document
from convoke.tracing import traced
from convoke.vault import CannotDecrypt

log: BoundLogger = get_logger(__name__)

Handler = Callable[[Event[Any]], Awaitable[object]]

HELD = (PyMongoError, CannotDecrypt)
"""What is the surroundings' trouble and not the message's: MongoDB in whatever state, or a key that is still to come.

A rolling restart gives a new key to one replica after the other; the last ones meet secrets they cannot read yet.
"""

PAUSES_BETWEEN_ATTEMPTS = (0.1, 0.5)
"""Seconds; an error that nobody foresaw may pass, but no defect does by waiting longer."""

LONGEST_PAUSE = 15.0
HOLD_FOR = 1_200.0
"""Seconds that a replica holds a delivery; well under RabbitMQ's 30 minutes for an acknowledgement."""

LONGEST_REASON = 500
"""Characters: a header that passes RabbitMQ's frame would cost the whole publishing connection."""


@dataclass(frozen=True)
class Subscription:
    """Which handler takes which event of a stream. Every event of the stream has one."""

    stream: Stream
    handlers: Mapping[type[EventData], Handler]

    def __post_init__(self) -> None:
        if set(self.handlers) != set(self.stream.events):
            raise ValueError(f"{self.stream.queue}: its handlers are not those of its events")


def subscribe(consumer: RabbitBroker, publisher: RabbitBroker, subscription: Subscription) -> None:
    """Register a subscription on a broker that is not started yet; `publisher` carries its dead letters.

    Whatever gets past the settlement is rejected, so the broker dead-letters it: it must never be acknowledged.
    """
    settlement = _Settlement(publisher, subscription)
    consumer.subscriber(
        queue_of(subscription.stream), ack_policy=AckPolicy.REJECT_ON_ERROR, codec=Untouched(), no_reply=True
    )(settlement.settle)


def subscribe_replica(consumer: RabbitBroker, service: str, event: type[EventData], handler: Handler) -> None:
    """Register a handler that every replica runs for each event, on a queue that is gone with the replica.

    Only for what a replica keeps in memory: what is published while it is not connected it never sees.
    """

    async def tell(message: RabbitMessage) -> None:
        try:
            received = parse(message.body)
        except Malformed as refusal:
            log.warning("message.ignored", reason_code=refusal.code, reason=str(refusal))
            return
        with traced(received.traceparent):
            await handler(received)

    queue = RabbitQueue(
        f"{service}.{event.event_type}.{new_token()}",
        exclusive=True,
        auto_delete=True,
        routing_key=event.event_type,
    )
    consumer.subscriber(queue, EVENTS_EXCHANGE, ack_policy=AckPolicy.ACK, codec=Untouched(), no_reply=True)(tell)


async def cancel_consumers(consumer: RabbitBroker) -> None:
    """Stop deliveries before the graceful stop waits.

    FastStream 0.7.8 waits first; what is delivered meanwhile is requeued with a raised delivery count, so that
    restarts alone could dead-letter healthy messages (stack.md 0.8). There is no public way to cancel.
    """
    for subscriber in consumer.subscribers:
        tag, subscriber._consumer_tag = subscriber._consumer_tag, None  # type: ignore[attr-defined]  # noqa: SLF001
        queue = subscriber._queue_obj  # type: ignore[attr-defined]  # noqa: SLF001
        if tag and queue and not queue.channel.is_closed:
            await queue.cancel(tag)


class Untouched:
    """Leaves the body alone: FastStream would take `application/cloudevents+json` for plain text."""

    async def decode(self, msg: Any) -> Any:
        return msg

    async def encode(self, msg: Any, serializer: Any = None) -> tuple[bytes, str | None]:
        raise NotImplementedError("this broker only consumes")


class _Settlement:
    def __init__(self, publisher: RabbitBroker, subscription: Subscription) -> None:
        self._publisher = publisher
        self._stream = subscription.stream
        self._handlers = {event.event_type: handler for event, handler in subscription.handlers.items()}

    async def settle(self, message: RabbitMessage) -> None:
        with bound_contextvars(queue=self._stream.queue, message_id=message.message_id):
            try:
                event = parse(message.body)
                handle = self._handler_of(event)
            except Malformed as refusal:
                await self._dead_letter(message, refusal.code, str(refusal))
            else:
                await self._handle(message, event, handle)

    def _handler_of(self, event: Event[Any]) -> Handler:
        handler = self._handlers.get(event.data.event_type)
        if handler is None:
            raise Malformed("unexpected_type", f"{self._stream.queue} has no handler for {event.data.event_type}")
        return handler

    async def _handle(self, message: RabbitMessage, event: Event[Any], handle: Handler) -> None:
        try:
            with traced(event.traceparent):
                await _held(lambda: handle(event))
        except RejectMessage:
            raise
        except Exception as error:
            log.exception("message.handler_failed", event_type=event.data.event_type, subject=event.subject)
            await self._dead_letter(message, "handler_failed", f"{type(error).__name__} in {event.data.event_type}")

    async def _dead_letter(self, message: RabbitMessage, code: str, text: str) -> None:
        """Keep the message with its reason, then let it be acknowledged; if that fails the broker keeps it."""
        try:
            async with asyncio.timeout(LONGEST_PAUSE):
                await self._publisher.publish(
                    message.body,
                    exchange=DEAD_LETTERS_EXCHANGE,
                    routing_key=self._stream.queue,
                    mandatory=True,
                    persist=True,
                    message_id=message.message_id,
                    content_type=message.content_type,
                    headers={
                        **_headers_of(message),
                        "x-reason-code": code,
                        "x-reason": text[:LONGEST_REASON],
                        "x-dead-lettered-at": datetime.now(UTC).isoformat(),
                    },
                )
        except Exception as error:
            log.exception("message.dead_lettering_failed", reason_code=code)
            raise RejectMessage(requeue=False) from error
        log.warning("message.dead_lettered", reason_code=code, reason=text)


def _headers_of(message: RabbitMessage) -> dict[str, Any]:
    return {key: value for key, value in message.headers.items() if not key.startswith("x-")}


async def _held(handle: Callable[[], Awaitable[object]]) -> None:
    """Run a handler, again and again while what stops it is HELD.

    Requeueing at once would burn the delivery limit within milliseconds and dead-letter everything. Raises
    RejectMessage with requeue after HOLD_FOR seconds, so that another replica may have it.
    """
    pause, give_back_at = 0.1, time.monotonic() + HOLD_FOR
    while True:
        try:
            await _attempted(handle)
        except Exception as error:
            if not _is_held(error):
                raise
            reason = str(error)[:LONGEST_REASON]
            log.warning("message.held", error=type(error).__name__, reason=reason, retry_after=pause)
            if time.monotonic() >= give_back_at:
                raise RejectMessage(requeue=True) from error
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        else:
            return


async def _attempted(handle: Callable[[], Awaitable[object]]) -> None:
    """Run a handler, and again after each of PAUSES_BETWEEN_ATTEMPTS while it fails. Raises its last error."""
    for pause in PAUSES_BETWEEN_ATTEMPTS:
        try:
            await handle()
        except Exception as error:
            if _is_held(error):
                raise
            log.warning("message.attempt_failed", error=type(error).__name__, retry_after=pause)
            await asyncio.sleep(pause)
        else:
            return
    await handle()


def _is_held(error: Exception) -> bool:
    return isinstance(error, HELD) and not is_refusal_of_document(error)
