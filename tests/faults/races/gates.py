"""Before each effect and each read a process waits at a gate; whoever opens the gates decides what follows on what."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

from convoke.mongo import Document
from tests.faults.crashes.effects import Crash
from tests.faults.crashes.memory_collection import Cursor, MemoryCollection

Opened = Literal["done", "lost"]


@dataclass
class Operation:
    """What somebody wants of one replica; all that follows from it waits at gates in its name."""

    what: str
    owner: str
    replica: int
    was_frozen: bool = False
    has_asked_for_tokens: bool = False
    excuses_before: int = 0
    task: "asyncio.Task[None] | None" = None


OPERATION: ContextVar[Operation] = ContextVar("operation")


@dataclass
class Gate:
    """`may_be_lost` is so on the way to Zoom and back."""

    operation: Operation
    what: str
    process: "Process"
    may_be_lost: bool
    opened: "asyncio.Future[Opened]"


@dataclass
class Gates:
    """All gates that somebody waits at, in the order of arriving."""

    waiting: list[Gate] = field(default_factory=list)

    def open(self, gate: Gate, how: Opened = "done") -> None:
        self.waiting.remove(gate)
        gate.opened.set_result(how)


@dataclass
class Process:
    """One life of one replica. Raises Crash at whatever it does after its end."""

    gates: Gates
    is_over: bool = False

    async def wait(self, what: str, *, may_be_lost: bool = False) -> Opened:
        """Return how the gate was opened. Raises Crash where this process died meanwhile."""
        self._must_live()
        gate = Gate(OPERATION.get(), what, self, may_be_lost, asyncio.get_running_loop().create_future())
        self.gates.waiting.append(gate)
        try:
            how = await gate.opened
        except asyncio.CancelledError:
            self.gates.waiting.remove(gate)
            raise
        self._must_live()
        return how

    def die(self) -> None:
        self.is_over = True
        for gate in [gate for gate in self.gates.waiting if gate.process is self]:
            self.gates.open(gate)

    def _must_live(self) -> None:
        if self.is_over:
            raise Crash


@dataclass(frozen=True)
class GatedCollection:
    """A collection in memory, as far as auth-service uses it, with a gate before each call."""

    memory: MemoryCollection
    process: Process

    def with_options(self, **_: Any) -> "GatedCollection":
        return self

    async def create_index(self, *keys: Any, **options: Any) -> str:
        return await self.memory.create_index(*keys, **options)

    async def insert_one(self, document: Document) -> Any:
        await self._gate("insert")
        return await self.memory.insert_one(document)

    async def update_one(self, *update: Any, **options: Any) -> Any:
        await self._gate("update")
        return await self.memory.update_one(*update, **options)

    async def update_many(self, *update: Any) -> Any:
        await self._gate("update_many")
        return await self.memory.update_many(*update)

    async def find_one_and_update(self, *update: Any, **options: Any) -> Any:
        await self._gate("find_and_update")
        return await self.memory.find_one_and_update(*update, **options)

    async def find_one(self, *query: Any, **options: Any) -> Any:
        await self._gate("find_one")
        return await self.memory.find_one(*query, **options)

    def find(self, *query: Any) -> "_GatedCursor":
        return _GatedCursor(self, query)

    async def _gate(self, what: str) -> None:
        await self.process.wait(f"{self.memory.name}.{what}")


@dataclass
class _GatedCursor:
    collection: GatedCollection
    query: tuple[Any, ...]
    order: tuple[Any, ...] = ()
    most: int | None = None

    def sort(self, *order: Any) -> "_GatedCursor":
        self.order = order
        return self

    def limit(self, most: int) -> "_GatedCursor":
        self.most = most
        return self

    async def to_list(self, most: int | None) -> list[Document]:
        await self.collection.process.wait(f"{self.collection.memory.name}.find")
        found: Cursor = self.collection.memory.find(*self.query)
        if self.order:
            found = found.sort(*self.order)
        return found.documents[: self.most or most]

    async def __aiter__(self) -> AsyncIterator[Document]:
        for document in await self.to_list(None):
            yield document
