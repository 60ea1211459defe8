"""The composition root: the only module that constructs clients, and nothing before it is called."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI

from convoke import mongo, outgoing
from convoke.asyncapi import asyncapi_router
from convoke.clock import utc_now
from convoke.contracts.topology import streams_of
from convoke.due_work import DueWork, Worker
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
from convoke.rekeying import Rekeying, Sealed
from convoke.serving import http_app
from convoke.vault import Vault
from notifier.handlers import Handlers, ZoomHandlers
from notifier.http import deliveries_router
from notifier.mail.message import Mailroom
from notifier.messaging import PUBLISHED, privacy, subscriptions
from notifier.mongo import notices as mongo_notices
from notifier.mongo.affected import AffectedBookings
from notifier.mongo.correspondence import LEASE, Correspondences, secrets_of
from notifier.mongo.notices import NoticesStore
from notifier.notifications import notifications
from notifier.portions import Portions
from notifier.previews import previews
from notifier.sending import Sender
from notifier.sending_notices import NoticeSender
from notifier.settings import Settings, sender_address, smtp_server
from notifier.smtp import SmtpPost


def build_app(settings: Settings) -> FastAPI:
    """Return the notifier, ready to be served."""
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    connections = Connections(settings.rabbitmq_url.get_secret_value())
    sender_of_mails = sender_address(settings.mail_from)
    database = mongo.database(client, settings.mongodb_database)
    vault = Vault(settings.encryption_keys)
    store = Correspondences(database, vault, utc_now)
    mailroom = Mailroom(sender_of_mails)
    outbox = Outbox(store.collection, connections.publisher, notifications(mailroom.message_id))
    post = SmtpPost(smtp_server(settings.smtp_url), sender_of_mails.addr_spec, sender_of_mails.domain, utc_now)
    due = DueWork(store.collection, LEASE)
    worker = Worker(due, Sender(store, outbox, mailroom, post, utc_now).work)
    notices = NoticesStore(database, vault, utc_now)
    affected = AffectedBookings(store, notices)
    due_notices = DueWork(notices.collection, LEASE)
    notice_sender = NoticeSender(notices, affected, mailroom, post, utc_now)
    notice_worker = Worker(due_notices, notice_sender.work)
    dead_letters = DeadLetters(database, vault, streams_of("notifier"))
    portions = Portions(store, notices, dead_letters, utc_now)
    erasing = ErasureParts(Shares("notifier", database, vault), connections.publisher, portions.of)
    zoom_handlers = ZoomHandlers(notices, notice_worker.nudge)
    connections.subscribe(erasing.unless_erased(subscriptions(Handlers(store, worker.nudge), zoom_handlers)))
    retention = Retention(database, portions.expired_links, timedelta(days=settings.retain_links_days), utc_now)
    connections.subscribe([privacy(erasing.on_request())])
    connections.keep_dead_letters(dead_letters)
    http = outgoing.client(timeout=5, addresses=[settings.auth_service_url])
    lifecycle = Lifecycle(
        client,
        connections,
        prepare=[
            outbox.create_indexes,
            due.create_indexes,
            notices.create_indexes,
            affected.create_indexes,
            due_notices.create_indexes,
            dead_letters.prepare,
            portions.create_indexes,
            erasing.create_indexes,
            retention.create_indexes,
        ],
        outboxes=[outbox, erasing.outbox],
        workers=[worker, notice_worker, erasing.worker, retention.worker],
        measures=[dead_letters.measure],
        on_close=[http.aclose],
    )
    app = http_app("Convoke notifier", lifecycle)
    app.include_router(asyncapi_router("notifier", PUBLISHED))
    app.include_router(deliveries_router(store, TokenVerifier(http, settings.auth_service_url, "notifier")))
    return app


@asynccontextmanager
async def dead_letter_office(settings: Settings) -> AsyncIterator[DeadLetterOffice]:
    """Give what a command needs to see, replay and discard dead letters."""
    async with (
        mongo.opened(settings.mongodb_url.get_secret_value(), settings.mongodb_database) as database,
        opened_broker(settings.rabbitmq_url.get_secret_value()) as broker,
    ):
        vault = Vault(settings.encryption_keys)
        letters = DeadLetters(database, vault, streams_of("notifier"))
        stores = Correspondences(database, vault, utc_now), NoticesStore(database, vault, utc_now)
        of_events = previews(*stores, utc_now)
        yield DeadLetterOffice(letters, broker, previews_unless_erased(of_events, Shares("notifier", database, vault)))


@asynccontextmanager
async def outbox_replay(settings: Settings) -> AsyncIterator[OutboxReplay]:
    """Give what a command needs to tell again what was published."""
    async with (
        mongo.opened(settings.mongodb_url.get_secret_value(), settings.mongodb_database) as database,
        opened_broker(settings.rabbitmq_url.get_secret_value()) as broker,
    ):
        vault = Vault(settings.encryption_keys)
        store = Correspondences(database, vault, utc_now)
        mailroom = Mailroom(sender_address(settings.mail_from))
        own_shares = Shares("notifier", database, vault)
        sources = [
            Source(store.collection, notifications(mailroom.message_id)),
            Source(own_shares.collection, own_shares.expand),
        ]
        yield OutboxReplay(sources, broker)


@asynccontextmanager
async def rekeying(settings: Settings) -> AsyncIterator[Rekeying]:
    """Give what a command needs to put all stored secrets under the first key."""
    async with mongo.opened(settings.mongodb_url.get_secret_value(), settings.mongodb_database) as database:
        vault = Vault(settings.encryption_keys)
        sealed = [
            Sealed(database["correspondence"], secrets_of),
            Sealed(database["notices"], mongo_notices.secrets_of),
            Sealed(database["erasures"], shares.secrets_of),
            Sealed(database["dead_letters"], dead_letter_store.secrets_of),
        ]
        yield Rekeying(database, vault, sealed)
