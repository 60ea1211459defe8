"""What people do: book, move and cancel over HTTP, each request with a key of its own."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from booking_service.domain.answers import Answer, Request
from booking_service.domain.session import Invitee
from booking_service.handlers.bookings import Order
from tests.faults.crashes.services import Services
from tests.faults.crashes.world import HOST, ORGANIZATION, TALK, World, answer_for


@dataclass
class Booked:
    """A booking as its client knows it: what was answered last."""

    session_id: str
    booking_id: str
    invitee: str
    starts_at: datetime
    is_canceled: bool = False
    former_users: list[str] = field(default_factory=list)


@dataclass
class Client:
    """Asks until it is answered."""

    world: World
    booked: list[Booked] = field(default_factory=list)
    requests: int = 0

    async def book(self, starts_in: timedelta = timedelta(hours=48)) -> Booked:
        starts_at, email = self.world.clock.now + starts_in, f"invitee-{len(self.booked)}@guest.test"
        order = Order(TALK.id, HOST.id, _on_the_grid(starts_at), Invitee("Ina Guest", email, "Europe/Berlin", "en"))
        request = self.request("bookings")

        async def ask(services: Services) -> Answer:
            return await services.bookings.book(order, request, answer_for)

        session_id, booking_id, *_ = (await self.world.ask(str(self.requests), ask)).body.split()
        self.booked.append(Booked(session_id, booking_id, email, order.starts_at))
        return self.booked[-1]

    async def reschedule(self, booking: Booked, by: timedelta = timedelta(hours=1)) -> None:
        request, starts_at = self.request("reschedule"), booking.starts_at + by

        async def ask(services: Services) -> Answer:
            return await services.bookings.reschedule(booking.booking_id, starts_at, "later", request, answer_for)

        await self.world.ask(str(self.requests), ask)
        booking.starts_at = starts_at

    async def cancel(self, booking: Booked) -> None:
        request = self.request("cancel")

        async def ask(services: Services) -> Answer:
            return await services.bookings.cancel(booking.booking_id, None, request, answer_for)

        await self.world.ask(str(self.requests), ask)
        booking.is_canceled = True

    def request(self, path: str) -> Request:
        self.requests += 1
        return Request.of(ORGANIZATION, f"key-{self.requests}", path, "")


def _on_the_grid(instant: datetime) -> datetime:
    return instant.replace(minute=instant.minute // 5 * 5, second=0, microsecond=0)
