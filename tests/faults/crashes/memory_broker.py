"""RabbitMQ in memory, as far as `convoke.messaging` uses it: routed by the topology, confirmed, kept until settled."""

from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aio_pika.exceptions import DeliveryError
from faststream import AckPolicy
from faststream.exceptions import RejectMessage
from faststream.rabbit import RabbitExchange, RabbitQueue
from pamqp.commands import Basic

from convoke.contracts.topology import DEAD_LETTER_EXCHANGE, EXCHANGE, TOPOLOGY
from tests.faults.crashes.effects import Life

Settle = Callable[["Message"], Awaitable[None]]


@dataclass
class Message:
    """One message, as a handler gets it."""

    body: bytes
    message_id: str
    content_type: str
    headers: dict[str, Any]


@dataclass
class Queues:
    """What is on the broker's disks: it outlives every process of ours."""

    waiting: dict[str, deque[Message]] = field(default_factory=dict)
    published: Counter[str] = field(default_factory=Counter)
    acked: Counter[str] = field(default_factory=Counter)
    dead_lettered: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for stream in TOPOLOGY:
            self.waiting |= {stream.queue: deque(), stream.dead_letter_queue: deque()}

    def route(self, exchange: str, routing_key: str, message: Message) -> None:
        """Put a message into every queue that is bound. Raises DeliveryError where none is, like a mandatory one."""
        queues = _bound(exchange, routing_key)
        if not queues:
            raise DeliveryError(None, Basic.Return())
        for queue in queues:
            self.waiting[queue].append(message)
            self.published[queue] += 1

    def is_empty(self) -> bool:
        return not any(self.waiting[stream.queue] for stream in TOPOLOGY)

    def dead_letters(self) -> list[Message]:
        return [message for stream in TOPOLOGY for message in self.waiting[stream.dead_letter_queue]]

    def unaccounted_for(self) -> dict[str, int]:
        """Return, by queue, what was published and neither acknowledged, nor dead-lettered, nor waits."""
        settled = {queue: self.acked[queue] + self.dead_lettered[queue] for queue in self.waiting}
        missing = {queue: self.published[queue] - settled[queue] - len(self.waiting[queue]) for queue in self.waiting}
        return {queue: count for queue, count in missing.items() if count}


def _bound(exchange: str, routing_key: str) -> list[str]:
    if exchange == DEAD_LETTER_EXCHANGE:
        return [stream.dead_letter_queue for stream in TOPOLOGY if stream.queue == routing_key]
    if exchange != EXCHANGE:
        raise NotImplementedError(f"the exchange {exchange}")
    return [stream.queue for stream in TOPOLOGY if routing_key in {event.event_type for event in stream.events}]


@dataclass
class MemoryBroker:
    """A process's connections to the broker: what it publishes, and which of its handlers take what."""

    queues: Queues
    life: Life
    consumers: dict[str, tuple[Settle, AckPolicy]] = field(default_factory=dict)

    async def publish(self, body: bytes, *, exchange: RabbitExchange, routing_key: str, **properties: Any) -> None:
        """Publish with confirm. Raises DeliveryError for a message that cannot be routed."""
        if not (properties.pop("mandatory") and properties.pop("persist")):
            raise NotImplementedError("a message that may get lost")

        async def act() -> None:
            self.queues.route(exchange.name, routing_key, Message(body, **properties))

        await self.life.do(f"publish {routing_key}", act)

    def subscriber(self, queue: RabbitQueue, *, ack_policy: AckPolicy, **_: Any) -> Callable[[Settle], Settle]:
        def register(settle: Settle) -> Settle:
            self.consumers[queue.name] = (settle, ack_policy)
            return settle

        return register

    async def deliver(self, queue: str, *, at: int = 0, leave_copy: bool = False) -> None:
        """Hand one waiting message over and settle it as its policy says; it stays where the process dies before.

        `leave_copy` has it delivered again later, as after a lost acknowledgement.
        """
        message = self.queues.waiting[queue][at]
        settle, policy = self.consumers[queue]
        if policy is AckPolicy.ACK_FIRST:
            await self._ack(queue, message)
        try:
            await settle(message)
        except RejectMessage as rejection:
            await self._rejected(queue, message, requeue=bool(rejection.extra_options.get("requeue")))
        except Exception:  # noqa: BLE001 - the policy REJECT_ON_ERROR dead-letters whatever a handler raises
            await self._rejected(queue, message, requeue=False)
        else:
            if policy is not AckPolicy.ACK_FIRST and not leave_copy:
                await self._ack(queue, message)

    async def _ack(self, queue: str, message: Message) -> None:
        async def act() -> None:
            self._take(queue, message)
            self.queues.acked[queue] += 1

        await self.life.do(f"ack {queue}", act)

    async def _rejected(self, queue: str, message: Message, *, requeue: bool) -> None:
        if requeue:
            return
        self._take(queue, message)
        self.queues.dead_lettered[queue] += 1
        self.queues.route(DEAD_LETTER_EXCHANGE, queue, message)

    def _take(self, queue: str, message: Message) -> None:
        waiting = self.queues.waiting[queue]
        position = next((number for number, one in enumerate(waiting) if one is message), None)
        if position is None:  # a replica that was frozen acknowledges what was delivered to another meanwhile
            self.queues.published[queue] += 1
            return
        del waiting[position]
