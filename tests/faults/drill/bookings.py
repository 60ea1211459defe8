"""The bookings of the drill: what is asked for, what was answered, and so how each must stand in the end."""

import asyncio
import random
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from local_stack.installation import OnProcesses
from local_stack.tenant import Credentials, Tenant, new_tenant
from tests.e2e.checker import Expected
from tests.e2e.zoom import Zoom
from tests.faults.drill.client import Client, Json
from tests.faults.drill.smtp_sink import NOBODY
from tests.support.eventually import eventually

MINUTES = 30
_SLOTS_A_DAY = 40
_FIRST_DAY = 5


@dataclass(frozen=True)
class Organization:
    """A customer with one Zoom user, in a Zoom account of its own."""

    name: str
    credentials: Credentials
    zoom_user: str
    event_type_id: str


def organization(installation: OnProcesses, zoom: Zoom, name: str) -> Organization:
    """Make a customer whose Zoom is connected."""
    credentials, zoom_user = new_tenant(installation, name), f"zoom-{name}"
    zoom.add_user(zoom_user, account_id=zoom_user, type=2, plan="pro")
    with Tenant(installation, credentials) as tenant:
        event_type = tenant.add_event_type(title="Drill", duration_minutes=MINUTES, location={"kind": "zoom"})
        page = tenant.connect_zoom(zoom_user)
        if "Zoom is connected" not in page:
            raise RuntimeError(f"{name} could not connect Zoom: {page}")
        return Organization(name, credentials, zoom_user, event_type["id"])


@dataclass
class Order:
    """One booking: with a host and a guest that no other has, asked for, moved and cancelled by a client."""

    of: Organization
    number: int
    client: Client
    starts_at: datetime
    guest_exists: bool = True
    booking: Json = field(default_factory=dict)
    is_canceled: bool = False
    moved: int = 0
    attempted: int = 0
    acknowledged: int = 0
    host_id: str = ""

    @property
    def name(self) -> str:
        return f"{self.of.name}-{self.number}"

    @property
    def host_mail(self) -> str:
        return f"host.{self.name}@host.example"

    @property
    def guest_mail(self) -> str:
        return f"{'guest.' if self.guest_exists else NOBODY}{self.name}@guest.example"

    @property
    def body(self) -> Json:
        return {
            "event_type_id": self.of.event_type_id,
            "host_id": self.host_id,
            "starts_at": _utc(self.starts_at),
            "invitee": {"name": "Guest", "email": self.guest_mail, "timezone": "Europe/Paris", "locale": "fr"},
        }

    async def prepare(self) -> "Order":
        """Add the booking's own host, so that each of the host's mails is known to be this booking's."""
        person = {"name": "Host", "email": self.host_mail, "timezone": "Europe/Berlin", "locale": "de"}
        self.host_id = (await self.client.insist(self.of.credentials, "POST", "/v1/hosts", person))["id"]
        return self

    async def book(self, key: str | None = None) -> "Order":
        self.booking = await self._insist("/v1/bookings", self.body, key)
        return self

    async def book_once(self, key: str, url: str) -> Json | None:
        """Ask one replica once; None where it did not book."""
        try:
            answer = await self.client.ask(self.of.credentials, "POST", "/v1/bookings", self.body, key, url=url)
        except httpx.TransportError:
            return None
        return dict(answer.json()) if answer.is_success else None

    async def move(self) -> None:
        self.moved += 1
        self.starts_at += timedelta(days=1)
        await self._insist(f"{self._path}/reschedule", {"starts_at": _utc(self.starts_at), "reason": "Train strike"})

    async def cancel(self) -> None:
        await self._insist(f"{self._path}/cancel", {"reason": "Ill"})
        self.is_canceled = True

    async def now(self) -> Json:
        """Return the booking as it reads now."""
        return await self.client.insist(self.of.credentials, "GET", self._path)

    async def is_ready(self) -> bool:
        return bool((await self.now())["meeting"]["status"] == "ready")

    def expected(self, reads: Json, in_doubt: AbstractSet[tuple[str, str]]) -> Expected:
        """Return how it should stand; `in_doubt` are bookings with the side to which a mail may have left or not."""
        sides = {"host": self.host_mail, "invitee": self.guest_mail}
        return Expected(
            name=f"{self.name} ({self.booking['id']})",
            read=lambda: reads,
            session_id=self.booking["session_id"],
            starts_at=self.starts_at,
            ends_at=self.starts_at + timedelta(minutes=MINUTES),
            is_canceled=self.is_canceled,
            has_zoom=True,
            people=(self.host_mail, self.guest_mail) if self.guest_exists else (self.host_mail,),
            methods=None,
            meetings_made=None,
            doubtful=frozenset(mail for side, mail in sides.items() if (self.booking["id"], side) in in_doubt),
        )

    @property
    def _path(self) -> str:
        return f"/v1/bookings/{self.booking['id']}"

    async def _insist(self, path: str, body: Json, key: str | None = None) -> Json:
        self.attempted += 1
        answer = await self.client.insist(self.of.credentials, "POST", path, body, key=key)
        self.acknowledged += 1
        return answer


@dataclass
class Orders:
    """Makes orders, spread evenly over the organizations."""

    organizations: Sequence[Organization]
    client: Client
    made: list[Order] = field(default_factory=list)

    def new(self, *, guest_exists: bool = True) -> Order:
        number = len(self.made)
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        of, slot = self.organizations[number % len(self.organizations)], number // len(self.organizations)
        starts_at = midnight + timedelta(days=_FIRST_DAY + slot // _SLOTS_A_DAY, minutes=30 * (slot % _SLOTS_A_DAY))
        self.made.append(order := Order(of, number, self.client, starts_at, guest_exists))
        return order

    async def booked(self) -> Order:
        return await (await self.new().prepare()).book()

    async def ready(self, *, within: float = 90) -> Order:
        """Return a booking that has its link; raises AssertionError."""
        order = await self.booked()
        await eventually(order.is_ready, within=within, every=0.2)
        return order


async def live(order: Order, chance: random.Random) -> None:
    """Book, and perhaps move, and perhaps cancel, with pauses as chance has them."""
    await order.prepare()
    await order.book()
    for act, odds in ((order.move, 0.25), (order.move, 0.05), (order.cancel, 0.15)):
        if chance.random() < odds:
            await asyncio.sleep(chance.uniform(0, 8))
            await act()


def _utc(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
