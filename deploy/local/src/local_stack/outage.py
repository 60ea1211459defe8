"""The outage: Zoom is down while people go on to book, move and cancel; afterwards nothing may be missing.

What it reports is one run on one machine; the checks are what counts everywhere.
"""

import itertools
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from local_stack.in_order import Booked, Check
from local_stack.installation import OnProcesses
from local_stack.mailbox import Mailbox
from local_stack.progress import say
from local_stack.system import System
from local_stack.tenant import Tenant, new_tenant

Json = dict[str, Any]
HOSTS = 10
BEFORE = 10
"""Seconds of load before Zoom goes down."""

DRAINED_WITHIN = 300.0
SHOWN_EVERY = 10
SEED = 7


class OutageFailedError(Exception):
    """Something is lost, doubled or parked for good."""


@dataclass(frozen=True)
class Report:
    """Counts of what people did and of the calls that reached Zoom by operation; seconds until all was in order."""

    seconds: int
    did: Counter[str]
    calls: Counter[str]
    drained_after: float
    busiest: int

    def lines(self) -> list[str]:
        did = ", ".join(f"{count} {what}" for what, count in self.did.items())
        by_operation = ", ".join(f"{count} {operation}" for operation, count in self.calls.most_common())
        return [
            f"while Zoom was down for {self.seconds} s, and {BEFORE} s before: {did}",
            f"calls that reached Zoom meanwhile: {self.calls.total()} ({by_operation})",
            f"everything in order {self.drained_after:.1f} s after Zoom was back, with none parked",
            f"calls in the busiest second since then: {self.busiest}",
        ]


def outage(system: System, seconds: int = 300) -> Report:
    """Let Zoom be down, wait until all is in order, and measure. Raises OutageFailedError."""
    zoom = _Zoom(system.urls["zoom"])
    installation = OnProcesses(system)
    with Tenant(installation, new_tenant(installation, "Outage")) as tenant, Mailbox(system.urls["mails"]) as mails:
        people = _People(tenant)
        say(f"==> one booking, move or cancel a second; Zoom goes down after {BEFORE} s, for {seconds} s")
        _load(people, zoom, BEFORE)
        zoom.goes_down()
        _load(people, zoom, seconds)
        calls = Counter(call["operation"] for call in zoom.calls())
        zoom.comes_back()
        back = time.monotonic()
        say("==> Zoom is back")
        _drain(people, Check(tenant, mails, zoom.meetings))
        return Report(seconds, people.did, calls, time.monotonic() - back, _busiest_second(zoom.calls()))


def _load(people: "_People", zoom: "_Zoom", seconds: int) -> None:
    started = time.monotonic()
    for second in range(seconds):
        time.sleep(max(0.0, started + second - time.monotonic()))
        people.do_something()
        if second and second % SHOWN_EVERY == 0:
            say(f"    {second:4} s: {people.did.total()} requests so far, {len(zoom.calls())} calls reached Zoom")


def _drain(people: "_People", check: Check) -> None:
    """Return when every booking has what it should have. Raises OutageFailedError where that takes too long."""
    deadline, shown = time.monotonic() + DRAINED_WITHIN, 0.0
    while wrong := check.wrong(people.booked):
        if time.monotonic() > deadline:
            raise OutageFailedError("\n".join([f"{len(wrong)} not in order in time", *wrong[:20]]))
        if time.monotonic() - shown > 1:
            shown = time.monotonic()
            say(f"    {len(wrong)} of {len(people.booked)} bookings are not in order yet")
        time.sleep(0.2)


def _busiest_second(calls: list[Json]) -> int:
    return max(Counter(call["time"][:19] for call in calls).values(), default=0)


@dataclass
class _People:
    """They book, move and cancel, three times as often the first as either of the others."""

    tenant: Tenant
    booked: list[Booked] = field(default_factory=list)
    did: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(SEED)  # noqa: S311 - the same load in every run
        self._event_type = self.tenant.add_event_type(title="Outage", duration_minutes=30, location={"kind": "zoom"})
        self._hosts = [self.tenant.add_host_with_zoom("outage", number) for number in range(1, HOSTS + 1)]
        self._slots = itertools.count()

    def do_something(self) -> None:
        there = [one for one in self.booked if not one.is_canceled]
        what = self._random.choice(["bookings", "bookings", "bookings", "moves", "cancels"]) if there else "bookings"
        if what == "bookings":
            self._book()
        else:
            one = self._random.choice(there)
            self._move(one) if what == "moves" else self._cancel(one)
        self.did[what] += 1

    def _book(self) -> None:
        number = len(self.booked)
        guest = {"name": "Guest", "email": f"guest-{number}@outage.example", "timezone": "Europe/Paris", "locale": "fr"}
        starts_at, host = self._free_slot(), self._hosts[number % HOSTS]
        order = {"event_type_id": self._event_type["id"], "host_id": host, "starts_at": starts_at, "invitee": guest}
        self.booked.append(Booked(self.tenant.book(**order), starts_at))

    def _move(self, one: Booked) -> None:
        one.starts_at = self._free_slot()
        self.tenant.reschedule(one.id, one.starts_at, "Train strike")

    def _cancel(self, one: Booked) -> None:
        one.is_canceled = True
        self.tenant.cancel(one.id, "Ill")

    def _free_slot(self) -> str:
        first = (datetime.now(UTC) + timedelta(days=3)).replace(hour=0, minute=0, second=0, microsecond=0)
        return (first + timedelta(minutes=30 * next(self._slots))).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Zoom:
    """The sandbox's control API."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/sandbox"
        self._fault = ""

    def goes_down(self) -> None:
        """Close every connection without an answer, from a fresh call log on."""
        self._call("DELETE", "/calls")
        self._fault = self._call("POST", "/faults", json={"operation": "*", "kind": "down", "times": None})["id"]

    def comes_back(self) -> None:
        self._call("DELETE", f"/faults/{self._fault}")
        self._call("DELETE", "/calls")

    def calls(self) -> list[Json]:
        return list(self._call("GET", "/calls"))

    def meetings(self) -> list[Json]:
        return list(self._call("GET", "/meetings"))

    def _call(self, method: str, path: str, **request: Any) -> Any:
        answer = httpx.request(method, f"{self._url}{path}", trust_env=False, timeout=30, **request).raise_for_status()
        return answer.json() if answer.content else None
