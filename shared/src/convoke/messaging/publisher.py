"""One event out, confirmed by the broker or an error. An error never means that it was not sent."""

import asyncio
from typing import Any

from aio_pika.exceptions import DeliveryError
from faststream.rabbit import RabbitBroker
from pamqp.common import FieldValue

from convoke.messaging.broker import EVENTS_EXCHANGE
from convoke.messaging.cloudevents import CONTENT_TYPE, Event

PUBLISH_TIMEOUT = 5.0
"""Seconds until a publish is given up; the outbox repeats it under the same message id."""


class NotPublished(Exception):
    """The broker did not confirm the event: unroutable, refused, timed out or not connected."""


class Refused(NotPublished):
    """The broker did not take this event, for it has no queue or a full one; other events may pass."""


class Publisher:
    """Publishes events on the exchange `convoke`, persistent and mandatory."""

    def __init__(self, broker: RabbitBroker) -> None:
        self._broker = broker

    async def publish(self, event: Event[Any]) -> None:
        """Return once the broker has the event on a majority of its disks. Raises NotPublished."""
        headers: dict[str, FieldValue] = {"traceparent": event.traceparent} if event.traceparent else {}
        await self._publish(
            event.body(),
            f"{event.data.event_type} {event.id}",
            exchange=EVENTS_EXCHANGE,
            routing_key=event.data.event_type,
            message_id=event.id,
            content_type=CONTENT_TYPE,
            headers=headers,
        )

    async def put_back(self, queue: str, body: bytes, *, message_id: str | None, content_type: str | None) -> None:
        """Return once the broker has a message in this one queue, and in no other. Raises NotPublished."""
        what = f"{message_id} for {queue}"
        await self._publish(body, what, queue=queue, message_id=message_id, content_type=content_type)

    async def _publish(self, body: bytes, what: str, **where: Any) -> None:
        try:
            # FastStream 0.7 ignores publish(timeout=...) on RabbitMQ, and an alarm blocks for ever.
            async with asyncio.timeout(PUBLISH_TIMEOUT):
                await self._broker.publish(body, mandatory=True, persist=True, **where)
        except DeliveryError as error:
            raise Refused(f"{what}: {type(error).__name__}") from error
        except Exception as error:  # whatever ended the connection, aiormq may raise it here
            raise NotPublished(f"{what}: {type(error).__name__}") from error
