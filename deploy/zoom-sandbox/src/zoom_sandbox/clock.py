"""The sandbox's own time: the real clock plus whatever the control API has advanced it by."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta


def real_time() -> datetime:
    return datetime.now(UTC)


class SandboxClock:
    """Tells the time to everything that expires, and lets waits end early when it is advanced."""

    def __init__(self, real: Callable[[], datetime] = real_time) -> None:
        self._real = real
        self._offset = timedelta()
        self._moved = asyncio.Event()
        self.stopped = False

    def now(self) -> datetime:
        return self._real() + self._offset

    def advance(self, seconds: float) -> None:
        self._offset += timedelta(seconds=seconds)
        self._wake()

    def reset(self) -> None:
        self._offset = timedelta()

    def stop(self) -> None:
        """Let every wait end now, so that the process can."""
        self.stopped = True
        self._wake()

    async def sleep(self, seconds: float) -> None:
        """Return once that many seconds have passed, on the wall or by `advance`."""
        due, end = self.now() + timedelta(seconds=seconds), time.monotonic() + seconds
        while not self.stopped and self.now() < due and (left := end - time.monotonic()) > 0:
            moved = self._moved
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await moved.wait()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


def zulu(instant: datetime) -> str:
    """Write an instant as Zoom writes them: UTC, whole seconds, `Z` (Zoom: Meetings API)."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
