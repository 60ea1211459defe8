"""All that connecting takes, joined for the composition root: attempts, choices between Zoom users, and their pages."""

from collections.abc import Awaitable, Callable, Iterator, Sequence

from fastapi import APIRouter

from auth_service.handlers.choosing import LEASE, Choosing
from auth_service.handlers.connecting import Connecting
from auth_service.http.browsers import Browsers
from auth_service.http.callback import callback_router
from auth_service.http.choosing import choosing_router
from auth_service.http.connect import connect_router
from auth_service.http.pages import Pages
from auth_service.http.starting import starting_router
from auth_service.mongo.authorizations import Authorizations
from auth_service.mongo.choices import Choices
from auth_service.mongo.connections import Connections
from auth_service.mongo.organizations import Organizations
from auth_service.ports import Meetings
from auth_service.settings import Settings
from auth_service.zoom import Zoom
from convoke.clock import Clock
from convoke.due_work import DueWork, Worker
from convoke.identity import Verifier
from convoke.messaging.outbox import Outbox
from convoke.mongo import Database
from convoke.vault import Vault


class ConnectingZoom:
    """`worker` ends the choices that nobody has made."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        connections: Connections,
        outbox: Outbox,
        *,
        zoom: Zoom,
        meetings: Meetings,
        wake: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._organizations = Organizations(database)
        self._authorizations = Authorizations(database, vault, clock)
        self._choices = Choices(database, vault, clock)
        self._due = DueWork(self._choices.collection, LEASE, clock)
        self._zoom = zoom
        self._wake = wake
        self._choosing = Choosing(
            self._choices, connections, zoom, outbox, meetings, wake=self._look_at_once, clock=clock
        )
        self._connecting = Connecting(
            self._organizations,
            self._authorizations,
            connections,
            self._choosing,
            zoom=zoom,
            outbox=outbox,
            wake=wake,
        )
        self.worker = Worker(self._due, self._choosing.end, concurrency=2)

    def _look_at_once(self) -> None:
        self._wake()
        self.worker.nudge()

    @property
    def prepare(self) -> Sequence[Callable[[], Awaitable[object]]]:
        """What creates the indexes."""
        return tuple(store.create_indexes for store in (self._authorizations, self._choices, self._due))

    def routers(self, settings: Settings, verifier: Verifier) -> Iterator[APIRouter]:
        """Yield what a product's back end asks, and what an owner's browser is shown."""
        pages, browsers = Pages(settings.connect_url, settings.support_url), Browsers(settings.public_url)
        yield connect_router(self._connecting, self._organizations, verifier, settings.public_url, settings.support_url)
        yield starting_router(self._connecting, browsers, pages, self._zoom.consent_url)
        yield callback_router(self._connecting, browsers, pages)
        yield choosing_router(self._choosing, browsers, pages)
