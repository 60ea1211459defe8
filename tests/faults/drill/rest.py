"""From the last fault to rest: everything runs again, and nothing is judged before nothing is wrong, or time is up."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from local_stack.installation import CommandFailedError, OnProcesses
from local_stack.mailbox import Mail, parse
from tests.e2e.checker import Databases, waiting
from tests.faults.drill.bookings import Order, Organization
from tests.faults.drill.client import Client, Json
from tests.faults.drill.ledger import Ledger
from tests.faults.drill.smtp_sink import SmtpSink
from tests.faults.drill.stage import Stage, aside
from tests.faults.drill.verdict import Evidence, Verdict, judge

_AT_ONCE = 12
_PAGE = 100
_WEBHOOKS_REPEATED_WITHIN = 5_400.0
"""Zoom sends what was not answered again after 5, 20 and 60 minutes: its clock is moved by so many seconds."""


@dataclass
class Rest:
    """Gathers the evidence, again and again, until there is nothing wrong with it."""

    stage: Stage
    ledger: Ledger
    client: Client
    organizations: Sequence[Organization]
    orders: Sequence[Order]
    _reads: dict[str, Json] = field(default_factory=dict)
    _mails: list[Mail] = field(default_factory=list)

    async def reached(self, *, within: float) -> tuple[Verdict, Evidence]:
        """Return the verdict once it is good, and the same on a second look; or the last one after so many seconds."""
        await aside(self.stage.zoom.advance_clock, _WEBHOOKS_REPEATED_WITHIN)
        deadline = time.monotonic() + within
        doubted: Sequence[Order] = self.orders
        while True:
            verdict, evidence = await self._look(doubted)
            if verdict.is_good and len(doubted) == len(self.orders):
                return verdict, evidence
            if time.monotonic() > deadline:
                return verdict, evidence
            wrong = list(verdict.all())
            self.ledger.show(
                f"not at rest: {len(wrong)} things, such as: {wrong[0][:200] if wrong else 'looking again'}"
            )
            doubted = self._named_in(wrong) if wrong else self.orders
            await asyncio.sleep(3 if wrong else 0)

    async def _look(self, doubted: Sequence[Order]) -> tuple[Verdict, Evidence]:
        await self._read(doubted)
        acknowledged = [order for order in self.orders if order.booking]
        in_doubt = await aside(mails_in_doubt, self.stage.databases)
        expected = [order.expected(self._reads[order.name], in_doubt) for order in acknowledged]
        evidence = Evidence(
            expected=expected,
            guests={order.guest_mail: order.booking["id"] for order in acknowledged},
            listed=await self._listed(),
            meetings=await aside(self.stage.zoom.meetings),
            mails=await aside(self._arrived, self.stage.sink),
            waiting=await aside(lambda: list(waiting(self.stage.databases, self.stage.rabbitmq_url))),
        )
        return await aside(judge, evidence, self.stage.databases), evidence

    async def audit(self) -> str:
        """Return the last line of meeting-service's own audit."""
        try:
            said = await aside(OnProcesses(self.stage.system).command, "meeting-service", "audit")
        except CommandFailedError as failure:
            return f"{failure}"
        return said.strip().splitlines()[-1]

    async def _read(self, orders: Sequence[Order]) -> None:
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def read(order: Order) -> None:
            async with at_once:
                self._reads[order.name] = await order.now()

        await asyncio.gather(*(read(order) for order in orders if order.booking))

    async def _listed(self) -> list[Json]:
        pages = await asyncio.gather(*(self._listed_of(one) for one in self.organizations))
        return [booking for page in pages for booking in page]

    async def _listed_of(self, organization: Organization) -> list[Json]:
        found: list[Json] = []
        cursor: str | None = None
        while True:
            query = httpx.QueryParams({"limit": _PAGE} | ({"cursor": cursor} if cursor else {}))
            page = await self.client.insist(organization.credentials, "GET", f"/v1/bookings?{query}")
            found += page["items"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return found

    def _arrived(self, sink: SmtpSink) -> list[Mail]:
        """Return all mails; each is parsed once."""
        self._mails += [parse(taken.raw, taken.recipient) for taken in sink.taken[len(self._mails) :]]
        return list(self._mails)

    def _named_in(self, wrong: Sequence[str]) -> list[Order]:
        text = "\n".join(wrong)
        return [order for order in self.orders if order.booking and order.booking["id"] in text]


def mails_in_doubt(databases: Databases) -> set[tuple[str, str]]:
    """Return the bookings, each with the side to which a mail may have left or not before it was overtaken."""
    found = databases["notifier"]["correspondence"].find({"deliveries.state": "in_doubt"}, {"deliveries": 1})
    return {
        (one["_id"], delivery["recipient"])
        for one in found
        for delivery in one["deliveries"]
        if delivery["state"] == "in_doubt"
    }
