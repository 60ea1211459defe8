"""What happens between processes, at Zoom and at the mail server; each is counted only where it met something."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.drill.ledger import Ledger
from tests.faults.drill.proxy import Proxy, Way
from tests.faults.drill.smtp_sink import Misdeed
from tests.faults.drill.stage import Stage, aside
from tests.support.eventually import eventually

_MEETING_CALLS = ("create_meeting", "update_meeting", "delete_meeting")
_LATE_SECONDS = 24.0
"""Later than meeting-service has looked for what it doubted (15 s) and made it anew: there will be two."""

_MEETS_WITHIN = 20.0
_TOKENS_LIVE = 3_700.0

_ZOOM_POINTS = {
    ("answer_lost", "create_meeting"): "D3 create sent, answer lost",
    ("answer_lost", "update_meeting"): "D7 update in doubt",
    ("answer_lost", "delete_meeting"): "D8 delete in doubt",
    ("late_commit", ""): "D5 create carried out late",
    ("rate_limited_second", ""): "D10 429 by Zoom",
}
_MAIL_POINTS = {
    Misdeed.DROP_STORED: "G3 mail stored, 250 lost",
    Misdeed.LATER: "G7 4xx by the mail server",
}


@dataclass
class Disturbances:
    """Does one thing at a time; those of Zoom and mail lie in wait until something runs into them."""

    stage: Stage
    ledger: Ledger
    chance: random.Random

    async def cut(self) -> None:
        """Reset the connections of a link, all or about half of them."""
        proxy, half = self._link(), self.chance.random() < 0.5
        count = proxy.reset(share=lambda: not half or self.chance.random() < 0.5)
        self._count("connections reset", count, f"{count} of {proxy.name}")

    async def black_hole(self) -> None:
        """Let nothing through a link in either direction, without a word."""
        proxy = self._link()
        hold = proxy.hold(*Way)
        await asyncio.sleep(self.chance.uniform(2, 7))
        size, met = len(hold.held), len(hold.met)
        proxy.release(hold)
        self._count("black hole", size, f"{size} bytes on {met} connections of {proxy.name}")

    async def half_open(self) -> None:
        """Lose one direction of a link for a while, then its connections."""
        proxy, way = self._link(), self.chance.choice(list(Way))
        hold = proxy.swallow(way)
        await asyncio.sleep(self.chance.uniform(1, 4))
        count = proxy.cut_held(hold)
        self._count(
            "half-open connections", len(hold.held), f"{way.value}s on {count} connections of {proxy.name} lost"
        )

    async def slow_link(self) -> None:
        """Make a link slow."""
        proxy, delay = self._link(), self.chance.uniform(0.05, 0.4)
        await self._paced(proxy, "delayed link", f"{delay * 1000:.0f} ms a piece", seconds=delay)

    async def narrow_link(self) -> None:
        """Let a link carry little."""
        proxy, rate = self._link(), self.chance.choice([20_000, 50_000, 100_000])
        await self._paced(proxy, "throttled link", f"{rate} bytes/s", bytes_per_second=rate)

    async def zoom_loses_answers(self) -> None:
        await self._at_zoom("answer lost by Zoom", "answer_lost", times=3)

    async def zoom_commits_late(self) -> None:
        """Make Zoom carry out a create long after it was looked for and made anew."""
        await self._at_zoom(
            "late commit at Zoom", "late_commit", operation="create_meeting", times=1, delay_seconds=_LATE_SECONDS
        )

    async def zoom_limits(self) -> None:
        await self._at_zoom("429 per second", "rate_limited_second", times=self.chance.randint(2, 6))

    async def zoom_fails(self) -> None:
        status = self.chance.choice([500, 502, 503, 504])
        await self._at_zoom("5xx by Zoom", "status", times=self.chance.randint(2, 6), status=status)

    async def zoom_fails_after_the_deed(self) -> None:
        await self._at_zoom("5xx by Zoom after the deed", "status_after_commit", times=2, status=503)

    async def zoom_is_down(self) -> None:
        await self._at_zoom("Zoom closes connections", "down", operation="*", times=self.chance.randint(3, 8))

    async def zoom_is_slow(self) -> None:
        await self._at_zoom("slow Zoom", "slow", times=3, delay_seconds=self.chance.uniform(1, 9))

    async def zoom_loses_rotated_tokens(self) -> None:
        """End all access tokens by moving Zoom's clock; of the refreshes that follow, some lose their answer."""
        zoom = self.stage.zoom
        before = len(await aside(zoom.calls, "token"))
        fault = await aside(lambda: zoom.fault("token", "answer_lost", times=3))
        await aside(zoom.advance_clock, _TOKENS_LIVE)
        hits = await self._hits(fault)
        refreshed = len(await aside(zoom.calls, "token")) - before
        refused = sum(call["status"] == 401 for call in await aside(zoom.calls))
        self._count("answer of a token rotation lost", hits, f"{hits} of {refreshed} refreshes")
        self._point("E2 rotated, answer lost", hits, f"{hits} times")
        self._point("E1 replicas refresh at once", refreshed > 1, f"{refreshed} refreshes under load")
        self._point("D11 token refused by Zoom", refused, f"{refused} calls answered 401")

    async def webhook_comes_twice(self) -> None:
        """Repeat a few of the last webhooks."""
        sent = (await aside(self.stage.zoom.webhooks))[-3:]
        for webhook in sent:
            await aside(self.stage.zoom.repeat_webhook, webhook["id"])
        self._count("webhook sent again", len(sent), f"{len(sent)} webhooks")

    async def webhooks_come_late(self) -> None:
        """Keep webhooks back for a while, and send them in reverse."""
        await aside(lambda: self.stage.zoom.switch(webhooks_held=True))
        await asyncio.sleep(self.chance.uniform(2, 6))
        await aside(lambda: self.stage.zoom.switch(webhooks_held=False))
        released = await aside(self.stage.zoom.release_webhooks)
        self._count("webhooks late and in reverse", released, f"{released} webhooks")

    async def host_edits_the_meeting(self) -> None:
        """Shorten a meeting, and rename it, inside Zoom: the booking's policy is to restore it."""
        meeting = await self._some_meeting()
        if meeting is not None:
            await aside(lambda: self.stage.zoom.change(meeting, topic="My own title", duration=15))
        self._count("host edits the meeting", meeting is not None, f"meeting {meeting}")

    async def host_deletes_the_meeting(self) -> None:
        """Delete a meeting inside Zoom: the booking gets a new one, and its people are told the new link."""
        meeting = await self._some_meeting()
        if meeting is not None:
            await aside(self.stage.zoom.delete, meeting)
        self._count("host deletes the meeting", meeting is not None, f"meeting {meeting}")

    def mail(self, misdeed: Misdeed) -> Callable[[], Awaitable[None]]:
        """Return what has the mail server do this to the next mails."""

        async def misbehave() -> None:
            sink, times = self.stage.sink, self.chance.randint(1, 4)
            before = sink.done[misdeed]
            sink.plan(*[misdeed] * times)
            done = await self._grown(lambda: sink.done[misdeed] - before)
            self._count(f"mail: {misdeed}", done, f"{done} mails")
            if point := _MAIL_POINTS.get(misdeed):
                self._point(point, done, f"{done} mails")

        return misbehave

    def _link(self) -> Proxy:
        return self.chance.choice(list(self.stage.proxies.values()))

    async def _paced(self, proxy: Proxy, kind: str, how: str, **pace: float) -> None:
        slow = proxy.slow_down(**pace)
        await asyncio.sleep(self.chance.uniform(3, 7))
        proxy.keep_pace()
        self._count(kind, slow.pieces, f"{slow.pieces} pieces of {proxy.name}, {how}")

    async def _at_zoom(self, name: str, kind: str, *, operation: str | None = None, **details: Any) -> None:
        operation = operation or self.chance.choice(_MEETING_CALLS)
        hits = await self._hits(await aside(lambda: self.stage.zoom.fault(operation, kind, **details)))
        self._count(name, hits, f"{hits} calls of {operation}")
        if point := _ZOOM_POINTS.get((kind, operation)) or _ZOOM_POINTS.get((kind, "")):
            self._point(point, hits, f"{hits} calls of {operation}")

    async def _hits(self, fault: str) -> int:
        """Return how many calls ran into a fault of Zoom, which then is over."""
        with contextlib.suppress(AssertionError):
            await eventually(lambda: aside(self.stage.zoom.hits, fault), within=_MEETS_WITHIN, every=0.4)
        await asyncio.sleep(self.chance.uniform(0, 1))
        met = await aside(self.stage.zoom.hits, fault)
        await aside(self.stage.zoom.forget, fault)
        return met

    async def _grown(self, count: Callable[[], int]) -> int:
        with contextlib.suppress(AssertionError):
            await eventually(count, within=_MEETS_WITHIN, every=0.2)
        return count()

    async def _some_meeting(self) -> int | None:
        meetings = await aside(self.stage.zoom.meetings)
        living = [meeting["id"] for meeting in meetings if not meeting["deleted"]]
        return self.chance.choice(living) if living else None

    def _count(self, kind: str, met: int, evidence: str) -> None:
        if met:
            self.ledger.fault(kind, evidence)
        else:
            self.ledger.miss(kind, f"it met nothing ({evidence})")

    def _point(self, name: str, met: int, evidence: str) -> None:
        if met:
            self.ledger.point(name, evidence)
