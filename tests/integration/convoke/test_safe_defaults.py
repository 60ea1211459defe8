"""Each default of RabbitMQ, aio-pika and FastStream that would lose data, and that it is not left alone.

Looked at is what the real server has or is sent, on the way that a service takes. MongoDB's defaults are in
test_safe_defaults_of_mongodb. Shown elsewhere:

- a classic queue, an unbounded one, `drop-head`, dead-lettering at most once or to nowhere, the delivery limit of 20:
  `test_a_queue_is_replicated_durable_bounded_and_dead_letters_at_least_once`
- a message beyond the delivery limit is dropped:
  `test_what_is_delivered_too_often_lands_with_the_dead_letters_and_none_is_lost`
- an unacknowledged message is taken away after 30 minutes:
  `test_a_database_may_be_away_for_ten_days_before_a_message_is_delivered_too_often`
- requeueing at once burns the delivery limit: `test_trouble_around_a_message_is_waited_out`
- an acknowledgement before the work is done: `test_a_handler_that_is_cut_off_leaves_its_message_in_the_queue`
- an error or malformed body is rejected and, without a dead-letter exchange, gone:
  `test_without_a_connection_for_dead_letters_the_broker_keeps_the_message`
- a handler may drop its message by a signal: `test_no_signal_of_the_framework_lets_a_handler_drop_a_message`
- a graceful stop raises the delivery count:
  `test_stopping_lets_the_running_handler_finish_and_leaves_the_rest_untouched`
- CloudEvents are not taken for JSON: `test_an_event_reaches_the_handler_of_its_class`
- an event is published before its queue is there: `test_every_event_of_every_stream_is_routed_to_its_queue`
- a new id for each publish: `test_the_events_of_one_document_keep_their_order`
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from aio_pika import DeliveryMode
from aio_pika.abc import AbstractIncomingMessage

from convoke.contracts import NotificationFailed, NotificationSent, PrivacyErased
from convoke.contracts.topology import BOOKING_SERVICE_NOTIFICATIONS as STREAM
from convoke.contracts.topology import DEAD_LETTER_EXCHANGE, EXCHANGE
from convoke.messaging import broker as broker_module
from convoke.messaging import publisher as publisher_module
from convoke.messaging.broker import PREFETCH
from convoke.messaging.cloudevents import Event
from convoke.messaging.connections import Connections
from convoke.messaging.consumer import Subscription
from convoke.messaging.publisher import NotPublished, Publisher, Refused
from local_stack import environment, installed
from local_stack.processes import free_ports
from local_stack.rabbitmq import RabbitMQ
from tests.integration.convoke.conftest import Wire, sample, wired
from tests.support.eventually import eventually

Handle = Callable[[Event[Any]], Awaitable[object]]
SENT = sample("notification.sent.v1")


@asynccontextmanager
async def service(vhost: str, handle: Handle | None = None) -> AsyncIterator[Connections]:
    """Run the two connections that every service has, and consume where there is a handler."""
    connections = Connections(vhost)
    if handle:
        connections.subscribe([Subscription(STREAM, {NotificationSent: handle, NotificationFailed: handle})])
    await connections.start()
    try:
        yield connections
    finally:
        await connections.stop_consuming()
        await connections.close()


async def counts(management_url: str, vhost: str, queue: str) -> tuple[int, ...]:
    """Tell how many messages a queue has: all, those ready, and those in somebody's hands."""
    async with httpx.AsyncClient(base_url=management_url, trust_env=False) as management:
        found = (await management.get(f"/api/queues/{quote(vhost, safe='')}/{queue}")).json()
    return tuple(found.get(name, -1) for name in ("messages", "messages_ready", "messages_unacknowledged"))


def name_of(vhost: str) -> str:
    return urlsplit(vhost).path.removeprefix("/")


async def published(vhost: str, wire: Wire) -> AbstractIncomingMessage:
    async with service(vhost) as connections:
        await connections.publisher.publish(SENT)
    return await wire.take(STREAM.queue)


async def put_back(vhost: str, wire: Wire) -> AbstractIncomingMessage:
    async with service(vhost) as connections:
        await connections.publisher.put_back(STREAM.queue, b"letter", message_id="m1", content_type=None)
    return await wire.take(STREAM.queue)


async def dead_lettered(vhost: str, wire: Wire) -> AbstractIncomingMessage:
    async with service(vhost, accept):
        await wire.send(b"no json", STREAM.queue)
        return await wire.take(STREAM.dead_letter_queue)


async def accept(_: Event[Any]) -> None:
    """Take it."""


@pytest.mark.parametrize("sent", [published, put_back, dead_lettered], ids=lambda sent: sent.__name__)
async def test_a_message_is_persistent_though_faststream_publishes_transient_ones(
    sent: Callable[[str, Wire], Awaitable[AbstractIncomingMessage]], vhost: str, wire: Wire
):
    assert (await sent(vhost, wire)).delivery_mode == DeliveryMode.PERSISTENT


async def test_a_message_for_no_queue_is_an_error_though_rabbitmq_confirms_it_and_aio_pika_keeps_quiet(
    vhost: str, wire: Wire
):
    async with service(vhost) as connections:
        await wire.leave_without_a_queue(PrivacyErased)
        with pytest.raises(Refused, match=r"privacy\.erased\.v1"):
            await connections.publisher.publish(sample(PrivacyErased.event_type))
        await wire.delete(STREAM.queue)
        with pytest.raises(Refused, match=STREAM.queue):
            await connections.publisher.put_back(STREAM.queue, b"letter", message_id=None, content_type=None)


async def test_what_a_full_queue_refuses_is_an_error_though_a_publish_without_confirms_would_not_know(
    fresh_vhost: str, monkeypatch: pytest.MonkeyPatch
):
    """The oldest stays, though `drop-head` would make room."""
    monkeypatch.setattr(broker_module, "LONGEST_QUEUE", 1)
    taken: list[bytes] = []

    async def fill(publisher: Publisher) -> None:
        for number in range(100):
            body = f"{number}".encode()
            await publisher.put_back(STREAM.queue, body, message_id=None, content_type=None)
            taken.append(body)

    async with service(fresh_vhost) as connections:
        with pytest.raises(Refused):
            await fill(connections.publisher)
    async with wired(fresh_vhost) as wire:
        assert [(await wire.take(STREAM.queue)).body for _ in taken] == taken


async def test_a_dead_letter_without_a_place_to_go_stays_though_rabbitmq_drops_it(
    fresh_vhost: str, rabbitmq_addresses: dict[str, str]
):
    """Neither acknowledged by us, for it was returned, nor dropped by the broker, for it dead-letters at least once."""
    async with service(fresh_vhost, accept), wired(fresh_vhost) as wire:
        await wire.delete(STREAM.dead_letter_queue)
        await wire.send(b"no json", STREAM.queue)

        async def waits_for_its_place() -> bool:
            vhost = name_of(fresh_vhost)
            assert await counts(rabbitmq_addresses["management_url"], vhost, STREAM.queue) == (1, 0, 0)
            return True

        await eventually(waits_for_its_place, within=20, every=0.2)


async def test_exchanges_outlive_a_restart_though_those_of_aio_pika_do_not(
    vhost: str, rabbitmq_addresses: dict[str, str]
):
    async with (
        service(vhost),
        httpx.AsyncClient(base_url=rabbitmq_addresses["management_url"], trust_env=False) as management,
    ):
        for name in (EXCHANGE, DEAD_LETTER_EXCHANGE):
            found = (await management.get(f"/api/exchanges/{name_of(vhost)}/{name}")).json()
            assert (found["durable"], found["auto_delete"]) == (True, False)


async def test_no_more_is_taken_at_once_than_the_prefetch_though_rabbitmq_hands_out_everything(vhost: str, wire: Wire):
    """What a dying process has in hand counts as delivered once more."""
    begun, go_on = 0, asyncio.Event()

    async def hold(_: Event[Any]) -> None:
        nonlocal begun
        begun += 1
        await go_on.wait()

    async with service(vhost):
        """Declares the queues."""
    for _ in range(3 * PREFETCH):
        await wire.send(SENT.body(), STREAM.queue)
    async with service(vhost, hold):
        await eventually(lambda: begun == PREFETCH)
        assert await wire.depth(STREAM.queue) == 2 * PREFETCH
        go_on.set()
        await eventually(lambda: begun == 3 * PREFETCH)


Control = Callable[..., Awaitable[None]]


@pytest.fixture
async def broker_of_its_own(tmp_path: Path) -> AsyncIterator[tuple[RabbitMQ, Control]]:
    """Run a broker that no other test uses, and give it with what its rabbitmqctl can do."""
    names_port, management_port = free_ports(2)
    server = RabbitMQ(tmp_path, names_port=names_port, management_port=management_port)

    async def control(*request: str) -> None:
        settings = {**environment.inherited(), "HOME": str(tmp_path), "ERL_EPMD_PORT": str(names_port)}
        command = (str(installed.rabbitmqctl()), "--quiet", "--node", server.name, *request)
        process = await asyncio.create_subprocess_exec(*command, env=settings | {"LANG": "C.UTF-8"})
        assert await process.wait() == 0

    server.start()
    await asyncio.to_thread(server.wait_until_ready)
    yield server, control
    server.kill()


@asynccontextmanager
async def alarmed(control: Control) -> AsyncIterator[None]:
    """Let the broker believe that it has no memory left."""
    await control("set_vm_memory_high_watermark", "0")
    try:
        yield
    finally:
        await control("set_vm_memory_high_watermark", "0.4")


@pytest.mark.timeout(120)
async def test_an_alarm_of_the_broker_neither_hangs_a_publish_nor_stops_consuming(
    broker_of_its_own: tuple[RabbitMQ, Control], monkeypatch: pytest.MonkeyPatch
):
    """RabbitMQ reads nothing more from a connection that publishes, without end: no acknowledgement either."""
    server, control = broker_of_its_own
    monkeypatch.setattr(publisher_module, "PUBLISH_TIMEOUT", 1.0)
    go_on = asyncio.Event()

    async def wait(_: Event[Any]) -> None:
        await go_on.wait()

    async def has(messages: int) -> bool:
        return (await counts(str(server.management_url), "/", STREAM.queue))[0] == messages

    async with service(server.url, wait) as connections:
        for _ in range(2 * PREFETCH):
            await connections.publisher.publish(SENT)
        await eventually(lambda: has(2 * PREFETCH), within=15, every=0.5)  # the broker counts every five seconds
        async with alarmed(control):
            async with asyncio.timeout(10):
                with pytest.raises(NotPublished, match="TimeoutError"):
                    await connections.publisher.publish(SENT)
            go_on.set()
            await eventually(lambda: has(0), within=15, every=0.5)
        await eventually(lambda: publishes(connections))


async def publishes(connections: Connections) -> bool:
    try:
        await connections.publisher.publish(SENT)
    except NotPublished:
        return False
    return True
