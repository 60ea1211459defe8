"""Bounded waiting for what several processes do by themselves, without an event loop."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

LONGEST_PAUSE = 0.5
"""Seconds between two looks, where it takes long: every look is work for the services."""


class NotTrueInTime(AssertionError):
    """Something that should have come true by itself did not; the text ends with what was seen last."""


def until(what: str, look: Callable[[], Value | None], *, within: float = 30, every: float = 0.05) -> Value:
    """Return the first true value of `look`; an AssertionError inside it counts as "not yet".

    Looks again after `every` seconds, then less and less often. Raises NotTrueInTime after `within` seconds.
    """
    deadline, pause = time.monotonic() + within, every
    while True:
        try:
            value, seen = look(), None
        except AssertionError as failure:
            value, seen = None, failure
        if value:
            return value
        if time.monotonic() > deadline:
            raise NotTrueInTime(f"{what}: not within {within:g} s; last seen: {seen or repr(value)}")
        time.sleep(pause)
        pause = max(every, min(pause * 1.2, LONGEST_PAUSE))
