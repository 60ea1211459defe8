"""From start to SIGTERM: a service answers HTTP at once, works when its neighbours are there, and stops in order."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

import pymongo
from structlog.stdlib import BoundLogger, get_logger

from convoke import mongo
from convoke.due_work import Worker
from convoke.messaging.connections import Connections
from convoke.messaging.outbox import Outbox

log: BoundLogger = get_logger(__name__)

FINISH_WORK_WITHIN = 6.0
"""Seconds for what is under way at SIGTERM; with closing it stays under the 10 that container engines grant."""

LEAVE_DATABASE_WITHIN = 0.5
"""Seconds."""


@dataclass
class Lifecycle:
    """Everything of a service that runs beside its HTTP. An async context manager for the app's lifespan."""

    client: mongo.Client
    connections: Connections
    prepare: Sequence[Callable[[], Awaitable[object]]] = ()
    outboxes: Sequence[Outbox] = ()
    workers: Sequence[Worker] = ()
    measures: Sequence[Callable[[], Awaitable[object]]] = ()
    on_close: Sequence[Callable[[], Awaitable[object]]] = ()
    failed: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _booted: bool = False

    async def is_ready(self) -> dict[str, bool]:
        """Tell of each neighbour whether work can be done with it."""
        return {
            "started": self._booted,
            "rabbitmq": await self.connections.is_up(),
            "mongodb": await self._database_answers(),
        }

    async def measure(self) -> None:
        """Bring the metrics up to date that are counted in the database; those of a database that is away stay."""
        try:
            async with asyncio.timeout(1):
                for measure in self.measures:
                    await measure()
        except (TimeoutError, *mongo.DATABASE_AWAY) as error:
            log.warning("metrics.not_measured", error=type(error).__name__)

    async def __aenter__(self) -> None:
        self._tasks.append(asyncio.create_task(self._boot()))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        log.info("service.stopping")
        await asyncio.gather(
            self.connections.stop_consuming(),
            *(worker.stop(FINISH_WORK_WITHIN) for worker in self.workers),
            return_exceptions=True,
        )
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks, timeout=1)
        await asyncio.gather(*(outbox.drain() for outbox in self.outboxes))
        await self._close()
        log.info("service.stopped")

    async def _boot(self) -> None:
        try:
            await mongo.wait_for_replica_set(self.client)
            for step in self.prepare:
                await step()
            await self.connections.start()
        except Exception:
            log.exception("service.cannot_start")
            self.failed = True
            signal.raise_signal(signal.SIGTERM)
            return
        loops = [outbox.run() for outbox in self.outboxes] + [worker.run() for worker in self.workers]
        self._tasks.extend(asyncio.create_task(loop) for loop in loops)
        self._booted = True
        log.info("service.ready")

    async def _close(self) -> None:
        closing = (self.connections.close, *self.on_close)
        for outcome in await asyncio.gather(*(close() for close in closing), return_exceptions=True):
            if isinstance(outcome, Exception):
                log.warning("service.close_failed", error=repr(outcome))
        # It ends its sessions at the server, and would look for one that is away as long as any other call does.
        with pymongo.timeout(LEAVE_DATABASE_WITHIN):
            self.client.close()

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(1):
                await self.client.admin.command("ping")
        except (TimeoutError, *mongo.DATABASE_AWAY):
            return False
        return True
