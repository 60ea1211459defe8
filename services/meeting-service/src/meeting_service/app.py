"""The composition root of meeting-service: the one place that constructs its clients."""

import httpx
from fastapi import FastAPI

from convoke import mongo
from convoke.asyncapi import asyncapi_router
from convoke.clock import utc_now
from convoke.due_work import DueWork, Worker
from convoke.identity import ServiceToken, TokenVerifier
from convoke.lifecycle import Lifecycle
from convoke.messaging.connections import Connections
from convoke.messaging.outbox import Outbox
from convoke.serving import http_app
from convoke.vault import Vault
from meeting_service.auth import ANSWERS_WITHIN, ZoomAccessTokens
from meeting_service.domain.marker import MarkerKey
from meeting_service.events import expand
from meeting_service.handlers import Handlers
from meeting_service.http import router
from meeting_service.messaging import PUBLISHED, subscriptions
from meeting_service.mongo import Meetings
from meeting_service.reconcile import LEASE, Reconciler
from meeting_service.settings import Settings
from meeting_service.zoom.client import PHASES, ZoomMeetings

ASK_AUTH_WITHIN = httpx.Timeout(ANSWERS_WITHIN, connect=2.0)


def build_app(settings: Settings) -> FastAPI:
    """Return the service, ready to be served; nothing is connected before that."""
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    meetings = Meetings(mongo.database(client, settings.mongodb_database), Vault(settings.encryption_keys))
    connections = Connections(settings.rabbitmq_url.get_secret_value())
    marker_key = MarkerKey(*(key.get_secret_value() for key in settings.marker_key))
    outbox = Outbox(meetings.collection, connections.publisher, expand(meetings.read, marker_key))

    # Tokens go where the settings say, whatever proxies the environment names.
    to_auth = httpx.AsyncClient(timeout=ASK_AUTH_WITHIN, trust_env=False)
    to_zoom = httpx.AsyncClient(timeout=PHASES, trust_env=False)
    tokens = _access_tokens(to_auth, settings)
    reconciler = Reconciler(meetings, ZoomMeetings(to_zoom), tokens, marker_key, outbox, utc_now)
    due = DueWork(meetings.collection, LEASE)
    worker = Worker(due, reconciler.reconcile)
    connections.subscribe(subscriptions(Handlers(meetings, utc_now, worker.nudge, tokens.forget)))

    lifecycle = Lifecycle(
        client,
        connections,
        prepare=[meetings.create_indexes, due.create_indexes, outbox.create_indexes],
        outboxes=[outbox],
        workers=[worker],
        on_close=[to_auth.aclose, to_zoom.aclose],
    )
    app = http_app("Convoke meeting-service", lifecycle)
    app.include_router(asyncapi_router("meeting-service", PUBLISHED))
    app.include_router(router(meetings, TokenVerifier(to_auth, settings.auth_service_url, "meeting-service")))
    return app


def _access_tokens(http: httpx.AsyncClient, settings: Settings) -> ZoomAccessTokens:
    own_token = ServiceToken(
        http,
        settings.auth_service_url,
        settings.service_client_id,
        settings.service_client_secret.get_secret_value(),
        "auth-service",
    )
    return ZoomAccessTokens(http, settings.auth_service_url, own_token)
