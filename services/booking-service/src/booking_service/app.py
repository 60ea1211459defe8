"""The composition root: the only place where the parts of booking-service are made and joined."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI

from booking_service.addresses import Addresses
from booking_service.domain.catalog import EventType, Host
from booking_service.export import Export
from booking_service.handlers.bookings import Bookings
from booking_service.handlers.event_types import EventTypes
from booking_service.handlers.meetings import MeetingHandlers
from booking_service.handlers.notifications import NotificationHandlers
from booking_service.handlers.zoom import ZoomHandlers
from booking_service.http.bookings import bookings_router
from booking_service.http.catalog import event_types_router, hosts_router
from booking_service.http.pages import pages_router
from booking_service.http.refusals import answer_refusals
from booking_service.http.tenants import Tenants
from booking_service.messaging import PUBLISHED, expander, privacy, subscriptions
from booking_service.mongo import answers, session_documents
from booking_service.mongo.catalog import Catalog, event_type_document, event_type_of, host_document, host_of
from booking_service.mongo.chores import Forgetting
from booking_service.mongo.portions import Portions
from booking_service.mongo.sessions import Sessions
from booking_service.mongo.zoom_connections import ZoomConnections
from booking_service.previews import previews
from booking_service.settings import Settings
from convoke import mongo, outgoing
from convoke.asyncapi import asyncapi_router
from convoke.clock import Clock, utc_now
from convoke.contracts.topology import streams_of
from convoke.erasure import shares
from convoke.erasure.consuming import previews_unless_erased
from convoke.erasure.parts import ErasureParts
from convoke.erasure.retention import Retention
from convoke.erasure.shares import Shares
from convoke.identity import TokenVerifier
from convoke.lifecycle import Lifecycle
from convoke.messaging.broker import opened_broker
from convoke.messaging.connections import Connections
from convoke.messaging.dead_letters import store as dead_letter_store
from convoke.messaging.dead_letters.office import DeadLetterOffice
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.messaging.outbox import Outbox
from convoke.messaging.outbox_replay import OutboxReplay, Source
from convoke.rate_limits import RateLimit, for_each_client
from convoke.rekeying import Rekeying, Sealed
from convoke.serving import http_app
from convoke.vault import Vault

AUDIENCE = "booking-service"
HOUR = 3_600.0


def build_app(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    database = mongo.database(client, settings.mongodb_database)
    connections = Connections(settings.rabbitmq_url.get_secret_value())
    auth_service = outgoing.client(timeout=5.0, addresses=[settings.auth_service_url])
    vault = Vault(settings.encryption_keys)
    addresses = Addresses(settings.public_url.rstrip("/"))

    hosts = Catalog[Host](database["hosts"], vault, to_document=host_document, of_document=host_of)
    event_types = Catalog[EventType](
        database["event_types"], vault, to_document=event_type_document, of_document=event_type_of
    )
    sessions = Sessions(database["sessions"], vault)
    zoom_connections = ZoomConnections(database["zoom_connections"])
    outbox = Outbox(sessions.collection, connections.publisher, expander(sessions.documents, addresses), clock)
    forgetting = Forgetting(database["chores"], (hosts.answers, event_types.answers, sessions.answers), clock)
    dead_letters = DeadLetters(database, vault, streams_of("booking-service"), clock)
    meeting_handlers, notification_handlers = MeetingHandlers(sessions, clock), NotificationHandlers(sessions, clock)
    portions = Portions(database, vault, dead_letters, clock)
    erasing = ErasureParts(Shares("booking-service", database, vault, clock), connections.publisher, portions.of, clock)
    listening = subscriptions(meeting_handlers, notification_handlers, ZoomHandlers(zoom_connections))
    keep_links_for = timedelta(days=settings.retain_links_days)
    retention = Retention(database, portions.expired_links, keep_links_for, clock)
    connections.subscribe([*erasing.unless_erased(listening), privacy(erasing.on_request())])
    connections.keep_dead_letters(dead_letters)

    lifecycle = Lifecycle(
        client,
        connections,
        prepare=[
            hosts.create_indexes,
            event_types.create_indexes,
            sessions.create_indexes,
            zoom_connections.create_indexes,
            outbox.create_indexes,
            forgetting.prepare,
            dead_letters.prepare,
            portions.create_indexes,
            erasing.create_indexes,
            retention.create_indexes,
        ],
        outboxes=[outbox, erasing.outbox],
        workers=[forgetting.worker, erasing.worker, retention.worker],
        measures=[dead_letters.measure],
        on_close=[auth_service.aclose],
    )
    tenants = Tenants(TokenVerifier(auth_service, settings.auth_service_url, AUDIENCE))
    invitations = RateLimit(settings.invitations_per_hour, HOUR)
    bookings = Bookings(sessions, hosts, event_types, outbox, clock, invitations=invitations)

    app = http_app("Convoke booking-service", lifecycle)
    app.include_router(asyncapi_router("booking-service", PUBLISHED))
    answer_refusals(app)
    app.include_router(hosts_router(hosts, tenants, clock))
    app.include_router(event_types_router(EventTypes(event_types, hosts, zoom_connections, clock), tenants))
    app.include_router(bookings_router(bookings, sessions, addresses, tenants))
    app.include_router(pages_router(sessions), **for_each_client(settings.requests_per_minute))
    return app


@asynccontextmanager
async def dead_letter_office(settings: Settings) -> AsyncIterator[DeadLetterOffice]:
    """Give what a command needs to see, replay and discard dead letters."""
    async with (
        mongo.opened(settings.mongodb_url.get_secret_value(), settings.mongodb_database) as database,
        opened_broker(settings.rabbitmq_url.get_secret_value()) as broker,
    ):
        vault = Vault(settings.encryption_keys)
        letters, sessions = (
            DeadLetters(database, vault, streams_of("booking-service")),
            Sessions(database["sessions"], vault),
        )
        of_events = previews(sessions, ZoomConnections(database["zoom_connections"]))
        own_shares = Shares("booking-service", database, vault)
        yield DeadLetterOffice(letters, broker, previews_unless_erased(of_events, own_shares))


@asynccontextmanager
async def outbox_replay(settings: Settings) -> AsyncIterator[OutboxReplay]:
    """Give what a command needs to tell again what was published."""
    async with (
        mongo.opened(settings.mongodb_url.get_secret_value(), settings.mongodb_database) as database,
        opened_broker(settings.rabbitmq_url.get_secret_value()) as broker,
    ):
        vault = Vault(settings.encryption_keys)
        sessions, own_shares = Sessions(database["sessions"], vault), Shares("booking-service", database, vault)
        addresses = Addresses(settings.public_url.rstrip("/"))
        sources = [
            Source(sessions.collection, expander(sessions.documents, addresses)),
            Source(own_shares.collection, own_shares.expand),
        ]
        yield OutboxReplay(sources, broker)


@asynccontextmanager
async def exporting(settings: Settings) -> AsyncIterator[Export]:
    """Give what a command needs to hand out what is stored of somebody."""
    async with mongo.opened(settings.mongodb_url.get_secret_value(), settings.mongodb_database) as database:
        yield Export(database, Vault(settings.encryption_keys))


@asynccontextmanager
async def rekeying(settings: Settings) -> AsyncIterator[Rekeying]:
    """Give what a command needs to put all stored secrets under the first key."""
    async with mongo.opened(settings.mongodb_url.get_secret_value(), settings.mongodb_database) as database:
        vault = Vault(settings.encryption_keys)
        sealed = [
            Sealed(database["hosts"], answers.secrets_of),
            Sealed(database["event_types"], answers.secrets_of),
            Sealed(database["sessions"], session_documents.secrets_of),
            Sealed(database["erasures"], shares.secrets_of),
            Sealed(database["dead_letters"], dead_letter_store.secrets_of),
        ]
        yield Rekeying(database, vault, sealed)
