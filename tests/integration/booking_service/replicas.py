"""booking-service in the test's own process, and the wire as another service sees it."""

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import aio_pika
import httpx
from aio_pika.abc import AbstractIncomingMessage

from booking_service.app import build_app
from booking_service.settings import Settings
from convoke.clock import utc_now
from convoke.contracts.topology import EXCHANGE
from convoke.messaging.cloudevents import Event, parse
from tests.support.eventually import eventually

PUBLIC_URL = "https://book.convoke.test"


class MovableClock:
    """The time of a replica; JWTs keep to the real one."""

    def __init__(self) -> None:
        self._moved = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self._moved

    def advance(self, **by: float) -> None:
        self._moved += timedelta(**by)


@asynccontextmanager
async def replica(
    settings: Settings, clock: MovableClock | None = None, *, ready: int = 200
) -> AsyncIterator[httpx.AsyncClient]:
    """Run a replica and yield a client that speaks to it, once it says that it is as ready as expected."""
    app = build_app(settings, clock or utc_now)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL, timeout=30) as http,
    ):

        async def is_ready() -> bool:
            return (await http.get("/health/ready")).status_code == ready

        await eventually(is_ready, within=20)
        yield http


class Wire:
    """Every booking event of a virtual host, by booking, in the order in which it came."""

    def __init__(self) -> None:
        self._events: dict[str, list[Event[Any]]] = defaultdict(list)

    async def take(self, message: AbstractIncomingMessage) -> None:
        event = parse(message.body)
        assert (message.message_id, message.routing_key) == (event.id, event.data.event_type)
        self._events[event.subject].append(event)

    def deliveries(self, booking_id: str) -> int:
        return len(self._events[booking_id])

    def types(self, booking_id: str) -> list[str]:
        """Return the type of each event that was told; one that came twice counts once."""
        return list({event.id: event.data.event_type for event in self._events[booking_id]}.values())

    async def told(self, booking_id: str, event_type: str = "booking.created.v1") -> Event[Any]:
        """Return a booking's first event of a type, once it is there."""

        def found() -> Event[Any] | None:
            of_type = (event for event in self._events[booking_id] if event.data.event_type == event_type)
            return next(of_type, None)

        event = await eventually(found)
        assert event is not None
        return event


@asynccontextmanager
async def tapped(rabbitmq_url: str) -> AsyncIterator[Wire]:
    """Listen to what booking-service publishes on a virtual host."""
    wire = Wire()
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(exchange, "booking.#")
        await queue.consume(wire.take, no_ack=True)
        yield wire
