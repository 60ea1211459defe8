"""The composition root of meeting-service: the one place that constructs its clients."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
from fastapi import FastAPI

from convoke import mongo, outgoing
from convoke.asyncapi import asyncapi_router
from convoke.clock import utc_now
from convoke.contracts import ZoomConnected, ZoomDisconnected, ZoomSettingsChanged
from convoke.contracts.topology import streams_of
from convoke.due_work import DueWork, Worker
from convoke.erasure import shares
from convoke.erasure.consuming import previews_unless_erased
from convoke.erasure.parts import ErasureParts
from convoke.erasure.retention import Retention
from convoke.erasure.shares import Shares
from convoke.identity import ServiceToken, TokenVerifier
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
from meeting_service import stored
from meeting_service.auth import ANSWERS_WITHIN, AuthService, ZoomAccessTokens, ZoomConnections
from meeting_service.domain.marker import MarkerKey
from meeting_service.endings import Endings
from meeting_service.events import expand
from meeting_service.handlers import Handlers
from meeting_service.http.audit import audit_router
from meeting_service.http.endings import endings_router
from meeting_service.http.meetings import meetings_router
from meeting_service.http.repairs import repairs_router
from meeting_service.messaging import PUBLISHED, privacy, subscriptions
from meeting_service.mongo.meetings import Meetings
from meeting_service.mongo.nudges import Nudges
from meeting_service.portions import Portions
from meeting_service.previews import previews
from meeting_service.reconcile.reconciler import Reconciler
from meeting_service.reconcile.work import LEASE
from meeting_service.repairs import Repairs
from meeting_service.scan.audit import Audit
from meeting_service.scan.scanner import LEASE as SCAN_LEASE
from meeting_service.scan.scanner import Scanner
from meeting_service.scan.scans import Scans
from meeting_service.settings import Settings
from meeting_service.zoom.breaker import BehindBreaker
from meeting_service.zoom.budget import DailyBudget, WithinBudget
from meeting_service.zoom.client import PHASES, ZoomMeetings
from meeting_service.zoom.outages import Outages
from meeting_service.zoom.pacing import Paced
from meeting_service.zoom.probe import LEASE as PROBE_LEASE
from meeting_service.zoom.probe import Prober

RECONCILED_AT_ONCE = 32
"""Up to 16 of these wait for turns at one paid Zoom account (zoom.pacing); other accounts do not wait for them."""

SCANS_LOOKED_FOR_EVERY = 10.0
"""Seconds; nobody waits for a scan."""

OUTAGES_LOOKED_FOR_EVERY = 1.0
"""Seconds; every booking waits for the end of an outage."""

ASK_AUTH_WITHIN = httpx.Timeout(ANSWERS_WITHIN, connect=2.0)


def build_app(settings: Settings) -> FastAPI:
    """Return the service, ready to be served; nothing is connected before that."""
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    database = mongo.database(client, settings.mongodb_database)
    vault = Vault(settings.encryption_keys)
    meetings, scans = Meetings(database, vault), Scans(database)
    nudges = Nudges(meetings.collection)
    connections = Connections(settings.rabbitmq_url.get_secret_value())
    marker_key = _marker_key(settings)
    outbox = Outbox(meetings.collection, connections.publisher, expand(meetings.read, marker_key))

    to_auth, to_zoom = _to_auth(settings), _to_zoom(settings)
    auth = _auth_service(to_auth, settings)
    tokens = ZoomAccessTokens(auth)
    budget = DailyBudget(database, utc_now)
    unguarded, outages = ZoomMeetings(to_zoom, check=tokens.check), Outages(database)
    zoom = BehindBreaker(Paced(WithinBudget(unguarded, budget, utc_now), utc_now), outages, utc_now)
    reconciler = Reconciler(meetings, scans, zoom, tokens, marker_key, outbox, utc_now)
    due = DueWork(meetings.collection, LEASE)
    worker = Worker(due, reconciler.reconcile, concurrency=RECONCILED_AT_ONCE)
    scanner = Scanner(scans, meetings, nudges, zoom, tokens, marker_key, utc_now)
    due_scans = DueWork(scans.collection, SCAN_LEASE)
    scanning = Worker(due_scans, scanner.scan, concurrency=2, look_every=SCANS_LOOKED_FOR_EVERY)
    due_probes = DueWork(outages.collection, PROBE_LEASE)
    prober = Prober(unguarded, outages, zoom.last_access, nudges, worker.nudge, utc_now)
    probing = Worker(due_probes, prober.probe, concurrency=1, look_every=OUTAGES_LOOKED_FOR_EVERY)
    handlers = Handlers(meetings, nudges, scans, utc_now, worker.nudge, tokens.forget, zoom.forget, tokens.end)
    dead_letters = DeadLetters(database, vault, streams_of("meeting-service"))
    portions = Portions(meetings, scans, dead_letters, utc_now)
    erasing = ErasureParts(Shares("meeting-service", database, vault), connections.publisher, portions.of)
    retention = Retention(database, portions.expired_links, timedelta(days=settings.retain_links_days), utc_now)
    connections.subscribe([*erasing.unless_erased(subscriptions(handlers)), privacy(erasing.on_request())])
    connections.keep_dead_letters(dead_letters)
    connections.subscribe_replica("meeting-service", ZoomConnected, handlers.drop_tokens)
    connections.subscribe_replica("meeting-service", ZoomDisconnected, handlers.end_use_on_zoom_disconnected)
    connections.subscribe_replica("meeting-service", ZoomSettingsChanged, handlers.drop_tokens_on_zoom_settings_changed)

    stores = (meetings, due, outbox, scans, due_scans, budget, due_probes, portions, erasing, retention)
    lifecycle = Lifecycle(
        client,
        connections,
        prepare=[*(store.create_indexes for store in stores), dead_letters.prepare],
        outboxes=[outbox, erasing.outbox],
        workers=[worker, scanning, probing, erasing.worker, retention.worker],
        measures=[dead_letters.measure],
        on_close=[to_auth.aclose, to_zoom.aclose],
    )
    app = http_app("Convoke meeting-service", lifecycle)
    verifier = TokenVerifier(to_auth, settings.auth_service_url, "meeting-service")
    connected = ZoomConnections(auth)
    for router in (
        asyncapi_router("meeting-service", PUBLISHED),
        meetings_router(meetings, verifier),
        repairs_router(Repairs(meetings, nudges, connected, marker_key, clock=utc_now, wake=worker.nudge), verifier),
        endings_router(Endings(meetings, connected, marker_key, utc_now, worker.nudge), verifier),
        audit_router(scans, verifier),
    ):
        app.include_router(router)
    return app


@asynccontextmanager
async def deciding(settings: Settings) -> AsyncIterator[Meetings]:
    """Give what a command needs to decide on a meeting; the running service acts on it."""
    async with mongo.opened(settings.mongodb_url.get_secret_value(), settings.mongodb_database) as database:
        yield Meetings(database, Vault(settings.encryption_keys))


@asynccontextmanager
async def repairing(settings: Settings) -> AsyncIterator[Repairs]:
    """Give what a command needs to plan and begin repairs; the running service carries them out."""
    async with mongo.opened(settings.mongodb_url.get_secret_value(), settings.mongodb_database) as database:
        meetings = Meetings(database, Vault(settings.encryption_keys))
        async with _to_auth(settings) as to_auth:
            connected = ZoomConnections(_auth_service(to_auth, settings))
            nudges, marker_key = Nudges(meetings.collection), _marker_key(settings)
            yield Repairs(meetings, nudges, connected, marker_key, clock=utc_now, wake=lambda: None)


@asynccontextmanager
async def auditing(settings: Settings) -> AsyncIterator[Audit]:
    """Give what a command needs to compare Zoom's lists; the running service mends what it is asked to."""
    async with mongo.opened(settings.mongodb_url.get_secret_value(), settings.mongodb_database) as database:
        meetings, scans = Meetings(database, Vault(settings.encryption_keys)), Scans(database)
        async with (
            _to_auth(settings) as to_auth,
            _to_zoom(settings) as to_zoom,
        ):
            tokens = ZoomAccessTokens(_auth_service(to_auth, settings))
            zoom, nudges = Paced(ZoomMeetings(to_zoom), utc_now), Nudges(meetings.collection)
            scanner = Scanner(scans, meetings, nudges, zoom, tokens, _marker_key(settings), utc_now)
            yield Audit(scanner, scans, meetings)


@asynccontextmanager
async def dead_letter_office(settings: Settings) -> AsyncIterator[DeadLetterOffice]:
    """Give what a command needs to see, replay and discard dead letters."""
    async with (
        mongo.opened(settings.mongodb_url.get_secret_value(), settings.mongodb_database) as database,
        opened_broker(settings.rabbitmq_url.get_secret_value()) as broker,
    ):
        vault = Vault(settings.encryption_keys)
        letters = DeadLetters(database, vault, streams_of("meeting-service"))
        of_events, own_shares = previews(Meetings(database, vault), utc_now), Shares("meeting-service", database, vault)
        yield DeadLetterOffice(letters, broker, previews_unless_erased(of_events, own_shares))


@asynccontextmanager
async def outbox_replay(settings: Settings) -> AsyncIterator[OutboxReplay]:
    """Give what a command needs to tell again what was published."""
    async with (
        mongo.opened(settings.mongodb_url.get_secret_value(), settings.mongodb_database) as database,
        opened_broker(settings.rabbitmq_url.get_secret_value()) as broker,
    ):
        vault = Vault(settings.encryption_keys)
        meetings, own_shares = Meetings(database, vault), Shares("meeting-service", database, vault)
        sources = [
            Source(meetings.collection, expand(meetings.read, _marker_key(settings))),
            Source(own_shares.collection, own_shares.expand),
        ]
        yield OutboxReplay(sources, broker)


@asynccontextmanager
async def rekeying(settings: Settings) -> AsyncIterator[Rekeying]:
    """Give what a command needs to put all stored secrets under the first key."""
    async with mongo.opened(settings.mongodb_url.get_secret_value(), settings.mongodb_database) as database:
        vault = Vault(settings.encryption_keys)
        sealed = [
            Sealed(database["meetings"], stored.secrets_of),
            Sealed(database["erasures"], shares.secrets_of),
            Sealed(database["dead_letters"], dead_letter_store.secrets_of),
        ]
        yield Rekeying(database, vault, sealed)


def _to_auth(settings: Settings) -> httpx.AsyncClient:
    return outgoing.client(timeout=ASK_AUTH_WITHIN, addresses=[settings.auth_service_url])


def _to_zoom(settings: Settings) -> httpx.AsyncClient:
    """Return a client for Zoom, whose host auth-service names for each connection as Zoom has told it."""
    return outgoing.client(timeout=PHASES, addresses=[settings.zoom_api_url], domains=["zoom.us"])


def _marker_key(settings: Settings) -> MarkerKey:
    return MarkerKey(*(key.get_secret_value() for key in settings.marker_key))


def _auth_service(http: httpx.AsyncClient, settings: Settings) -> AuthService:
    own_token = ServiceToken(
        http,
        settings.auth_service_url,
        settings.service_client_id,
        settings.service_client_secret.get_secret_value(),
        "auth-service",
    )
    return AuthService(http, settings.auth_service_url, own_token)
