"""A store of dead letters on a real MongoDB, and the office that works on them over a real RabbitMQ."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretBytes

from convoke import mongo
from convoke.contracts import BookingCreated, NotificationFailed, NotificationSent
from convoke.contracts.topology import BOOKING_SERVICE_NOTIFICATIONS as STREAM
from convoke.messaging.broker import publishing_broker
from convoke.messaging.cloudevents import Event
from convoke.messaging.dead_letters.office import DeadLetterOffice, Previews
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.mongo import Database
from convoke.vault import Vault


@pytest.fixture
async def database(mongodb_url: str, fresh_database: str) -> AsyncIterator[Database]:
    client = mongo.connect(mongodb_url)
    yield mongo.database(client, fresh_database)
    client.close()


@pytest.fixture
async def letters(database: Database) -> DeadLetters:
    letters = DeadLetters(database, Vault({"k1": SecretBytes(b"v" * 32)}), [STREAM])
    await letters.prepare()
    return letters


async def would_count(event: Event[Any]) -> str:
    return f"would count {event.id}"


async def would_raise(_: Event[Any]) -> str:
    raise LookupError("no such booking")


@pytest.fixture
async def office(vhost: str, letters: DeadLetters) -> AsyncIterator[DeadLetterOffice]:
    broker = publishing_broker(vhost)
    previews: Previews = {NotificationSent: would_count, NotificationFailed: would_raise, BookingCreated: would_count}
    yield DeadLetterOffice(letters, broker, previews)
    await broker.stop()
