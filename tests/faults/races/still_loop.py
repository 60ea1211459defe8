"""An event loop whose time stands still until it is moved: nothing in it waits, so every run of it is the same."""

import asyncio
import selectors


class _NeverWaits(selectors.SelectSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:  # noqa: ARG002
        return []  # no socket is in it, and to ask the system so at every step takes longer than the step


class StillLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._seconds = 0.0
        super().__init__(_NeverWaits())
        self.set_exception_handler(lambda _loop, _context: None)  # who died has nobody to tell

    def time(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        self._seconds += seconds

    async def quiet(self) -> None:
        """Return once nobody but the caller can go on."""
        while True:
            await asyncio.sleep(0)
            if not self._ready:  # type: ignore[attr-defined]  # of asyncio.BaseEventLoop
                return
