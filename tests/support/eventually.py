"""Bounded waiting for what becomes true by itself: the only way tests wait."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Value = TypeVar("Value")


async def eventually(
    predicate: Callable[[], Value | Awaitable[Value]],
    *,
    within: float = 10,
    every: float = 0.02,
) -> Value:
    """Return the first true value of `predicate`, which may be a coroutine function.

    Raises AssertionError with the last value after `within` seconds. An AssertionError inside the predicate
    counts as "not yet" and becomes the cause; any other error passes through.
    """
    deadline = time.monotonic() + within
    while True:
        value, failure = await _tried(predicate)
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {within:g} s; the last value was {value!r}") from failure
        await asyncio.sleep(every)


async def _tried(
    predicate: Callable[[], Value | Awaitable[Value]],
) -> tuple[Value | None, AssertionError | None]:
    try:
        value = predicate()
        return (await value if inspect.isawaitable(value) else value), None
    except AssertionError as failure:
        return None, failure
