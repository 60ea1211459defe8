"""How often somebody may do something: counted in this replica's memory (ADR 0028)."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from fastapi import Depends, Request

from convoke.openapi import Json, problems
from convoke.problems import Problem

MOST_KEYS = 100_000
"""About 20 MB; beyond it whoever was seen longest ago is forgotten first."""

IPV6_NETWORK = 64
"""Bits; who has one IPv6 address has all of its network (RFC 6177)."""

Now = Callable[[], float]


class RateLimit:
    """So many times within so many seconds for each key, at once or spread (the generic cell rate algorithm)."""

    def __init__(self, times: int, seconds: float, now: Now = time.monotonic) -> None:
        self._interval = seconds / times
        self._window = seconds
        self._now = now
        self._full_until: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str) -> float:
        """Count once more and return 0, or the seconds until that is possible again."""
        now = self._now()
        filled = max(now, self._full_until.get(key, now)) + self._interval
        # A hundredth of a turn, for what adding up fractions loses.
        if filled - now > self._window + self._interval / 100:
            return filled - now - self._window
        self._store(key, filled)
        return 0.0

    def give_back(self, key: str) -> None:
        """Count once less: it did not happen, or does not matter."""
        if key in self._full_until:
            self._store(key, self._full_until[key] - self._interval)

    def _store(self, key: str, filled: float) -> None:
        self._full_until[key] = filled
        self._full_until.move_to_end(key)
        if len(self._full_until) > MOST_KEYS:
            self._full_until.popitem(last=False)


def client_of(request: Request) -> str:
    """Return the address that a request came from, as far as TRUSTED_PROXIES say; of IPv6 its network."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((address, IPV6_NETWORK), strict=False))


def limited(limit: RateLimit) -> Callable[[Request], Awaitable[None]]:
    """Return a FastAPI dependency that counts a request of a client, or answers 429."""

    async def count(request: Request) -> None:
        wait = limit.take(client_of(request))
        if wait:
            raise too_many(wait)

    return count


def for_each_client(times_per_minute: int) -> Json:
    """Return what `include_router` takes, so that a router's paths together answer each client so many times."""
    return {"dependencies": [Depends(limited(RateLimit(times_per_minute, 60.0)))], "responses": problems(429)}


def too_many(wait: float) -> Problem:
    seconds = math.ceil(wait)
    return Problem(
        429,
        "too-many-requests",
        "Too many requests",
        f"Too many requests came from your address. Send it again in {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )
