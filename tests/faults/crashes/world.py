"""All services over one memory that outlives them, with a clock of its own: they die, start anew and come to rest."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar

import httpx

from booking_service.domain.answers import Answer, Request
from booking_service.domain.catalog import EventType, Host, Location, ZoomOptions
from booking_service.domain.session import Seat, Session
from convoke.contracts.topology import TOPOLOGY
from convoke.contracts.wire import EventData
from convoke.messaging.cloudevents import CONTENT_TYPE, Event
from convoke.messaging.outbox import LEFT_BEHIND_AFTER
from convoke.mongo import Document
from tests.faults.crashes.effects import Crash, Effects, Fault, Life
from tests.faults.crashes.memory_broker import MemoryBroker, Message, Queues
from tests.faults.crashes.memory_collection import MemoryCollection, Stored
from tests.faults.crashes.neighbours import Clock, Connected, Delivered, Post, Tokens, ZoomInMemory
from tests.faults.crashes.services import Services, as_real, built

ORGANIZATION = "org_1"
HOST = Host("hst_1", "Hanna Host", "hanna@host.test", "Europe/Berlin", "en")
TALK = EventType("evt_talk", "A talk", "About this and that", 30, 0, 0, Location("zoom"), ZoomOptions())

RESTS_AFTER = timedelta(minutes=20)
"""Within which everything comes to rest: leases, back-offs, doubts, and the sweeps 2 and 15 minutes after a doubt."""

SLEPT = timedelta(seconds=70)
"""How long a process stands still: longer than the leases of sessions (20 s) and of mails (30 s)."""

MOST_ROUNDS = 2_000

Result = TypeVar("Result")


CollectionOf = Callable[[MemoryCollection], Any]


def as_it_is(collection: MemoryCollection) -> Any:
    return collection


class NoRest(AssertionError):
    """Something is worked on for ever."""


@dataclass
class Surrounding:
    """What one life of the services is built over."""

    world: "World"
    life: Life

    def __post_init__(self) -> None:
        self.broker: Any = MemoryBroker(self.world.queues, self.life)
        self.to_zoom = httpx.AsyncClient(transport=self.world.zoom.transport(self.life))
        self.tokens = Tokens(self.world.connected, self.life)
        self.post: Any = as_real(Post(self.world.mails, self.life, self.world.clock))

    def database(self, name: str) -> Any:
        return _Database(self, name)

    async def pause(self, seconds: float) -> None:
        await self.world.pass_time(timedelta(seconds=seconds))


@dataclass
class _Database:
    around: Surrounding
    name: str

    def __getitem__(self, collection: str) -> Any:
        world = self.around.world
        return world.collection_of(MemoryCollection(collection, world.disks[collection], self.around.life))


@dataclass
class World:
    """Everything that there is. `faults` are what happens to the services, one after the other."""

    faults: list[Fault] = field(default_factory=list)
    collection_of: CollectionOf = as_it_is

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.effects = Effects(self.faults, while_frozen=self._others_work)
        self.disks: defaultdict[str, Stored] = defaultdict(Stored)
        self.queues = Queues()
        self.zoom = ZoomInMemory(self.clock)
        self.connected = Connected(self.zoom, self.clock)
        self.mails: list[Delivered] = []
        self.answered: dict[str, Answer] = {}
        self.restarts = 0

    @classmethod
    async def begun(cls, *faults: Fault, collection_of: CollectionOf = as_it_is) -> Self:
        """Return a world with a host and an event type, in which nothing has happened yet."""
        world = cls([*faults], collection_of)
        await world.start()
        world.effects.is_counting = False
        request = Request(ORGANIZATION, None, b"")
        await world.services.hosts.add(HOST, request, Answer(201, ""), world.clock())
        await world.services.event_types.add(TALK, request, Answer(201, ""), world.clock())
        world.effects.is_counting = True
        return world

    async def start(self) -> None:
        """Begin a new life of all services, from what is stored."""
        was_counting, self.effects.is_counting = self.effects.is_counting, False
        self.life = Life(self.effects)
        self.around = Surrounding(self, self.life)
        self.services: Services = built(self.around, self.clock)
        for step in self.services.prepare:
            await step()
        self.effects.is_counting = was_counting

    async def ask(self, key: str, what: Callable[[Services], Awaitable[Answer]]) -> Answer:
        """Ask over HTTP as a client does who repeats what was not answered, with the same key."""
        while True:
            try:
                answer = await what(self.services)
                await self.settled()
            except Crash:
                await self.restart()
            else:
                self.answered[key] = answer
                return answer

    async def rest(self, within: timedelta = RESTS_AFTER) -> None:
        """Let everything be done that is to be done, now and within that time; nobody waits for real."""
        until = self.clock.now + within
        for _ in range(MOST_ROUNDS):
            try:
                if not await self._work():
                    following = self._next_time()
                    if following is None or following > until:
                        return
                    await self.pass_time(max(following - self.clock.now, timedelta(milliseconds=1)))
            except Crash:
                await self.restart()
        raise NoRest(f"after {MOST_ROUNDS} rounds something is still under way, at {self.clock.now}")

    async def pass_time(self, duration: timedelta) -> None:
        self.clock.now += duration
        self.zoom.time_passed()
        for _ in range(3):  # what Zoom commits late, it commits in tasks of its own
            await asyncio.sleep(0)

    async def publish(self, data: EventData, subject: str) -> None:
        """Publish an event of a service that is not here, such as auth-service."""
        number = sum(self.queues.published.values())
        event = Event(f"evt_{number}", "/auth-service", subject, self.clock.now, ORGANIZATION, data)
        message = Message(event.body(), event.id, CONTENT_TYPE, {})
        self.queues.route("convoke", data.event_type, message)

    def documents(self, collection: str) -> list[Document]:
        return list(self.disks[collection].documents.values())

    async def _work(self) -> bool:
        worked = await self._deliver_all()
        worked = await self.services.work_once() or worked
        worked = bool(await self.services.sweep()) or worked
        await self.settled()
        return worked

    async def _deliver_all(self) -> bool:
        delivered = False
        for stream in TOPOLOGY:
            while self.queues.waiting[stream.queue]:
                await self.around.broker.deliver(stream.queue)
                await self.settled()
                delivered = True
        return delivered

    async def settled(self) -> None:
        """Let what a service does beside answering be done. Raises Crash where it died of that."""
        for service in self.services.all:
            await service.outbox.drain()
        if self.life.is_over:
            raise Crash

    async def restart(self) -> None:
        """Begin a new life after a crash."""
        for service in self.services.all:  # what was under way beside it dies too
            await service.outbox.drain()
        self.restarts += 1
        await self.start()

    async def _others_work(self) -> None:
        """Stand still: the time passes, and replicas that are not frozen take over."""
        frozen, services, around = self.life, self.services, self.around
        self.effects.is_counting = False
        await self.pass_time(SLEPT)
        await self.start()
        await self.rest(SLEPT)
        self.life, self.services, self.around = frozen, services, around
        self.effects.is_counting = True

    def _next_time(self) -> datetime | None:
        due = ("sessions", "meetings", "correspondence", "scans", "outages")
        return min((time for name in due for time in self._times(name)), default=None)

    def _times(self, collection: str) -> Iterator[datetime]:
        for document in self.documents(collection):
            if due_at := document.get("due_at"):
                lease = document.get("lease")
                yield max(due_at, lease["until"]) if lease else due_at
            for pending in document.get("outbox", ()):
                yield pending["time"] + LEFT_BEHIND_AFTER + timedelta(milliseconds=1)


def answer_for(session: Session, seat: Seat) -> Answer:
    """Word an answer about a booking, as short as can be."""
    return Answer(200, f"{session.id} {seat.id} {session.starts_at.isoformat()} {seat.status}")
