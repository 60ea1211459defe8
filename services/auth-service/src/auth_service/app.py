"""The composition root of auth-service: the only module that constructs clients."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
from fastapi import FastAPI

from auth_service.connecting import ConnectingZoom
from auth_service.handlers.issuing import Issuing
from auth_service.handlers.pausing import Pausing
from auth_service.handlers.relaying import Relaying
from auth_service.http.access_tokens import access_tokens_router
from auth_service.http.checkups import checkups_router
from auth_service.http.connections import connections_router
from auth_service.http.endings import endings_router
from auth_service.http.erasures import erasures_router
from auth_service.http.limits import Limits
from auth_service.http.oauth import oauth_router
from auth_service.http.pausing import pausing_router
from auth_service.http.standings import standings_router
from auth_service.http.webhooks import webhooks_router
from auth_service.leaving import LeavingZoom
from auth_service.meetings import MeetingService
from auth_service.meetings import http_client as client_of_neighbours
from auth_service.messaging import PUBLISHED, changes_of, events_of, requests_of
from auth_service.mongo import authorizations as attempts
from auth_service.mongo import choices, sealed_tokens
from auth_service.mongo.clients import Clients
from auth_service.mongo.connections import Connections
from auth_service.mongo.erasures import Erasures
from auth_service.mongo.sealed_tokens import SealedTokens
from auth_service.mongo.webhooks import Webhooks
from auth_service.previews import previews
from auth_service.privacy import Privacy
from auth_service.settings import Settings
from auth_service.signing import SigningKeys
from auth_service.using import UsingZoom
from auth_service.zoom import Zoom, http_client
from auth_service.zoom_users import ZoomUsers
from convoke import mongo
from convoke.asyncapi import asyncapi_router
from convoke.clock import Clock, utc_now
from convoke.contracts.topology import streams_of
from convoke.erasure import shares
from convoke.lifecycle import Lifecycle
from convoke.messaging import connections as rabbitmq
from convoke.messaging.broker import opened_broker
from convoke.messaging.dead_letters import store as dead_letter_store
from convoke.messaging.dead_letters.office import DeadLetterOffice
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.messaging.outbox import Outbox
from convoke.messaging.outbox_replay import OutboxReplay, Source
from convoke.rekeying import Rekeying, Sealed
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
    vault, keys = Vault(settings.encryption_keys), SigningKeys(settings.jwt_signing_keys)
    http, to_neighbours = _to_zoom_and_neighbours(settings)
    zoom = _zoom(http, settings, clock)

    clients, tokens = Clients(database, clock), SealedTokens(vault)
    connections = Connections(database, tokens, clock)
    outbox = Outbox(connections.collection, broker.publisher, events_of, clock)
    webhooks = Webhooks(database, clock)
    relays = Outbox(webhooks.collection, broker.publisher, changes_of, clock)
    meeting_service = MeetingService(to_neighbours, settings.meeting_service_url, keys)
    leaving = LeavingZoom(database, tokens, connections, outbox, zoom=zoom, meetings=meeting_service, clock=clock)
    using = UsingZoom(database, tokens, connections, outbox, zoom=zoom, zoom_users=ZoomUsers(http), clock=clock)
    connecting = ConnectingZoom(
        database, vault, connections, outbox, zoom=zoom, meetings=meeting_service, wake=using.wake, clock=clock
    )
    relaying = Relaying(
        webhooks, connections, relays, outbox, using.wake, client_id=settings.zoom_client_id, clock=clock
    )

    async def close() -> None:
        await using.refreshing.drain()
        await asyncio.gather(http.aclose(), to_neighbours.aclose())

    privacy = Privacy(database, vault, broker, leaving.disconnecting, clock)
    stores = (clients, connections, webhooks, outbox, relays, leaving.due)
    lifecycle = Lifecycle(
        client,
        broker,
        prepare=[
            *(store.create_indexes for store in stores),
            *connecting.prepare,
            *using.prepare,
            *privacy.prepare,
            partial(clients.seed, settings.service_clients),
        ],
        outboxes=[outbox, relays, privacy.outbox],
        workers=[*using.workers, connecting.worker, leaving.worker, privacy.erasing.worker],
        measures=[privacy.letters.measure],
        on_close=[close],
    )
    app = http_app("Convoke auth-service", lifecycle, answer_within=ANSWER_WITHIN)
    app.include_router(asyncapi_router("auth-service", PUBLISHED))
    verifier = keys.verifier(AUDIENCE)
    app.include_router(connections_router(connections, leaving.disconnecting, verifier))
    app.include_router(checkups_router(using.checking_up, verifier))
    app.include_router(pausing_router(Pausing(connections, outbox), connections, verifier))
    app.include_router(endings_router(connections, meeting_service, verifier))
    app.include_router(access_tokens_router(using.access_tokens, tokens, verifier))
    app.include_router(standings_router(connections, verifier))
    app.include_router(erasures_router(privacy.erasing, privacy.erasures, verifier))
    _add_open_paths(app, settings, keys, issuing=Issuing(clients, keys), connecting=connecting, relaying=relaying)
    return app


def _add_open_paths(
    app: FastAPI,
    settings: Settings,
    keys: SigningKeys,
    *,
    issuing: Issuing,
    connecting: ConnectingZoom,
    relaying: Relaying,
) -> None:
    """Add the paths where nobody has shown yet who they are: how often a client may ask is limited."""
    limits = Limits(settings)
    app.include_router(oauth_router(issuing, keys, limits.failed), **limits.each_client)
    for router in connecting.routers(settings, keys.verifier(AUDIENCE)):
        app.include_router(router, **limits.each_client)
    app.include_router(webhooks_router(relaying, settings.webhook_secrets, limits.unsigned))


def _to_zoom_and_neighbours(settings: Settings) -> tuple[httpx.AsyncClient, httpx.AsyncClient]:
    to_neighbours = client_of_neighbours(settings.meeting_service_url)
    return http_client(settings.zoom_oauth_url, settings.zoom_api_url), to_neighbours


def _zoom(http: httpx.AsyncClient, settings: Settings, clock: Clock) -> Zoom:
    return Zoom(
        http,
        oauth_url=settings.zoom_oauth_url,
        api_url=settings.zoom_api_url,
        consent_url=settings.zoom_consent_url,
        client_id=settings.zoom_client_id,
        client_secret=settings.zoom_client_secret.get_secret_value(),
        redirect_uri=settings.redirect_uri,
        clock=clock,
    )


@asynccontextmanager
async def dead_letter_office(settings: Settings) -> AsyncIterator[DeadLetterOffice]:
    """Give what a command needs to see, replay and discard dead letters."""
    async with (
        mongo.opened(settings.mongodb_url.get_secret_value(), settings.mongodb_database) as database,
        opened_broker(settings.rabbitmq_url.get_secret_value()) as broker,
    ):
        vault = Vault(settings.encryption_keys)
        letters = DeadLetters(database, vault, streams_of("auth-service"))
        yield DeadLetterOffice(letters, broker, previews(Erasures(database, vault)))


@asynccontextmanager
async def outbox_replay(settings: Settings) -> AsyncIterator[OutboxReplay]:
    """Give what a command needs to tell again what was published."""
    async with (
        mongo.opened(settings.mongodb_url.get_secret_value(), settings.mongodb_database) as database,
        opened_broker(settings.rabbitmq_url.get_secret_value()) as broker,
    ):
        vault = Vault(settings.encryption_keys)
        connections, erasures = Connections(database, SealedTokens(vault)), Erasures(database, vault)
        sources = [
            Source(connections.collection, events_of),
            Source(Webhooks(database).collection, changes_of),
            Source(erasures.collection, requests_of(erasures.person)),
        ]
        yield OutboxReplay(sources, broker)


@asynccontextmanager
async def rekeying(settings: Settings) -> AsyncIterator[Rekeying]:
    """Give what a command needs to put all stored secrets under the first key."""
    async with mongo.opened(settings.mongodb_url.get_secret_value(), settings.mongodb_database) as database:
        vault = Vault(settings.encryption_keys)
        sealed = [
            Sealed(database["connections"], sealed_tokens.secrets_of),
            Sealed(database["authorizations"], attempts.secrets_of),
            Sealed(database["choices"], choices.secrets_of),
            Sealed(database["erasures"], shares.secrets_of),
            Sealed(database["dead_letters"], dead_letter_store.secrets_of),
        ]
        yield Rekeying(database, vault, sealed)
