"""The composition root: the only module that constructs clients, and nothing before it is called."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from convoke import mongo
from convoke.asyncapi import asyncapi_router
from convoke.clock import utc_now
from convoke.contracts.topology import streams_of
from convoke.due_work import DueWork, Worker
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
from notifier.handlers import Handlers
from notifier.http import deliveries_router
from notifier.mail.message import Mailroom
from notifier.messaging import PUBLISHED, subscriptions
from notifier.mongo import LEASE, Correspondences
from notifier.notifications import notifications
from notifier.previews import previews
from notifier.sending import Sender
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
    connections.subscribe(subscriptions(Handlers(store, worker.nudge)))
    dead_letters = DeadLetters(database, vault, streams_of("notifier"))
    connections.keep_dead_letters(dead_letters)
    http = httpx.AsyncClient(timeout=5, trust_env=False)
    lifecycle = Lifecycle(
        client,
        connections,
        prepare=[outbox.create_indexes, due.create_indexes, dead_letters.prepare],
        outboxes=[outbox],
        workers=[worker],
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
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    database = mongo.database(client, settings.mongodb_database)
    vault, broker = Vault(settings.encryption_keys), publishing_broker(settings.rabbitmq_url.get_secret_value())
    letters = DeadLetters(database, vault, streams_of("notifier"))
    yield DeadLetterOffice(letters, broker, previews(Correspondences(database, vault, utc_now), utc_now))
    await broker.stop()
    client.close()


@asynccontextmanager
async def outbox_replay(settings: Settings) -> AsyncIterator[OutboxReplay]:
    """Give what a command needs to tell again what was published."""
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    database = mongo.database(client, settings.mongodb_database)
    store = Correspondences(database, Vault(settings.encryption_keys), utc_now)
    mailroom = Mailroom(sender_address(settings.mail_from))
    broker = publishing_broker(settings.rabbitmq_url.get_secret_value())
    yield OutboxReplay([Source(store.collection, notifications(mailroom.message_id))], broker)
    await broker.stop()
    client.close()
