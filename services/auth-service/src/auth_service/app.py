"""The composition root of auth-service: the only module that constructs clients."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from auth_service.handlers.access_tokens import AccessTokens
from auth_service.handlers.connecting import Connecting
from auth_service.handlers.disconnecting import Disconnecting
from auth_service.handlers.issuing import Issuing
from auth_service.handlers.refreshing import LEASE, Refreshing
from auth_service.handlers.relaying import Relaying
from auth_service.http.access_tokens import access_tokens_router
from auth_service.http.connect import connect_router
from auth_service.http.connections import connections_router
from auth_service.http.oauth import oauth_router
from auth_service.http.standings import standings_router
from auth_service.http.webhooks import webhooks_router
from auth_service.messaging import PUBLISHED, changes_of, events_of
from auth_service.mongo.authorizations import Authorizations
from auth_service.mongo.clients import Clients
from auth_service.mongo.connections import Connections
from auth_service.mongo.webhooks import Webhooks
from auth_service.settings import Settings
from auth_service.signing import SigningKeys
from auth_service.zoom import Zoom, http_client
from convoke import mongo
from convoke.asyncapi import asyncapi_router
from convoke.clock import Clock, utc_now
from convoke.due_work import DueWork, Worker
from convoke.lifecycle import Lifecycle
from convoke.messaging import connections as rabbitmq
from convoke.messaging.broker import publishing_broker
from convoke.messaging.outbox import Outbox
from convoke.messaging.outbox_replay import OutboxReplay, Source
from convoke.serving import http_app
from convoke.vault import Vault

AUDIENCE = "auth-service"
ANSWER_WITHIN = 60.0
"""Seconds: connecting takes two calls to Zoom, and whoever cuts it short loses a code that works once."""


def build_app(settings: Settings, *, clock: Clock = utc_now) -> FastAPI:
    """Return the whole service; nothing is connected before its lifespan begins."""
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    database = mongo.database(client, settings.mongodb_database)
    broker = rabbitmq.Connections(settings.rabbitmq_url.get_secret_value())
    vault = Vault(settings.encryption_keys)
    keys = SigningKeys(settings.jwt_signing_keys)
    http = http_client()
    zoom = Zoom(
        http,
        oauth_url=settings.zoom_oauth_url,
        api_url=settings.zoom_api_url,
        consent_url=settings.zoom_consent_url,
        client_id=settings.zoom_client_id,
        client_secret=settings.zoom_client_secret.get_secret_value(),
        redirect_uri=settings.redirect_uri,
        clock=clock,
    )

    clients = Clients(database, clock)
    authorizations = Authorizations(database, vault, clock)
    connections = Connections(database, vault, clock)
    outbox = Outbox(connections.collection, broker.publisher, events_of, clock)
    due = DueWork(connections.collection, LEASE, clock)
    refreshing = Refreshing(connections, zoom, outbox)
    webhooks = Webhooks(database, clock)
    relays = Outbox(webhooks.collection, broker.publisher, changes_of, clock)
    disconnecting = Disconnecting(connections, zoom, outbox)
    worker = Worker(due, refreshing.refresh)
    access_tokens = AccessTokens(connections, worker.nudge, clock)

    async def close() -> None:
        await asyncio.gather(refreshing.drain(), disconnecting.drain())
        await http.aclose()

    stores = (clients, authorizations, connections, webhooks, outbox, relays, due)
    lifecycle = Lifecycle(
        client,
        broker,
        prepare=[*(store.create_indexes for store in stores), partial(clients.seed, settings.service_clients)],
        outboxes=[outbox, relays],
        workers=[worker],
        on_close=[close],
    )
    app = http_app("Convoke auth-service", lifecycle, answer_within=ANSWER_WITHIN)
    app.include_router(asyncapi_router("auth-service", PUBLISHED))
    verifier = keys.verifier(AUDIENCE)
    app.include_router(oauth_router(Issuing(clients, keys), keys))
    app.include_router(connect_router(Connecting(authorizations, connections, zoom, outbox), verifier))
    app.include_router(connections_router(connections, disconnecting, verifier))
    app.include_router(access_tokens_router(access_tokens, connections, verifier))
    app.include_router(standings_router(connections, verifier))
    secrets = [secret.get_secret_value() for secret in settings.zoom_webhook_secret_token]
    app.include_router(webhooks_router(Relaying(webhooks, connections, relays), secrets))
    return app


@asynccontextmanager
async def outbox_replay(settings: Settings) -> AsyncIterator[OutboxReplay]:
    """Give what a command needs to tell again what was published."""
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    database = mongo.database(client, settings.mongodb_database)
    connections = Connections(database, Vault(settings.encryption_keys))
    broker = publishing_broker(settings.rabbitmq_url.get_secret_value())
    sources = [Source(connections.collection, events_of), Source(Webhooks(database).collection, changes_of)]
    yield OutboxReplay(sources, broker)
    await broker.stop()
    client.close()
