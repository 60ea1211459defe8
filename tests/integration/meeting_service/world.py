"""meeting-service's own parts over a real MongoDB, a real RabbitMQ and the Zoom sandbox; only the clock is ours."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aio_pika

from convoke.contracts import Booking, BookingCreated, Session
from convoke.due_work import DueWork
from convoke.messaging.cloudevents import Event, parse
from convoke.messaging.outbox import Outbox
from meeting_service.domain.marker import MarkerKey
from meeting_service.domain.meeting import SessionMeeting
from meeting_service.handlers import Handlers
from meeting_service.mongo.meetings import Meetings
from meeting_service.mongo.nudges import Nudges
from meeting_service.ports import EVER, Access, AccessTokens, Refused, Zoom
from meeting_service.reconcile.reconciler import Reconciler
from meeting_service.scan.scanner import LEASE, Scanner
from meeting_service.scan.scans import Scans
from tests.contract.zoom_sandbox.app_at_zoom import NOON, AppAtZoom, Host
from tests.integration.convoke.conftest import sample

MARKER_KEY = MarkerKey(b"k" * 32)
CREATED: BookingCreated = sample("booking.created.v1").data


@dataclass
class OwnClock:
    """Starts at the sandbox's own noon; moves only when it is told to."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@dataclass
class TokensOfHost:
    """The AccessTokens port on a host who let the app in at the sandbox; every owner has the same connection."""

    app: AppAtZoom
    host: Host
    refusal: Refused | None = None
    refusals_left: int = 1_000_000
    replaced: int = 0
    replaces_with_better: bool = True
    connected_since: datetime = EVER
    connected_at: datetime | None = None
    zoom_account_id: str = "account-pro"
    plan: str = "licensed"

    async def to_make(self, _organization_id: str, _host_id: str) -> Access:
        return self._access()

    async def to_change(self, _organization_id: str, _connection_id: str) -> Access:
        return self._access()

    async def to_withdraw(self, organization_id: str, connection_id: str) -> Access:
        return await self.to_change(organization_id, connection_id)

    async def replace_refused(self, _organization_id: str, _refused: Access) -> Access:
        self.replaced += 1
        if self.replaces_with_better:
            self.host = await self.app.host(self.host.user_id)
        return self._access()

    def _access(self) -> Access:
        if self.refusal and self.refusals_left:
            self.refusals_left -= 1
            raise self.refusal
        api_url = str(self.host.http.base_url).rstrip("/")
        return Access(
            "zcn_1",
            self.host.user_id,
            self.host.access_token,
            api_url,
            self.connected_since,
            self.zoom_account_id,
            self.plan,
            connected_at=self.connected_at,
        )


@dataclass
class World:
    clock: OwnClock
    app: AppAtZoom
    tokens: TokensOfHost
    meetings: Meetings
    scans: Scans
    outbox: Outbox
    zoom: Zoom
    told_queue: aio_pika.abc.AbstractQueue

    def session(self, **changes: Any) -> Session:
        """Return the sample's session, tomorrow at the full hour."""
        starts_at = (self.clock.now + timedelta(days=1)).replace(minute=0, second=0)
        placed = {"starts_at": starts_at, "ends_at": starts_at + timedelta(minutes=45)}
        return CREATED.session.model_copy(update=placed | changes)

    def booking(self, revision: int = 1, **changes: Any) -> Booking:
        return CREATED.booking.model_copy(update={"revision": revision} | changes)

    async def book(self, **changes: Any) -> Session:
        session = self.session(**changes)
        assert await self.meetings.desire(session, self.booking(session.revision), self.clock())
        return session

    async def reschedule(self, session: Session, by: timedelta = timedelta(hours=2)) -> Session:
        moved = session.model_copy(
            update={
                "revision": session.revision + 1,
                "starts_at": session.starts_at + by,
                "ends_at": session.ends_at + by,
            }
        )
        assert await self.meetings.desire(moved, self.booking(moved.revision), self.clock())
        return moved

    async def cancel(self, session: Session) -> Session:
        gone = session.model_copy(update={"revision": session.revision + 1, "status": "canceled", "seats_taken": 0})
        assert await self.meetings.desire(gone, self.booking(gone.revision, status="canceled"), self.clock())
        return gone

    def due(self) -> DueWork:
        return DueWork(self.meetings.collection, timedelta(seconds=20), self.clock)

    @property
    def nudges(self) -> Nudges:
        return Nudges(self.meetings.collection)

    def reconciler(self, zoom: Zoom | None = None, tokens: AccessTokens | None = None) -> Reconciler:
        return Reconciler(
            self.meetings, self.scans, zoom or self.zoom, tokens or self.tokens, MARKER_KEY, self.outbox, self.clock
        )

    def handlers(self, forget_access: Callable[[str], None] = lambda _: None) -> Handlers:
        return Handlers(self.meetings, self.nudges, self.scans, self.clock, lambda: None, lambda _: None, forget_access)

    def scanner(self) -> Scanner:
        return Scanner(self.scans, self.meetings, self.nudges, self.zoom, self.tokens, MARKER_KEY, self.clock)

    async def scan(self) -> int:
        """Make the scans that are due now; returns how many."""
        scanner = self.scanner()
        due, made = DueWork(self.scans.collection, LEASE, self.clock), 0
        while claim := await due.claim():
            await scanner.scan(claim)
            made += 1
        return made

    async def work(self, zoom: Zoom | None = None) -> int:
        """Do all that is due now; returns how often something was claimed."""
        claims = 0
        while claim := await self.due().claim():
            await self.reconciler(zoom).reconcile(claim)
            claims += 1
        await self.outbox.drain()
        return claims

    async def state(self, session: Session) -> SessionMeeting:
        document = await self.meetings.find(session.id)
        assert document
        return self.meetings.read(document)

    async def at_zoom(self) -> list[dict[str, Any]]:
        """Return the meetings that are at Zoom now."""
        return [meeting for meeting in await self.app.meetings() if not meeting["deleted"]]

    async def nothing_to_sweep(self) -> bool:
        return await self.outbox.sweep() == 0

    async def calls(self, operation: str) -> int:
        return len(await self.app.control("GET", "/calls", params={"operation": operation}))

    async def told(self) -> list[Event[Any]]:
        """Return the events published since the last call, each once however often it was published."""
        events: dict[str, Event[Any]] = {}
        while message := await self.told_queue.get(fail=False):
            await message.ack()
            event = parse(message.body)
            events[event.id] = event
        return list(events.values())

    async def told_types(self) -> list[str]:
        return [event.data.event_type for event in await self.told()]


def at(session: Session) -> tuple[str, int]:
    """Return the start and the duration as Zoom writes them."""
    minutes = int((session.ends_at - session.starts_at).total_seconds() // 60)
    return session.starts_at.strftime("%Y-%m-%dT%H:%M:%SZ"), minutes


class Crash(BaseException):
    """The process dies here: nothing after it runs, as with SIGKILL."""


@dataclass(frozen=True)
class Dying:
    """A Zoom port whose process dies before or after its create."""

    zoom: Zoom
    after: bool

    async def create(self, access: Access, body: dict[str, Any]) -> Any:
        if self.after:
            await self.zoom.create(access, body)
        raise Crash

    def __getattr__(self, name: str) -> Any:
        return getattr(self.zoom, name)
