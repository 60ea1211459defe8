"""The composition root of meeting-service: the one place that constructs its clients."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from convoke import mongo
from convoke.asyncapi import asyncapi_router
from convoke.clock import utc_now
from convoke.contracts import ZoomDisconnected
from convoke.contracts.topology import streams_of
from convoke.due_work import DueWork, Worker
from convoke.identity import ServiceToken, TokenVerifier
from convoke.lifecycle import Lifecycle
from convoke.messaging.broker import publishing_broker
from convoke.messaging.connections import Connections
from convoke.messaging.dead_letters.office import DeadLetterOffice
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.messaging.outbox import Outbox
from convoke.messaging.outbox_replay import OutboxReplay, Source
from convoke.serving import http_app
from convoke.vault import Vault
from meeting_service.auth import ANSWERS_WITHIN, AuthService, ZoomAccessTokens, ZoomConnections
from meeting_service.domain.marker import MarkerKey
from meeting_service.events import expand
from meeting_service.handlers import Handlers
from meeting_service.http.audit import audit_router
from meeting_service.http.meetings import meetings_router
from meeting_service.http.repairs import repairs_router
from meeting_service.messaging import PUBLISHED, subscriptions
from meeting_service.mongo import Meetings
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

ASK_AUTH_WITHIN = httpx.Timeout(ANSWERS_WITHIN, connect=2.0)


def build_app(settings: Settings) -> FastAPI:
    """Return the service, ready to be served; nothing is connected before that."""
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    database = mongo.database(client, settings.mongodb_database)
    vault = Vault(settings.encryption_keys)
    meetings, scans = Meetings(database, vault), Scans(database)
    connections = Connections(settings.rabbitmq_url.get_secret_value())
    marker_key = _marker_key(settings)
    outbox = Outbox(meetings.collection, connections.publisher, expand(meetings.read, marker_key))

    # Tokens go where the settings say, whatever proxies the environment names.
    to_auth = httpx.AsyncClient(timeout=ASK_AUTH_WITHIN, trust_env=False)
    to_zoom = httpx.AsyncClient(timeout=PHASES, trust_env=False)
    auth = _auth_service(to_auth, settings)
    tokens = ZoomAccessTokens(auth)
    budget = DailyBudget(database, utc_now)
    unguarded, outages = ZoomMeetings(to_zoom), Outages(database)
    zoom = BehindBreaker(Paced(WithinBudget(unguarded, budget, utc_now), utc_now), outages, utc_now)
    reconciler = Reconciler(meetings, scans, zoom, tokens, marker_key, outbox, utc_now)
    due = DueWork(meetings.collection, LEASE)
    worker = Worker(due, reconciler.reconcile, concurrency=RECONCILED_AT_ONCE)
    scanner = Scanner(scans, meetings, zoom, tokens, marker_key, utc_now)
    due_scans = DueWork(scans.collection, SCAN_LEASE)
    scanning = Worker(due_scans, scanner.scan, concurrency=2, look_every=SCANS_LOOKED_FOR_EVERY)
    due_probes = DueWork(outages.collection, PROBE_LEASE)
    prober = Prober(unguarded, outages, zoom.last_access, meetings, utc_now)
    probing = Worker(due_probes, prober.probe, concurrency=1)
    handlers = Handlers(meetings, scans, utc_now, worker.nudge, tokens.forget, zoom.forget)
    connections.subscribe(subscriptions(handlers))
    dead_letters = DeadLetters(database, vault, streams_of("meeting-service"))
    connections.keep_dead_letters(dead_letters)
    connections.subscribe_replica("meeting-service", ZoomDisconnected, handlers.drop_tokens_on_zoom_disconnected)

    lifecycle = Lifecycle(
        client,
        connections,
        prepare=[
            meetings.create_indexes,
            due.create_indexes,
            outbox.create_indexes,
            scans.create_indexes,
            due_scans.create_indexes,
            budget.create_indexes,
            due_probes.create_indexes,
            dead_letters.prepare,
        ],
        outboxes=[outbox],
        workers=[worker, scanning, probing],
        measures=[dead_letters.measure],
        on_close=[to_auth.aclose, to_zoom.aclose],
    )
    app = http_app("Convoke meeting-service", lifecycle)
    app.include_router(asyncapi_router("meeting-service", PUBLISHED))
    verifier = TokenVerifier(to_auth, settings.auth_service_url, "meeting-service")
    app.include_router(meetings_router(meetings, verifier))
    repairs = Repairs(meetings, ZoomConnections(auth), marker_key, utc_now, worker.nudge)
    app.include_router(repairs_router(repairs, verifier))
    app.include_router(audit_router(scans, verifier))
    return app


@asynccontextmanager
async def deciding(settings: Settings) -> AsyncIterator[Meetings]:
    """Give what a command needs to decide on a meeting; the running service acts on it."""
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    yield Meetings(mongo.database(client, settings.mongodb_database), Vault(settings.encryption_keys))
    client.close()


@asynccontextmanager
async def repairing(settings: Settings) -> AsyncIterator[Repairs]:
    """Give what a command needs to plan and begin repairs; the running service carries them out."""
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    meetings = Meetings(mongo.database(client, settings.mongodb_database), Vault(settings.encryption_keys))
    async with httpx.AsyncClient(timeout=ASK_AUTH_WITHIN, trust_env=False) as to_auth:
        connected = ZoomConnections(_auth_service(to_auth, settings))
        yield Repairs(meetings, connected, _marker_key(settings), utc_now, wake=lambda: None)
    client.close()


@asynccontextmanager
async def auditing(settings: Settings) -> AsyncIterator[Audit]:
    """Give what a command needs to compare Zoom's lists; the running service mends what it is asked to."""
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    database = mongo.database(client, settings.mongodb_database)
    meetings, scans = Meetings(database, Vault(settings.encryption_keys)), Scans(database)
    async with (
        httpx.AsyncClient(timeout=ASK_AUTH_WITHIN, trust_env=False) as to_auth,
        httpx.AsyncClient(timeout=PHASES, trust_env=False) as to_zoom,
    ):
        tokens = ZoomAccessTokens(_auth_service(to_auth, settings))
        scanner = Scanner(
            scans, meetings, Paced(ZoomMeetings(to_zoom), utc_now), tokens, _marker_key(settings), utc_now
        )
        yield Audit(scanner, scans, meetings)
    client.close()


@asynccontextmanager
async def dead_letter_office(settings: Settings) -> AsyncIterator[DeadLetterOffice]:
    """Give what a command needs to see, replay and discard dead letters."""
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    database = mongo.database(client, settings.mongodb_database)
    vault, broker = Vault(settings.encryption_keys), publishing_broker(settings.rabbitmq_url.get_secret_value())
    letters = DeadLetters(database, vault, streams_of("meeting-service"))
    yield DeadLetterOffice(letters, broker, previews(Meetings(database, vault), utc_now))
    await broker.stop()
    client.close()


@asynccontextmanager
async def outbox_replay(settings: Settings) -> AsyncIterator[OutboxReplay]:
    """Give what a command needs to tell again what was published."""
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    meetings = Meetings(mongo.database(client, settings.mongodb_database), Vault(settings.encryption_keys))
    broker = publishing_broker(settings.rabbitmq_url.get_secret_value())
    yield OutboxReplay([Source(meetings.collection, expand(meetings.read, _marker_key(settings)))], broker)
    await broker.stop()
    client.close()


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
