"""What people, hosts and Zoom do in each scenario; the services may die at any effect that follows from it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from booking_service.domain.answers import Answer
from booking_service.domain.session import Invitee, Seat, Session
from booking_service.domain.timeline import TimelineEntry
from booking_service.mongo.sessions import Record
from convoke.contracts import BookingCreated, ZoomConnected, ZoomDisconnected
from convoke.contracts.zoom import Connection
from convoke.ids import new_id, new_token
from convoke.messaging.outbox import entry
from tests.faults.crashes.client import Booked, Client
from tests.faults.crashes.neighbours import CONNECTION
from tests.faults.crashes.services import Services
from tests.faults.crashes.world import HOST, ORGANIZATION, TALK
from zoom_sandbox.faults import FaultKind

Scenario = Callable[[Client], Awaitable[None]]

AT_ONCE = timedelta()
SHORTLY = timedelta(seconds=5)
THREE_DAYS = timedelta(days=3)
UNTIL_AFTER_MIDNIGHT = timedelta(hours=12, minutes=30)


async def book(client: Client) -> None:
    await client.book()
    await client.world.rest()


async def reschedule_twice(client: Client) -> None:
    booking = await client.book()
    await client.world.rest()
    await client.reschedule(booking)
    await client.world.rest(AT_ONCE)
    await client.reschedule(booking)
    await client.world.rest()


async def cancel(client: Client) -> None:
    booking = await client.book()
    await client.world.rest()
    await client.cancel(booking)
    await client.world.rest()


async def cancel_during_create(client: Client) -> None:
    """The create's answer is lost, so that it is in doubt when the cancellation comes."""
    client.world.zoom.order("create_meeting", FaultKind.ANSWER_LOST)
    booking = await client.book()
    await client.world.rest(SHORTLY)
    await client.cancel(booking)
    await client.world.rest()


async def session_of_three_seats(client: Client) -> None:
    seats = await book_seats(client, 3)
    await client.world.rest()
    await client.reschedule(seats[0])
    for seat in seats:
        seat.starts_at = seats[0].starts_at
    await client.world.rest()


async def reconnect(client: Client) -> None:
    """What is owed while Zoom is disconnected is carried out when the same user is connected again."""
    moved, canceled = await client.book(), await client.book(timedelta(hours=50))
    await client.world.rest()
    await disconnect(client)
    await client.reschedule(moved)
    await client.cancel(canceled)
    await client.book(timedelta(hours=52))
    await client.world.rest(SHORTLY)
    await connect(client, "host-1", None)
    await client.world.rest()


async def reconnect_another_user(client: Client) -> None:
    """Nobody can touch the former user's meeting: there is a new one, and its link is mailed."""
    booking = await client.book()
    await client.world.rest()
    await disconnect(client)
    await client.reschedule(booking)
    await client.world.rest(SHORTLY)
    booking.former_users.append("host-1")
    await connect(client, "host-2", "host-1")
    await client.world.rest()


async def daily_limit(client: Client) -> None:
    """The second create of the day is refused, and waits for midnight."""
    client.world.zoom.turn(host_daily_limit=1)
    await client.book(THREE_DAYS)
    await client.world.rest(SHORTLY)
    await client.book(THREE_DAYS + timedelta(hours=1))
    await client.world.rest(UNTIL_AFTER_MIDNIGHT)


async def disconnect(client: Client) -> None:
    client.world.connected.user_id = None
    await client.world.publish(ZoomDisconnected(connection=_connection("host-1"), reason="user"), CONNECTION)


async def connect(client: Client, user_id: str, previous: str | None) -> None:
    client.world.connected.user_id = user_id
    connected = ZoomConnected(connection=_connection(user_id), previous_zoom_user_id=previous)
    await client.world.publish(connected, CONNECTION)


async def book_seats(client: Client, count: int) -> list[Booked]:
    """Book a session of several seats, for which booking-service has no path of its own yet."""
    starts_at, request = client.world.clock.now + timedelta(hours=48), client.request("bookings")
    invitees = [Invitee(f"Guest {n}", f"seat-{n}@guest.test", "Europe/Berlin", "en") for n in range(count)]

    async def ask(services: Services) -> Answer:
        if first := await services.sessions.answers.first(request):
            return first
        seats = tuple(Seat(new_id("bkg"), 1, "confirmed", one, new_token(), new_token()) for one in invitees)
        session = Session(new_id("ses"), ORGANIZATION, 1, "scheduled", TALK, HOST, starts_at, seats, capacity=count)
        now = client.world.clock.now
        answer = Answer(201, " ".join([session.id, *(seat.id for seat in seats)]))
        record = Record(entry(BookingCreated, now), TimelineEntry(now, "booked", ""), request, answer)
        services.all[0].outbox.publish_soon(await services.sessions.add(session, record))
        return answer

    session_id, *seat_ids = (await client.world.ask("seats", ask)).body.split()
    booked = [Booked(session_id, seat, one.email, starts_at) for seat, one in zip(seat_ids, invitees, strict=True)]
    client.booked += booked
    return booked


def _connection(user_id: str) -> Connection:
    return Connection(
        id=CONNECTION,
        organization_id=ORGANIZATION,
        zoom_user_id=user_id,
        zoom_account_id="account-pro",
        email=f"{user_id}@example.com",
        plan="licensed",
        scopes=(),
        missing_scopes=(),
    )


SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        book,
        reschedule_twice,
        cancel,
        cancel_during_create,
        session_of_three_seats,
        reconnect,
        reconnect_another_user,
        daily_limit,
    )
}
