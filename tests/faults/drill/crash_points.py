"""The named crash points (A1 to H): each brings a booking to one moment, holds it there, and lets what has to die die.

What shows that the moment was there is what the proxy holds, what Zoom's log says, or what the mail server keeps.
"""

import asyncio
import functools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.drill.bookings import Order, Orders
from tests.faults.drill.ledger import Ledger
from tests.faults.drill.processes import Processes
from tests.faults.drill.proxy import Way
from tests.faults.drill.stage import REPLICAS, Stage, aside
from tests.support.eventually import eventually

_REACHED_WITHIN = 20.0
_MAILED_WITHIN = 60.0
_TOKENS_LIVE = 3_700.0

_POST_BOOKING = b"POST /v1/bookings HTTP"
_BASIC_ACK = b"\x00\x3c\x00\x50"  # AMQP 0-9-1: class 60, method 80
# MongoDB's wire protocol. Of what meeting-service writes, only the keeping of a newer revision holds a `$not`.
_INSERT_SESSION, _DESIRE = b"\x02insert\x00\x09\x00\x00\x00sessions\x00", b"\x03$not\x00"


@dataclass(frozen=True)
class Death:
    """All replicas of `service` die when what it sends to `server` with `at` in it, or the answer, is on the way."""

    name: str
    service: str
    server: str
    way: Way
    at: bytes
    act: str


DEATHS = (
    Death("A2 before the booking is stored", "booking-service", "mongodb", Way.REQUEST, _INSERT_SESSION, "book"),
    Death("A3 booking stored, result unknown", "booking-service", "mongodb", Way.ANSWER, _INSERT_SESSION, "book"),
    Death("A7/B1 stored, event not out", "booking-service", "rabbitmq", Way.REQUEST, b"booking.created.v1", "book"),
    Death("B4 event confirmed, not marked", "booking-service", "rabbitmq", Way.ANSWER, b"booking.created.v1", "book"),
    Death("C1 deliveries unacknowledged", "meeting-service", "mongodb", Way.ANSWER, _DESIRE, "book"),
    Death("C6 handled, acknowledgement lost", "meeting-service", "rabbitmq", Way.REQUEST, _BASIC_ACK, "book"),
    Death("D2 intent stored, create not sent", "meeting-service", "zoom", Way.REQUEST, b"POST /v2/users/", "book"),
    Death("D4 create answered, not stored", "meeting-service", "zoom", Way.ANSWER, b"POST /v2/users/", "book"),
    Death("D7 dies with an update in doubt", "meeting-service", "zoom", Way.ANSWER, b"PATCH /v2/meetings/", "move"),
    Death("D8 dies with a delete in doubt", "meeting-service", "zoom", Way.ANSWER, b"DELETE /v2/meetings/", "cancel"),
    Death("E2 rotated, token not stored", "auth-service", "zoom", Way.ANSWER, b"POST /oauth/token", "end_tokens"),
    Death("F meeting stored, event not out", "meeting-service", "rabbitmq", Way.REQUEST, b"meeting.ready.v1", "book"),
    Death("F/G1 the link is told twice", "meeting-service", "rabbitmq", Way.ANSWER, b"meeting.ready.v1", "book"),
)


@dataclass
class CrashPoints:
    """Brings about one moment at a time, under the load that goes on; `begun` are requests that outlive it."""

    stage: Stage
    processes: Processes
    orders: Orders
    ledger: Ledger
    begun: set[asyncio.Task[object]] = field(default_factory=set)

    def all(self) -> dict[str, Callable[[], Awaitable[str]]]:
        """Return what brings about each crash point, by name; each returns what shows that it was there."""
        return {
            "A1 request never arrives": lambda: self._client_loses(Way.REQUEST, _POST_BOOKING),
            "A4 answer of the booking lost": lambda: self._client_loses(Way.ANSWER, b"201 Created"),
            "A5 one key at two replicas at once": self._same_key_twice,
            "B2 publish unanswered": self._publish_unanswered,
            "D9 canceled while the create is in doubt": self._canceled_in_doubt,
            "G2 dies before the mail is taken": lambda: self._notifier_dies(stored=False),
            "G4 mail stored, its 250 never read": lambda: self._notifier_dies(stored=True),
            "G5 one of two recipients refused": self._recipient_refused,
            "G6 canceled while the first mail is in doubt": self._canceled_while_mailing,
            **{death.name: functools.partial(self._dies, death) for death in DEATHS},
        }

    async def bring_about(self, name: str) -> None:
        """Try twice to meet a crash point, and count it where it was met."""
        for _ in range(2):
            try:
                self.ledger.point(name, await self.all()[name]())
            except (AssertionError, httpx.HTTPError) as failure:
                self.ledger.miss(name, repr(failure))
            else:
                return

    async def _dies(self, death: Death) -> str:
        proxies = [proxy for proxy in self.stage.towards(death.server) if proxy.name.startswith(("all", death.service))]
        of = death.service.encode() if death.server == "mongodb" else b""
        act = await self._prepared(death.act)
        holds = [(proxy, proxy.hold(death.way, of=of, at=death.at)) for proxy in proxies]
        try:
            self._begin(act())
            await eventually(lambda: any(hold.held for _, hold in holds), within=_REACHED_WITHIN)
            await self.processes.kill_all(death.service)
        finally:
            for proxy, hold in holds:
                proxy.cut_held(hold)
            await self.processes.bring_back(death.service)
        return f"{death.service} killed, {sum(len(hold.held) for _, hold in holds)} bytes held"

    async def _prepared(self, act: str) -> Callable[[], Coroutine[Any, Any, object]]:
        if act == "end_tokens":
            return lambda: aside(self.stage.zoom.advance_clock, _TOKENS_LIVE)
        order = await (self.orders.new().prepare() if act == "book" else self.orders.ready())
        acts: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
            "book": order.book,
            "move": order.move,
            "cancel": order.cancel,
        }
        return acts[act]

    async def _client_loses(self, way: Way, what: bytes) -> str:
        proxy, order = self.stage.proxies["clients to booking-service"], await self.orders.new().prepare()
        hold = proxy.swallow(way, at=_POST_BOOKING)
        try:
            self._begin(order.book())
            await eventually(lambda: what in hold.held, within=_REACHED_WITHIN)
        finally:
            cut = proxy.cut_held(hold)
        return f"{len(hold.held)} bytes lost, {cut} connections cut"

    async def _same_key_twice(self) -> str:
        order, key = await self.orders.new().prepare(), uuid.uuid4().hex
        urls = [self.stage.system.url("booking-service", replica) for replica in range(REPLICAS)]
        try:
            answers = await asyncio.gather(*(order.book_once(key, url) for url in urls))
        finally:
            await order.book(key)
        ids = {answer["id"] for answer in answers if answer}
        if ids != {order.booking["id"]}:
            raise AssertionError(f"not both replicas answered: {answers}")
        return f"both replicas answered {order.booking['id']}"

    async def _publish_unanswered(self) -> str:
        proxy, order = self.stage.proxies["booking-service to rabbitmq"], await self.orders.new().prepare()
        hold = proxy.hold(Way.ANSWER, at=b"booking.created.v1")
        try:
            self._begin(order.book())
            await eventually(lambda: bool(hold.held), within=_REACHED_WITHIN)
        finally:
            cut = proxy.cut_held(hold)
        return f"{len(hold.held)} bytes of confirms lost, {cut} connections cut"

    async def _canceled_in_doubt(self) -> str:
        order = await self.orders.new().prepare()
        zoom, user = self.stage.zoom, order.of.zoom_user
        fault = await aside(lambda: zoom.fault("create_meeting", "answer_lost", user_id=user))
        try:
            await order.book()
            await eventually(lambda: aside(zoom.hits, fault), within=_REACHED_WITHIN, every=0.1)
        finally:
            await aside(zoom.forget, fault)
        await order.cancel()
        return f"booking {order.booking['id']}"

    async def _notifier_dies(self, *, stored: bool) -> str:
        order = await self.orders.new().prepare()
        async with self._mail_held(order, stored=stored):
            await self.processes.kill_all("notifier")
        await self.processes.bring_back("notifier")
        return f"notifier killed, booking {order.booking['id']}"

    async def _recipient_refused(self) -> str:
        refused = self.stage.sink.refused
        await (await self.orders.new(guest_exists=False).prepare()).book()
        await eventually(lambda: self.stage.sink.refused > refused, within=_MAILED_WITHIN)
        return f"{self.stage.sink.refused - refused} refused"

    async def _canceled_while_mailing(self) -> str:
        order = await self.orders.new().prepare()
        async with self._mail_held(order, stored=True):
            await order.cancel()
        return f"booking {order.booking['id']}"

    @asynccontextmanager
    async def _mail_held(self, order: Order, *, stored: bool) -> AsyncIterator[None]:
        """Book, and have the mail server keep back its answer to the guest's mail meanwhile."""
        held = self.stage.sink.hold(order.guest_mail, stored=stored)
        try:
            await order.book()
            await eventually(held.reached.is_set, within=_MAILED_WITHIN)
            yield
        finally:
            self.stage.sink.release(held)

    def _begin(self, request: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(request)
        self.begun.add(task)
