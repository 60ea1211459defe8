"""The three services as their `app.py` composes them, over what is in memory; one value is one life of all of them."""

import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from typing import Any, Protocol, cast

import httpx
from faststream.rabbit import RabbitBroker
from pydantic import SecretBytes

from booking_service.addresses import Addresses
from booking_service.domain.catalog import EventType, Host
from booking_service.handlers.bookings import Bookings
from booking_service.handlers.meetings import MeetingHandlers
from booking_service.handlers.notifications import NotificationHandlers
from booking_service.handlers.zoom import ZoomHandlers
from booking_service.messaging import expander
from booking_service.messaging import subscriptions as booking_subscriptions
from booking_service.mongo.catalog import Catalog, event_type_document, event_type_of, host_document, host_of
from booking_service.mongo.sessions import Sessions
from booking_service.mongo.zoom_connections import ZoomConnections
from convoke.clock import Clock
from convoke.due_work import Claim, DueWork
from convoke.messaging.consumer import Subscription, subscribe
from convoke.messaging.outbox import Outbox
from convoke.messaging.publisher import Publisher
from convoke.mongo import Collection, Database
from convoke.rate_limits import RateLimit
from convoke.vault import Vault
from meeting_service.domain.marker import MarkerKey
from meeting_service.events import expand
from meeting_service.handlers import Handlers as MeetingServiceHandlers
from meeting_service.messaging import subscriptions as meeting_subscriptions
from meeting_service.mongo.meetings import Meetings
from meeting_service.mongo.nudges import Nudges
from meeting_service.ports import AccessTokens
from meeting_service.reconcile.reconciler import Reconciler
from meeting_service.reconcile.work import LEASE
from meeting_service.scan.scanner import LEASE as SCAN_LEASE
from meeting_service.scan.scanner import Scanner
from meeting_service.scan.scans import Scans
from meeting_service.zoom.breaker import BehindBreaker
from meeting_service.zoom.budget import DailyBudget, WithinBudget
from meeting_service.zoom.client import ZoomMeetings
from meeting_service.zoom.outages import Outages
from meeting_service.zoom.pacing import Paced
from meeting_service.zoom.probe import LEASE as PROBE_LEASE
from meeting_service.zoom.probe import Prober
from notifier.handlers import Handlers as NotifierHandlers
from notifier.handlers import ZoomHandlers as NoticeHandlers
from notifier.mail.message import Mailroom
from notifier.messaging import subscriptions as notifier_subscriptions
from notifier.mongo.correspondence import LEASE as MAIL_LEASE
from notifier.mongo.correspondence import Correspondences
from notifier.mongo.notices import NoticesStore
from notifier.notifications import notifications
from notifier.sending import Sender
from notifier.smtp import SmtpPost

MARKER_KEY = MarkerKey(b"k" * 32)
VAULT = Vault({"k1": SecretBytes(b"v" * 32)})


class _Remembering(Mailroom):
    """Renders equal mails once: thousands of runs tell the same few bookings, and a mail takes milliseconds."""

    render = functools.lru_cache(maxsize=2_000)(Mailroom.render)


MAILROOM = _Remembering(Address("Convoke", addr_spec="bookings@convoke.test"))
ADDRESSES = Addresses("https://book.test")


class Surroundings(Protocol):
    """What the services are built over: databases, a broker, and the ways to Zoom, to tokens and to a mail server."""

    def database(self, name: str) -> Database: ...
    @property
    def broker(self) -> RabbitBroker: ...
    @property
    def to_zoom(self) -> httpx.AsyncClient: ...
    @property
    def tokens(self) -> AccessTokens: ...
    @property
    def post(self) -> SmtpPost: ...
    async def pause(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class Service:
    """What runs by itself in one service."""

    collection: Collection
    outbox: Outbox
    workers: Sequence[tuple[DueWork, Callable[[Claim], Awaitable[None]]]] = ()


@dataclass(frozen=True)
class Services:
    """All of them, with what a test asks directly."""

    bookings: Bookings
    hosts: Catalog[Host]
    event_types: Catalog[EventType]
    sessions: Sessions
    meetings: Meetings
    scans: Scans
    correspondences: Correspondences
    all: Sequence[Service]
    prepare: Sequence[Callable[[], Awaitable[Any]]]

    async def work_once(self) -> bool:
        """Claim and carry out one piece of due work in each service; tell whether there was any."""
        worked = False
        for service in self.all:
            for due, work in service.workers:
                if claim := await due.claim():
                    await work(claim)
                    worked = True
            await service.outbox.drain()
        return worked

    async def sweep(self) -> int:
        """Publish what was left behind; returns for how many documents."""
        return sum([await service.outbox.sweep() for service in self.all])


def built(around: Surroundings, clock: Clock) -> Services:
    """Return the services, subscribed and not yet prepared."""
    publisher = Publisher(around.broker)

    booking = around.database("booking")
    hosts = Catalog[Host](booking["hosts"], VAULT, to_document=host_document, of_document=host_of)
    event_types = Catalog[EventType](
        booking["event_types"], VAULT, to_document=event_type_document, of_document=event_type_of
    )
    sessions = Sessions(booking["sessions"], VAULT)
    booking_outbox = Outbox(sessions.collection, publisher, expander(sessions.documents, ADDRESSES), clock)
    zoom_handlers = ZoomHandlers(ZoomConnections(booking["zoom_connections"]))
    told_of_sessions = MeetingHandlers(sessions, clock), NotificationHandlers(sessions, clock)
    _subscribed(around, booking_subscriptions(*told_of_sessions, zoom_handlers))

    meetings, scans = Meetings(around.database("meeting"), VAULT), Scans(around.database("meeting"))
    nudges = Nudges(meetings.collection)
    meeting_outbox = Outbox(meetings.collection, publisher, expand(meetings.read, MARKER_KEY), clock)
    budget = DailyBudget(around.database("meeting"), clock)
    unguarded, outages = ZoomMeetings(around.to_zoom, clock), Outages(around.database("meeting"))
    zoom = BehindBreaker(Paced(WithinBudget(unguarded, budget, clock), clock, around.pause), outages, clock)
    prober = Prober(unguarded, outages, zoom.last_access, nudges, _nobody_is_woken, clock)
    reconciler = Reconciler(meetings, scans, zoom, around.tokens, MARKER_KEY, meeting_outbox, clock)
    scanner = Scanner(scans, meetings, nudges, zoom, around.tokens, MARKER_KEY, clock)
    due_meetings = DueWork(meetings.collection, LEASE, clock)
    due_scans = DueWork(scans.collection, SCAN_LEASE, clock)
    due_probes = DueWork(outages.collection, PROBE_LEASE, clock)
    told_of_zoom = MeetingServiceHandlers(meetings, nudges, scans, clock, _nobody_is_woken, lambda _: None, zoom.forget)
    _subscribed(around, meeting_subscriptions(told_of_zoom))

    store, notifier = _notifier(around, publisher, clock)
    return Services(
        Bookings(sessions, hosts, event_types, booking_outbox, clock, invitations=RateLimit(10_000, 1.0)),
        hosts,
        event_types,
        sessions,
        meetings,
        scans,
        store,
        all=[
            Service(sessions.collection, booking_outbox),
            Service(
                meetings.collection,
                meeting_outbox,
                [(due_meetings, reconciler.reconcile), (due_scans, scanner.scan), (due_probes, prober.probe)],
            ),
            notifier,
        ],
        prepare=[
            hosts.create_indexes,
            event_types.create_indexes,
            sessions.create_indexes,
            booking_outbox.create_indexes,
            meetings.create_indexes,
            scans.create_indexes,
            budget.create_indexes,
        ],
    )


def _notifier(around: Surroundings, publisher: Publisher, clock: Clock) -> tuple[Correspondences, Service]:
    store = Correspondences(around.database("notifier"), VAULT, clock)
    outbox = Outbox(store.collection, publisher, notifications(MAILROOM.message_id), clock)
    due = DueWork(store.collection, MAIL_LEASE, clock)
    sender = Sender(store, outbox, MAILROOM, around.post, clock)
    notices = NoticeHandlers(NoticesStore(around.database("notifier"), VAULT, clock), _nobody_is_woken)
    _subscribed(around, notifier_subscriptions(NotifierHandlers(store, _nobody_is_woken), notices))
    return store, Service(store.collection, outbox, [(due, sender.work)])


def _nobody_is_woken() -> None:
    """Stand in for the wakers of workers: here these look at every turn."""


def _subscribed(around: Surroundings, subscriptions: Sequence[Subscription]) -> None:
    for subscription in subscriptions:
        subscribe(around.broker, around.broker, subscription)


def as_real(fake: object) -> Any:
    """Return a fake as what it stands in for: the stores name the classes of their libraries."""
    return cast("Any", fake)
