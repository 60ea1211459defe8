"""Lines with the elapsed time, for whatever takes longer than a second."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SHOWN_EVERY = 1.0


def say(text: str) -> None:
    """Print one line at once, also where the output is a pipe."""
    print(text, flush=True)


@contextmanager
def waiting_for(name: str) -> Iterator[Callable[[], None]]:
    """Yield a function to call at every poll: it prints a line for each second that has passed."""
    started = shown = time.monotonic()

    def show() -> None:
        nonlocal shown
        if time.monotonic() - shown >= _SHOWN_EVERY:
            shown = time.monotonic()
            say(f"    waiting for {name}: {shown - started:.0f} s")

    yield show
