"""Bounded waiting for what becomes true by itself: the only way tests wait."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

Value = TypeVar("Value")

SELDOM = 0.1
"""Seconds: what a test looks for lasts for half a second in some."""


@overload
async def eventually(
    predicate: Callable[[], Awaitable[Value]], *, within: float = 10, every: float = 0.02
) -> Value: ...


@overload
async def eventually(predicate: Callable[[], Value], *, within: float = 10, every: float = 0.02) -> Value: ...


async def eventually(predicate: Callable[[], Any], *, within: float = 10, every: float = 0.02) -> Any:
    """Return the first true value of `predicate`, which may be a coroutine function.

    It looks `every` so many seconds, and less often the longer it has waited: to look takes work away from what it
    waits for. Raises AssertionError with the last value after `within` seconds. An AssertionError inside the predicate
    counts as "not yet" and becomes the cause; any other error passes through.
    """
    began = time.monotonic()
    while True:
        value, failure = await _tried(predicate)
        if value:
            return value
        waited = time.monotonic() - began
        if waited > within:
            raise AssertionError(f"not true within {within:g} s; the last value was {value!r}") from failure
        await asyncio.sleep(max(every, min(waited / 5, SELDOM)))


async def _tried(predicate: Callable[[], Any]) -> tuple[Any, AssertionError | None]:
    try:
        value = predicate()
        return (await value if inspect.isawaitable(value) else value), None
    except AssertionError as failure:
        return None, failure
