"""A service that keeps its dead letters, and what is seen of them from outside."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase

from convoke.contracts import NotificationFailed, NotificationSent
from convoke.contracts.topology import BOOKING_SERVICE_NOTIFICATIONS as STREAM
from convoke.messaging.cloudevents import Event
from convoke.messaging.connections import Connections
from convoke.messaging.consumer import Subscription
from convoke.messaging.dead_letters.letter import Letter
from convoke.messaging.dead_letters.office import DeadLetterOffice
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.mongo import Document
from tests.integration.convoke.conftest import Wire, sample
from tests.support.eventually import eventually

Handle = Callable[[Event[Any]], Awaitable[object]]
SENT = sample("notification.sent.v1")
NO_JSON = b"\xff canary@guest.example"


class Handler:
    """Fails while it is broken; remembers what it has handled."""

    def __init__(self) -> None:
        self.is_broken = True
        self.handled: list[str] = []

    async def __call__(self, event: Event[Any]) -> None:
        if self.is_broken:
            raise KeyError("a defect")
        self.handled.append(event.id)


@asynccontextmanager
async def service(vhost: str, handle: Handle, letters: DeadLetters | None) -> AsyncIterator[None]:
    """Run what a service has of its own: a consumer, and the keeping of its dead letters where there is a store."""
    connections = Connections(vhost)
    connections.subscribe([Subscription(STREAM, {NotificationSent: handle, NotificationFailed: handle})])
    if letters:
        connections.keep_dead_letters(letters)
    await connections.start()
    try:
        yield
    finally:
        await connections.stop_consuming()
        await connections.close()


async def waiting(office: DeadLetterOffice, number: int = 1) -> list[Letter]:
    """Return the letters that wait, with their bodies, once there are so many."""

    async def found() -> list[Letter]:
        listed = await office.waiting()
        return listed if len(listed) == number else []

    return [await office.read(letter.id) for letter in await eventually(found)]


async def stored(database: AsyncIOMotorDatabase[Document]) -> list[Document]:
    return await database["dead_letters"].find().to_list(None)


async def is_empty(wire: Wire, queue: str) -> bool:
    return await wire.depth(queue) == 0


async def has_died(office: DeadLetterOffice, times: int) -> bool:
    return [letter.deaths for letter in await office.waiting()] == [times]


async def holds(wire: Wire, queue: str) -> bool:
    return await wire.depth(queue) == 1
