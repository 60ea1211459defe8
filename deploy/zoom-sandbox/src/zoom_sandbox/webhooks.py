"""Zoom's webhooks: signing, delivering, trying again, and delivering twice or out of order on demand.

Zoom: Using webhooks (signature, URL validation, retries).
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
from pydantic import SecretStr

from zoom_sandbox.answers import Json
from zoom_sandbox.background import Background
from zoom_sandbox.clock import SandboxClock

ANSWER_WITHIN_SECONDS = 3
WAITS_SECONDS = (0, 5 * 60, 20 * 60, 60 * 60)  # each after the attempt before it


@dataclass(frozen=True)
class Subscription:
    id: str
    url: str
    events: tuple[str, ...] | None

    def wants(self, event: str) -> bool:
        return self.events is None or event in self.events


@dataclass
class Delivery:
    """One event for one subscriber, with the status of each attempt (null: no answer in time)."""

    id: str
    url: str
    event: str
    body: bytes
    held: bool
    attempts: list[int | None] = field(default_factory=list)

    def as_json(self) -> Json:
        return vars(self) | {"body": json.loads(self.body)}


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Sign the raw bytes: `v0=` + HMAC-SHA256 over `v0:{timestamp}:{body}`."""
    message = f"v0:{timestamp}:".encode() + body
    return "v0=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


class Webhooks:
    """Sends events to the subscribed addresses."""

    def __init__(self, clock: SandboxClock, background: Background, http: httpx.AsyncClient, secret: SecretStr) -> None:
        self._clock, self._background, self._http = clock, background, http
        self._secret = secret.get_secret_value()
        self.subscriptions: dict[str, Subscription] = {}
        self.deliveries: dict[str, Delivery] = {}

    def subscribe(self, url: str, events: Sequence[str] | None) -> Subscription:
        subscription = Subscription(secrets.token_hex(4), url, None if events is None else tuple(events))
        self.subscriptions[subscription.id] = subscription
        return subscription

    def emit(self, event: str, message: Json, *, held: bool) -> None:
        """Send an event to whoever wants it, now or when it is released."""
        body = json.dumps({"event": event, **message}, separators=(",", ":"), ensure_ascii=False).encode()
        for subscription in self.subscriptions.values():
            if not subscription.wants(event):
                continue
            delivery = Delivery(secrets.token_hex(4), subscription.url, event, body, held)
            self.deliveries[delivery.id] = delivery
            if not held:
                self._background.start(self._deliver(delivery))

    async def release(self, *, reverse: bool) -> int:
        """Send the held events one after the other, the latest first if reversed."""
        held = [each for each in self.deliveries.values() if each.held]
        for delivery in reversed(held) if reverse else held:
            delivery.held = False
            await self._attempt(delivery)
        return len(held)

    async def send_again(self, delivery: Delivery) -> None:
        """Deliver the same bytes once more, as overlapping subscriptions do."""
        await self._attempt(delivery)

    async def validate(self, subscription: Subscription) -> bool:
        """Ask the address to prove that it knows the secret token (`endpoint.url_validation`)."""
        plain = secrets.token_urlsafe(16)
        now = int(self._clock.now().timestamp() * 1000)
        challenge = {"event": "endpoint.url_validation", "event_ts": now, "payload": {"plainToken": plain}}
        response = await self._post(subscription.url, json.dumps(challenge, separators=(",", ":")).encode())
        if response is None or response.status_code not in (200, 204):
            return False
        digest = hmac.new(self._secret.encode(), plain.encode(), hashlib.sha256).hexdigest()
        try:
            return bool(response.json() == {"plainToken": plain, "encryptedToken": digest})
        except ValueError:
            return False

    async def _deliver(self, delivery: Delivery) -> None:
        """Try up to four times; only no answer and 5xx are tried again (Zoom: webhook delays)."""
        for wait in WAITS_SECONDS:
            await self._clock.sleep(wait)
            if self._clock.stopped:
                return
            status = await self._attempt(delivery)
            if status is not None and status < 500:
                return

    async def _attempt(self, delivery: Delivery) -> int | None:
        response = await self._post(delivery.url, delivery.body)
        delivery.attempts.append(None if response is None else response.status_code)
        return delivery.attempts[-1]

    async def _post(self, url: str, body: bytes) -> httpx.Response | None:
        timestamp = str(int(self._clock.now().timestamp()))
        headers = {
            "content-type": "application/json",
            "x-zm-request-timestamp": timestamp,
            "x-zm-signature": signature(self._secret, timestamp, body),
        }
        try:
            return await self._http.post(url, content=body, headers=headers)
        except httpx.HTTPError:
            return None
