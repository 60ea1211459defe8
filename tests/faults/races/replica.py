"""One replica of auth-service as its `app.py` composes it, over a database in memory and gates."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from pydantic import SecretBytes

from auth_service.domain.authorizations import Authorization
from auth_service.domain.connections import Connection, Owner
from auth_service.domain.consequences import Consequences
from auth_service.handlers.access_tokens import AccessTokens
from auth_service.handlers.choosing import LEASE as CHOICE_LEASE
from auth_service.handlers.choosing import Choosing
from auth_service.handlers.connecting import Connecting
from auth_service.handlers.refreshing import LEASE, Refreshing
from auth_service.handlers.relaying import Relaying
from auth_service.leaving import LeavingZoom
from auth_service.messaging import changes_of, events_of
from auth_service.mongo.authorizations import Authorizations
from auth_service.mongo.choices import Choices
from auth_service.mongo.connections import Connections
from auth_service.mongo.organizations import Organizations
from auth_service.mongo.refreshes import Refreshes
from auth_service.mongo.sealed_tokens import SealedTokens
from auth_service.mongo.webhooks import Webhooks
from auth_service.zoom import Zoom
from convoke.clock import Clock
from convoke.due_work import DueWork
from convoke.messaging.outbox import Outbox
from convoke.messaging.publisher import Publisher
from convoke.vault import Vault
from tests.contract.zoom_sandbox.app_at_zoom import CALLBACK, CLIENT_ID, CLIENT_SECRET
from tests.faults.crashes.effects import Effects, Life
from tests.faults.crashes.memory_broker import MemoryBroker, Queues
from tests.faults.crashes.memory_collection import MemoryCollection, Stored
from tests.faults.crashes.neighbours import ZOOM
from tests.faults.races.gates import OPERATION, GatedCollection, Process

VAULT = Vault({"k1": SecretBytes(b"v" * 32)})
SEALED = SealedTokens(VAULT)
BROWSER = "browser"


class NoMeetings:
    """A meeting-service that has made none."""

    async def consequences(self, _organization_id: str, _connection_id: str) -> Consequences | None:
        return None

    async def withdraw(self, _organization_id: str, _connection_id: str) -> int | None:
        return 0


@dataclass(frozen=True)
class _Database:
    disks: defaultdict[str, Stored]
    process: Process
    life: Life

    def __getitem__(self, name: str) -> Any:
        return GatedCollection(MemoryCollection(name, self.disks[name], self.life), self.process)


class _GatedBroker(MemoryBroker):
    process: Process

    async def publish(self, *message: Any, **properties: Any) -> None:
        await self.process.wait("publish")
        await super().publish(*message, **properties)


class Replica:
    """What somebody may want of it, each from a request until its answer."""

    def __init__(
        self,
        disks: defaultdict[str, Stored],
        queues: Queues,
        to_zoom: httpx.AsyncBaseTransport,
        process: Process,
        clock: Clock,
    ) -> None:
        self.process = process
        self.http = httpx.AsyncClient(transport=to_zoom)
        life = Life(Effects(is_counting=False))
        database: Any = _Database(disks, process, life)
        broker: Any = _GatedBroker(queues, life)
        broker.process = process
        zoom = Zoom(
            self.http,
            oauth_url=ZOOM,
            api_url=ZOOM,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            redirect_uri=CALLBACK,
            clock=clock,
        )
        self.connections = Connections(database, SEALED, clock)
        refreshes = Refreshes(database, SEALED, clock)
        self.outbox = Outbox(self.connections.collection, Publisher(broker), events_of, clock)
        self.due = DueWork(self.connections.collection, LEASE, clock)
        self.refreshing = Refreshing(refreshes, self.connections, SEALED, zoom, self.outbox)
        self.leaving = LeavingZoom(
            database, SEALED, self.connections, self.outbox, zoom=zoom, meetings=NoMeetings(), clock=clock
        )
        self.webhooks = Webhooks(database, clock)
        self.relaying = Relaying(
            self.webhooks,
            self.connections,
            Outbox(self.webhooks.collection, Publisher(broker), changes_of, clock),
            self.outbox,
            lambda: None,
            client_id=CLIENT_ID,
            clock=clock,
        )
        self.choices = Choices(database, VAULT, clock)
        self.choosing = Choosing(
            self.choices, self.connections, zoom, self.outbox, NoMeetings(), wake=lambda: None, clock=clock
        )
        self.ending_choices = DueWork(self.choices.collection, CHOICE_LEASE, clock)
        self.connecting = Connecting(
            Organizations(database),
            Authorizations(database, VAULT, clock),
            self.connections,
            self.choosing,
            zoom=zoom,
            outbox=self.outbox,
            wake=lambda: None,
        )
        self.access_tokens = AccessTokens(self.connections, refreshes, SEALED, lambda: None, clock)

    async def start(self) -> None:
        for store in (self.connections, self.choices, self.webhooks, self.outbox, self.due):
            await store.create_indexes()

    async def come_back(self, organization_id: str, code: str, came_back_at: datetime) -> None:
        """Connect as the Zoom user who consented; the owner accepts another one than before."""
        attempt = Authorization(Owner(organization_id), "client", came_back_at=came_back_at)
        finished = await self.connecting.finish(attempt, code, BROWSER)
        while isinstance(finished, str):
            finished = await self.choosing.accept(await self.choosing.find(finished, BROWSER), BROWSER)

    async def disconnect(self, organization_id: str) -> None:
        connection = await self.connections.owned_by(Owner(organization_id))
        if connection:
            await self.leaving.disconnecting.disconnect(organization_id, connection.id, "client")

    async def leave_with_meetings(self, organization_id: str) -> None:
        connection = await self.connections.owned_by(Owner(organization_id))
        if connection:
            await self.leaving.disconnecting.delete_meetings_first(organization_id, connection.id, "client")

    async def hear_of_removal(self, zoom_user_id: str, at: datetime) -> None:
        """Take Zoom's webhook, whose signature was checked."""
        payload = {"client_id": CLIENT_ID, "user_id": zoom_user_id, "deauthorization_time": at.isoformat()}
        await self.relaying.relay({"event": "app_deauthorized", "event_ts": at.timestamp(), "payload": payload})

    async def work(self) -> None:
        """Claim what is due, as the workers do each second."""
        if claim := await self.due.claim():
            OPERATION.get().owner = claim.document["organization_id"]
            await self.refreshing.refresh(claim)
        if ended := await self.leaving.due.claim():
            OPERATION.get().what = "revoke"
            await self.leaving.ends.go_on(ended)
        if choice := await self.ending_choices.claim():
            await self.choosing.end(choice)

    async def token(self, organization_id: str, rejected: str | None) -> tuple[Connection, str]:
        """Return the organization's connection and its token, as meeting-service gets them."""
        connection = await self.access_tokens.to_make_meetings(organization_id, None, rejected)
        return connection, SEALED.access_token(connection)
