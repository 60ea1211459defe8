"""auth-service and two replicas of meeting-service as they are, over HTTP, one broker, one MongoDB and the sandbox."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import httpx

from auth_service.app import build_app as auth_app
from auth_service.mongo.clients import Clients
from auth_service.settings import Settings as AuthSettings
from convoke import mongo
from convoke.clock import utc_now
from convoke.contracts import BookingCanceled, BookingCreated, BookingRescheduled, Session
from convoke.ids import new_id
from convoke.messaging.broker import connect, publishing_broker
from convoke.messaging.cloudevents import Event
from convoke.messaging.publisher import Publisher
from convoke.settings import load
from meeting_service.app import build_app as meeting_app
from meeting_service.settings import Settings as MeetingSettings
from tests.integration.auth_service.conftest import environment_of, key_of, product_of
from tests.integration.auth_service.owners import OwnerAtZoom
from tests.integration.auth_service.replicas import SERVICE, SERVICE_SECRET, Caller, MovableClock, soon
from tests.integration.auth_service.zoom_app import Zoom
from tests.integration.convoke.conftest import sample
from tests.support.served import address_of, listening, served

REPLICAS = 2
CREATED: Event[BookingCreated] = sample("booking.created.v1")


@dataclass
class Life:
    """What the tests of leaving hold: `auth` and `meetings` are clients of the services' replicas."""

    auth: httpx.AsyncClient
    meetings: list[httpx.AsyncClient]
    zoom: Zoom
    clients: Clients
    databases: dict[str, Any]
    publisher: Publisher
    clock: MovableClock = field(default_factory=MovableClock)

    async def product(self) -> "Product":
        return Product(self, await product_of(self.auth, self.clients))


@dataclass
class Product:
    """One organization whose hosts are booked."""

    life: Life
    caller: Caller

    @property
    def id(self) -> str:
        return self.caller.organization_id

    async def connect(self, host_id: str | None = None, user_id: str = "host-1") -> dict[str, Any]:
        """Connect Zoom for an owner and return the connection."""
        return await OwnerAtZoom(self.caller, self.life.zoom).connect(user_id, host_id)

    async def connection(self, connection_id: str) -> dict[str, Any]:
        return dict((await self.caller.call("GET", f"/v1/zoom/connections/{connection_id}")).json())

    async def disconnect(self, connection_id: str, **query: str) -> httpx.Response:
        return await self.caller.call("DELETE", f"/v1/zoom/connections/{connection_id}", params=query)

    async def consequences(self, connection_id: str) -> dict[str, Any]:
        answer = await self.caller.call("GET", f"/v1/zoom/connections/{connection_id}/consequences")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def book(self, *, ahead: timedelta = timedelta(days=1), host_id: str | None = None) -> Session:
        starts_at = (utc_now() + ahead).replace(microsecond=0)
        changes: dict[str, Any] = {"starts_at": starts_at, "ends_at": starts_at + timedelta(minutes=45)}
        if host_id:
            changes["host"] = CREATED.data.session.host.model_copy(update={"id": host_id})
        return await self._tell(
            BookingCreated,
            CREATED.data.session.model_copy(
                update={"id": new_id("ses"), "organization_id": self.id, "revision": 1, **changes}
            ),
        )

    async def reschedule(self, session: Session) -> Session:
        later = {"starts_at": session.starts_at + timedelta(hours=1), "ends_at": session.ends_at + timedelta(hours=1)}
        moved = session.model_copy(update={"revision": session.revision + 1, **later})
        return await self._tell(BookingRescheduled, moved, previous_starts_at=session.starts_at)

    async def cancel(self, session: Session) -> Session:
        gone = {"revision": session.revision + 1, "status": "canceled", "seats_taken": 0}
        return await self._tell(BookingCanceled, session.model_copy(update=gone))

    async def _tell(self, event: Callable[..., Any], session: Session, **more: Any) -> Session:
        status = "canceled" if session.status == "canceled" else "confirmed"
        seat = {"id": f"bkg_{session.id[4:]}", "revision": session.revision, "status": status}
        booking = CREATED.data.booking.model_copy(update=seat)
        told = event(booking=booking, session=session, **more)
        await self.life.publisher.publish(
            Event(
                id=new_id("evt"),
                source="/booking-service",
                subject=booking.id,
                time=self.life.clock(),  # a test may have moved it, and with it when Zoom was connected
                organization_id=self.id,
                data=told,
                traceparent=None,
            )
        )
        return session

    async def row(self, session: Session) -> dict[str, Any] | None:
        """Return what meeting-service has stored of a session."""
        found: dict[str, Any] | None = await self.life.databases["meeting"]["meetings"].find_one({"_id": session.id})
        return found

    async def has_link(self, session: Session) -> bool:
        row = await self.row(session)
        is_new = row and row["session_revision"] == session.revision
        return bool(row and is_new and row.get("outcome") == "ready" and row["meeting"])

    async def linked(self, *sessions: Session) -> None:
        """Wait until each has its link."""
        for session in sessions:
            await soon(partial(self.has_link, session))

    async def waits(self, session: Session, code: str) -> bool:
        row = await self.row(session)
        return bool(row and row.get("reason") and row["reason"]["code"] == code)

    async def at_zoom(self, *sessions: Session) -> list[dict[str, Any]]:
        """Return the meetings that are at Zoom now, of these sessions where some are named."""
        meetings = (await self.life.zoom.http.get("/sandbox/meetings")).json()
        alive = [meeting for meeting in meetings if not meeting["deleted"]]
        named = [session.id for session in sessions]
        return [meeting for meeting in alive if not named or any(name in meeting["agenda"] for name in named)]


@asynccontextmanager
async def living(rabbitmq_url: str, mongodb_url: str, database: str, zoom: Zoom) -> AsyncIterator[Life]:
    """Run one auth-service and two replicas of meeting-service."""
    clock, sockets = MovableClock(), [listening() for _ in range(1 + REPLICAS)]
    at_auth, *at_meetings = (address_of(one) for one in sockets)
    told = {"MEETING_SERVICE_URL": at_meetings[0], "SERVICE_CLIENTS": f"{SERVICE}={SERVICE_SECRET}=zoom.access-tokens"}
    environment = environment_of(rabbitmq_url, mongodb_url, f"{database}-auth", zoom.address) | told
    of_meetings = {
        **{
            name: environment[name]
            for name in ("RABBITMQ_URL", "MONGODB_URL", "PUBLIC_URL", "ENCRYPTION_KEYS", "ZOOM_API_URL")
        },
        "MONGODB_DATABASE": f"{database}-meeting",
        "HTTP_PORT": "8003",
        "AUTH_SERVICE_URL": at_auth,
        "SERVICE_CLIENT_ID": SERVICE,
        "SERVICE_CLIENT_SECRET": SERVICE_SECRET,
        "MARKER_KEY": key_of(b"m"),
    }
    apps = [auth_app(load(AuthSettings, environment), clock=clock)]
    apps += [meeting_app(load(MeetingSettings, of_meetings)) for _ in range(REPLICAS)]
    broker, client = publishing_broker(rabbitmq_url), mongo.connect(mongodb_url)
    async with AsyncExitStack() as stack:
        for app, listener in zip(apps, sockets, strict=True):
            await stack.enter_async_context(served(app, listener))
        auth, *meetings = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False, timeout=30))
            for url in (at_auth, *at_meetings)
        ]
        for http in (auth, *meetings):
            await soon(partial(_is_ready, http))
        await connect(broker)
        databases = {name: mongo.database(client, f"{database}-{name}") for name in ("auth", "meeting")}
        clients = Clients(databases["auth"])
        yield Life(auth, meetings, zoom, clients, databases, Publisher(broker), clock)
    await broker.stop()
    client.close()


async def _is_ready(http: httpx.AsyncClient) -> bool:
    return (await http.get("/health/ready")).status_code == 200
