"""The burst: many bookings at once over ten hosts; every one must end with its own meeting and its two mails.

What it reports is one run on one machine; the checks are what counts everywhere.
"""

import asyncio
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psutil

from local_stack.addresses import SERVICES
from local_stack.installation import OnProcesses
from local_stack.progress import say
from local_stack.system import System
from local_stack.tenant import Tenant, new_tenant, wait_for

Json = dict[str, Any]
HOSTS = 10
MINUTES = 30
GUEST = "guest-{}@burst.example"


class BurstFailedError(Exception):
    """Something was lost or doubled, or is not as it was booked."""


@dataclass(frozen=True)
class Report:
    """Seconds from request to 201 and to the guest's mail; CPU seconds a booking and bytes of memory by service."""

    seconds: list[float]
    seconds_to_answer: list[float]
    cpu: dict[str, float]
    memory: dict[str, int]
    idle_cpu: float

    def lines(self) -> list[str]:
        return [
            f"request to 201:           {_median_and_99th(self.seconds_to_answer)}",
            f"request to mail accepted: {_median_and_99th(self.seconds)}",
            *(
                f"{name:16} {self.cpu[name] * 1000:4.1f} ms of CPU a booking, {self.memory[name] / 2**20:.0f} MiB"
                for name in SERVICES
            ),
            f"CPU of the four services while idle: {self.idle_cpu:.1%} of one core",
        ]


def burst(system: System, bookings: int = 100, idle_seconds: float = 10.0) -> Report:
    """Book, wait until all is ready and mailed, check it, and measure. Raises BurstFailedError or NotInTimeError."""
    installation = OnProcesses(system)
    with Tenant(installation, new_tenant(installation, "Burst")) as tenant:
        idle_cpu = _idle_cpu(system, idle_seconds)
        orders = _orders(tenant, bookings)
        say(f"==> {bookings} bookings at once, over {HOSTS} hosts")
        cpu_before = _cpu_seconds(system)
        sent, answered, booked = asyncio.run(_book_all(tenant, system, orders))
        mailed = wait_for("all mails", lambda: _mailed_at(system, 2 * bookings), within=120)
        ready = wait_for("all links", lambda: _all_ready(tenant, booked), within=60)
    cpu = {name: (spent - cpu_before[name]) / bookings for name, spent in _cpu_seconds(system).items()}
    _check_meetings(system.urls["zoom"], ready)
    say(f"   ok  {bookings} bookings are ready, with exactly {bookings} meetings, each with its start and length")
    memory = {name: _process(system, name).memory_info().rss for name in SERVICES}
    return Report(
        [mailed[guest] - sent[guest] for guest in sent],
        [answered[guest] - sent[guest] for guest in sent],
        cpu,
        memory,
        idle_cpu,
    )


def _orders(tenant: Tenant, bookings: int) -> list[Json]:
    event_type = tenant.add_event_type(title="Burst", duration_minutes=MINUTES, location={"kind": "zoom"})
    hosts = [tenant.add_host_with_zoom("burst", number) for number in range(1, HOSTS + 1)]
    first = (datetime.now(UTC) + timedelta(days=2)).replace(hour=0, minute=0, second=0, microsecond=0)
    return [
        {
            "event_type_id": event_type["id"],
            "host_id": hosts[number % HOSTS],
            "starts_at": (first + timedelta(minutes=MINUTES * (number // HOSTS))).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "invitee": {"name": "Guest", "email": GUEST.format(number), "timezone": "Europe/Paris", "locale": "fr"},
        }
        for number in range(bookings)
    ]


async def _book_all(
    tenant: Tenant, system: System, orders: list[Json]
) -> tuple[dict[str, float], dict[str, float], list[Json]]:
    sent: dict[str, float] = {}
    answered: dict[str, float] = {}
    headers = {"Authorization": f"Bearer {tenant.token('booking-service')}"}

    async def book(order: Json) -> Json:
        guest = order["invitee"]["email"]
        sent[guest] = time.time()
        answer = await http.post("/v1/bookings", json=order)
        answered[guest] = time.time()
        return dict(answer.raise_for_status().json())

    url = system.url("booking-service")
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=60) as http:
        return sent, answered, await asyncio.gather(*map(book, orders))


def _mailed_at(system: System, expected: int) -> dict[str, float] | None:
    """Return by address when the last mail was accepted; None while mails are missing."""
    url = f"{system.urls['mails']}/api/v1/messages"
    mails = httpx.get(url, params={"limit": 10_000}, trust_env=False).raise_for_status().json()["messages"]
    burst_mails = [mail for mail in mails if mail["To"][0]["Address"].endswith("@burst.example")]
    if len(burst_mails) < expected:
        return None
    if len(burst_mails) > expected:
        raise BurstFailedError(f"{len(burst_mails)} mails instead of {expected}")
    return {mail["To"][0]["Address"]: _instant(mail["Created"]) for mail in burst_mails}


def _all_ready(tenant: Tenant, booked: list[Json]) -> list[Json] | None:
    ready = [tenant.booking(booking["id"]) for booking in booked]
    return ready if all(booking["meeting"]["status"] == "ready" for booking in ready) else None


def _check_meetings(zoom_url: str, ready: list[Json]) -> None:
    listed = httpx.get(f"{zoom_url}/sandbox/meetings", trust_env=False).raise_for_status().json()
    made = Counter((meeting["id"], meeting["start_time"], meeting["duration"]) for meeting in listed)
    links = {meeting["join_url"]: meeting for meeting in listed}
    for booking in ready:
        meeting = links[booking["meeting"]["join_url"]]
        if (meeting["start_time"], meeting["duration"]) != (booking["starts_at"], MINUTES):
            raise BurstFailedError(f"booking {booking['id']}: Zoom has {meeting['start_time']}")
    if len(listed) != len(ready) or made.most_common(1)[0][1] > 1 or len(links) != len(ready):
        raise BurstFailedError(f"{len(listed)} meetings at Zoom for {len(ready)} bookings")


def _idle_cpu(system: System, seconds: float) -> float:
    say(f"==> measuring the idle system for {seconds:g} s")
    before = sum(_cpu_seconds(system).values())
    time.sleep(seconds)
    return (sum(_cpu_seconds(system).values()) - before) / seconds


def _cpu_seconds(system: System) -> dict[str, float]:
    return {name: sum(_process(system, name).cpu_times()[:2]) for name in SERVICES}


def _process(system: System, name: str) -> psutil.Process:
    pid = system.process(name).pid
    if pid is None:
        raise BurstFailedError(f"{name} has ended")
    return psutil.Process(pid)


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _median_and_99th(seconds: list[float]) -> str:
    percentiles = statistics.quantiles(seconds, n=100, method="inclusive")
    return f"median {percentiles[49] * 1000:.0f} ms, 99th percentile {percentiles[98] * 1000:.0f} ms"
