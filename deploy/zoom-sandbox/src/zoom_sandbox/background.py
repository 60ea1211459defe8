"""Work that outlives the request that caused it: late commits and webhook deliveries."""

import asyncio
from collections.abc import Coroutine


class Background:
    """Keeps its tasks alive until they are done, or until all are ended together."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def end_all(self) -> None:
        for task in list(self._tasks):
            task.cancel()
