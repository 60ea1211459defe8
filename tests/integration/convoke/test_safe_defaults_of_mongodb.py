"""Each default of MongoDB and Motor that would lose data, and that no service leaves it alone.

Looked at is every command that a service sends, from its start through its work to its stop, at an address that asks
for less. Two writes ask for less on purpose, and no other: losing them repeats a harmless step. Shown elsewhere:

- a standalone server is good enough: `test_a_standalone_server_is_refused`
- a primary is looked for 30 s: `test_a_server_that_is_away_counts_as_away_within_the_promised_time`
- a server that says nothing is waited for without end:
  `test_whoever_asks_a_database_that_says_nothing_is_told_within_seconds`
- two that look before they write both write: `test_f30_fifty_requests_for_one_slot_make_one_booking`,
  `test_fifty_requests_with_one_key_make_one_booking_and_get_one_answer`
- times come back without a zone: `test_a_stored_time_comes_back_aware_in_utc_and_equal`
"""

import base64
import functools
import uuid
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any

import aio_pika
import httpx
import pytest
from fastapi import FastAPI
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from convoke import mongo
from convoke.contracts.topology import streams_of
from convoke.settings import load
from tests.integration.booking_service.issuer import issuing
from tests.integration.booking_service.tenant import Tenant, hour
from tests.integration.commands.conftest import DATABASES, OF_ALL_SERVICES
from tests.integration.convoke.conftest import Wire, sample
from tests.integration.convoke.test_mongo import WEAK
from tests.support.eventually import eventually
from tests.support.servers import virtual_host

Command = dict[str, Any]

WRITES = frozenset({"insert", "update", "delete", "findAndModify", "createIndexes"})
READS = frozenset({"find", "aggregate", "count", "distinct"})
SERVICE_CLIENTS = f"meeting-service={base64.b64encode(b's' * 24).decode()}=zoom.access-tokens"


class Sent(CommandListener):
    """Every command that a service sent."""

    def __init__(self) -> None:
        self.commands: list[Command] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.commands.append({**event.command, "name": event.command_name})

    def succeeded(self, _: CommandSucceededEvent) -> None:
        """Only what is asked for counts."""

    def failed(self, _: CommandFailedEvent) -> None:
        """Only what is asked for counts."""

    @property
    def writes(self) -> list[Command]:
        """The writes that must not be lost."""
        return [one for one in self.commands if one["name"] in WRITES and not _may_be_lost(one)]

    @property
    def reads(self) -> list[Command]:
        return [one for one in self.commands if one["name"] in READS]


def _may_be_lost(command: Command) -> bool:
    """Tell whether it files what was published, which is published again else, or counts a host's calls to Zoom."""
    if command[command["name"]] == "budgets":
        return True
    changes = [one["u"] for one in command.get("updates", ())]
    return bool(changes) and all(
        set(change) == {"$pull", "$push"} and "outbox" in change["$pull"] for change in changes
    )


@pytest.fixture(scope="module", params=DATABASES)
async def sent(
    request: pytest.FixtureRequest, rabbitmq_addresses: dict[str, str], mongodb_url: str, worker_prefix: str
) -> AsyncIterator[Sent]:
    """Run a service, and give what it sent until it had stopped."""
    program, name, sent = request.param, f"{worker_prefix}-{uuid.uuid4().hex[:8]}", Sent()
    watched = functools.partial(AsyncIOMotorClient, event_listeners=[sent])
    with (
        virtual_host(rabbitmq_addresses, name) as vhost,
        issuing() as issuer,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setattr(mongo, "AsyncIOMotorClient", watched)
        app = build(program, RABBITMQ_URL=vhost, MONGODB_URL=weak(mongodb_url), MONGODB_DATABASE=name, AUTH=issuer.url)
        async with app.router.lifespan_context(app), speaking_to(app) as http:
            await eventually(lambda: is_ready(http), within=20)
            await work(program, vhost, Tenant(http, issuer, "org_1"))
    yield sent
    with MongoClient[dict[str, Any]](mongodb_url) as client:
        client.drop_database(name)


def weak(url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{WEAK}"


def build(program: str, **settings: str) -> FastAPI:
    given = OF_ALL_SERVICES | {"SERVICE_CLIENTS": SERVICE_CLIENTS, "AUTH_SERVICE_URL": settings.pop("AUTH")} | settings
    app: FastAPI = import_module(f"{program}.app").build_app(load(import_module(f"{program}.settings").Settings, given))
    return app


def speaking_to(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://convoke.test", timeout=30)


async def is_ready(http: httpx.AsyncClient) -> bool:
    return (await http.get("/health/ready")).status_code == 200


async def work(program: str, vhost: str, tenant: Tenant) -> None:
    """Have a service take every event that it listens to; booking-service has bookings made, moved and cancelled."""
    if program == "booking_service":
        tenant.host_id, tenant.event_type_id = await tenant.add_host(), await tenant.add_event_type()
        booking = await tenant.book(hour(9))
        await tenant.try_to_reschedule(booking["id"], hour(11))
        await tenant.try_to_cancel(booking["id"])
        await tenant.booking(booking["id"])
    async with await aio_pika.connect(vhost) as connection:
        wire = Wire(await connection.channel())
        for stream in streams_of(program.replace("_", "-")):
            for event in stream.events:
                await wire.send(sample(event.event_type).body(), stream.queue)
            await eventually(functools.partial(is_empty, wire, stream.queue))


async def is_empty(wire: Wire, queue: str) -> bool:
    return await wire.depth(queue) == 0


async def test_the_service_wrote_and_read(sent: Sent):
    assert {"insert", "update", "findAndModify"} & {one["name"] for one in sent.writes}
    assert sent.reads


async def test_every_write_waits_for_a_majority_though_a_primary_alone_may_lose_it(sent: Sent):
    assert [one for one in sent.writes if one.get("writeConcern", {}).get("w") != "majority"] == []


async def test_every_write_waits_for_the_journal_though_memory_alone_may_do(sent: Sent):
    assert [one for one in sent.writes if one.get("writeConcern", {}).get("j") is not True] == []


async def test_no_write_waits_for_its_majority_without_end(sent: Sent):
    bound = mongo.ANSWER_WITHIN
    assert [one for one in sent.writes if one.get("writeConcern", {}).get("wtimeout") != bound] == []


async def test_every_read_is_of_what_a_majority_has_though_the_default_may_be_rolled_back(sent: Sent):
    """Who says that there is none asks once more, for more: see test_finding_surely."""
    enough = {"majority", "linearizable"}
    assert [one for one in sent.reads if one.get("readConcern", {}).get("level") not in enough] == []


async def test_every_read_asks_the_primary_though_the_address_prefers_a_secondary(sent: Sent):
    """Connected to one server directly, the driver writes "primaryPreferred" for "primary"."""
    modes = {one["$readPreference"]["mode"] for one in sent.reads if "$readPreference" in one}
    assert modes <= {"primary", "primaryPreferred"}


async def test_every_write_of_one_document_is_repeated_once_by_the_driver_after_a_failover(sent: Sent):
    """The number under which the server knows the repetition is what shows it."""
    of_one = [one for one in sent.writes if one["name"] != "createIndexes" and not _is_of_many(one)]
    assert of_one
    assert [one for one in of_one if "txnNumber" not in one] == []


def _is_of_many(command: Command) -> bool:
    return any(one.get("multi") for one in command.get("updates", ()))
