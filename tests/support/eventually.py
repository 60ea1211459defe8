"""Bounded waiting for what becomes true by itself: the only way tests wait."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

Value = TypeVar("Value")


@overload
async def eventually(
    predicate: Callable[[], Awaitable[Value]], *, within: float = 10, every: float = 0.02
) -> Value: ...


@overload
async def eventually(predicate: Callable[[], Value], *, within: float = 10, every: float = 0.02) -> Value: ...


async def eventually(predicate: Callable[[], Any], *, within: float = 10, every: float = 0.02) -> Any:
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


async def _tried(predicate: Callable[[], Any]) -> tuple[Any, AssertionError | None]:
    try:
        value = predicate()
        return (await value if inspect.isawaitable(value) else value), None
    except AssertionError as failure:
        return None, failure
