"""The composition root: the only place where the parts of booking-service are made and joined."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from booking_service.addresses import Addresses
from booking_service.domain.catalog import EventType, Host
from booking_service.handlers.bookings import Bookings
from booking_service.handlers.meetings import MeetingHandlers
from booking_service.handlers.notifications import NotificationHandlers
from booking_service.http.bookings import bookings_router
from booking_service.http.catalog import event_types_router, hosts_router
from booking_service.http.pages import pages_router
from booking_service.http.refusals import answer_refusals
from booking_service.http.tenants import Tenants
from booking_service.messaging import PUBLISHED, expander, subscriptions
from booking_service.mongo.catalog import Catalog, event_type_document, event_type_of, host_document, host_of
from booking_service.mongo.chores import Forgetting
from booking_service.mongo.sessions import Sessions
from booking_service.previews import previews
from booking_service.settings import Settings
from convoke import mongo
from convoke.asyncapi import asyncapi_router
from convoke.clock import Clock, utc_now
from convoke.contracts.topology import streams_of
from convoke.identity import TokenVerifier
from convoke.lifecycle import Lifecycle
from convoke.messaging.broker import publishing_broker
from convoke.messaging.connections import Connections
from convoke.messaging.dead_letters.office import DeadLetterOffice
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.messaging.outbox import Outbox
from convoke.messaging.outbox_replay import OutboxReplay, Source
from convoke.serving import http_app
from convoke.vault import Vault

AUDIENCE = "booking-service"


def build_app(settings: Settings, clock: Clock = utc_now) -> FastAPI:
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    database = mongo.database(client, settings.mongodb_database)
    connections = Connections(settings.rabbitmq_url.get_secret_value())
    auth_service = httpx.AsyncClient(timeout=5.0, trust_env=False)
    vault = Vault(settings.encryption_keys)
    addresses = Addresses(settings.public_url.rstrip("/"))

    hosts = Catalog[Host](database["hosts"], vault, to_document=host_document, of_document=host_of)
    event_types = Catalog[EventType](
        database["event_types"], vault, to_document=event_type_document, of_document=event_type_of
    )
    sessions = Sessions(database["sessions"], vault)
    outbox = Outbox(sessions.collection, connections.publisher, expander(sessions.documents, addresses), clock)
    forgetting = Forgetting(database["chores"], (hosts.answers, event_types.answers, sessions.answers), clock)
    dead_letters = DeadLetters(database, vault, streams_of("booking-service"), clock)
    connections.subscribe(subscriptions(MeetingHandlers(sessions, clock), NotificationHandlers(sessions, clock)))
    connections.keep_dead_letters(dead_letters)

    lifecycle = Lifecycle(
        client,
        connections,
        prepare=[
            hosts.create_indexes,
            event_types.create_indexes,
            sessions.create_indexes,
            outbox.create_indexes,
            forgetting.prepare,
            dead_letters.prepare,
        ],
        outboxes=[outbox],
        workers=[forgetting.worker],
        measures=[dead_letters.measure],
        on_close=[auth_service.aclose],
    )
    tenants = Tenants(TokenVerifier(auth_service, settings.auth_service_url, AUDIENCE))
    bookings = Bookings(sessions, hosts, event_types, outbox, clock)

    app = http_app("Convoke booking-service", lifecycle)
    app.include_router(asyncapi_router("booking-service", PUBLISHED))
    answer_refusals(app)
    app.include_router(hosts_router(hosts, tenants, clock))
    app.include_router(event_types_router(event_types, tenants, clock))
    app.include_router(bookings_router(bookings, sessions, addresses, tenants))
    app.include_router(pages_router(sessions))
    return app


@asynccontextmanager
async def dead_letter_office(settings: Settings) -> AsyncIterator[DeadLetterOffice]:
    """Give what a command needs to see, replay and discard dead letters."""
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    database = mongo.database(client, settings.mongodb_database)
    vault, broker = Vault(settings.encryption_keys), publishing_broker(settings.rabbitmq_url.get_secret_value())
    letters = DeadLetters(database, vault, streams_of("booking-service"))
    yield DeadLetterOffice(letters, broker, previews(Sessions(database["sessions"], vault)))
    await broker.stop()
    client.close()


@asynccontextmanager
async def outbox_replay(settings: Settings) -> AsyncIterator[OutboxReplay]:
    """Give what a command needs to tell again what was published."""
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    database = mongo.database(client, settings.mongodb_database)
    sessions = Sessions(database["sessions"], Vault(settings.encryption_keys))
    addresses = Addresses(settings.public_url.rstrip("/"))
    broker = publishing_broker(settings.rabbitmq_url.get_secret_value())
    yield OutboxReplay([Source(sessions.collection, expander(sessions.documents, addresses))], broker)
    await broker.stop()
    client.close()
