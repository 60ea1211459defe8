"""Zoom's webhooks at auth-service (B3, B17): verified, stored once, and relayed to every organization they concern."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aio_pika
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from convoke.contracts.topology import MEETING_SERVICE_ZOOM
from convoke.messaging.cloudevents import parse
from tests.integration.auth_service.conftest import WEBHOOK_SECRET
from tests.integration.auth_service.replicas import Caller
from tests.support.eventually import eventually

Connect = Callable[..., Awaitable[dict[str, Any]]]
Json = dict[str, Any]

AN_HOUR_AGO = 3_600


def changed(event: str = "meeting.updated", *, host_id: str | None = "host-1", event_ts: int = 1) -> Json:
    meeting = {"id": 81234567890, "uuid": "abc=="} | ({"host_id": host_id} if host_id else {})
    return {"event": event, "event_ts": event_ts, "payload": {"account_id": "account-pro", "object": meeting}}


async def post(
    http: httpx.AsyncClient,
    message: Json | bytes,
    *,
    secret: str = WEBHOOK_SECRET,
    age: int = 0,
    **headers: str | bytes,
) -> httpx.Response:
    body = message if isinstance(message, bytes) else json.dumps(message, indent=1).encode()
    timestamp = str(int(time.time()) - age)
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
    signed: dict[str, Any] = {"x-zm-signature": f"v0={digest}", "x-zm-request-timestamp": timestamp}
    return await http.post("/v1/zoom/webhooks", content=body, headers={**signed, **headers})


async def relayed(database: Any, rabbitmq_url: str, organization_id: str) -> list[Any]:
    """Wait until nothing is left to publish, then take what meeting-service was told about an organization."""
    assert await eventually(lambda: all_published(database))
    found: list[Any] = []
    connection = await aio_pika.connect(rabbitmq_url)
    async with connection, connection.channel() as channel:
        queue = await channel.get_queue(MEETING_SERVICE_ZOOM.queue)
        while message := await queue.get(fail=False):
            await message.ack()
            found.append(parse(message.body))
    return [
        event.data
        for event in found
        if event.organization_id == organization_id and event.data.event_type == "zoom.meeting_changed.v1"
    ]


async def all_published(database: Any) -> bool:
    return await database["webhooks"].find_one({"outbox": {"$ne": []}}) is None


@pytest.mark.parametrize(("event", "change"), [("meeting.updated", "updated"), ("meeting.deleted", "deleted")])
async def test_a_change_inside_zoom_is_relayed(
    *, event: str, change: str, product: Caller, connect: Connect, database: Any, rabbitmq_url: str
):
    own = await connect(product, host_id="hst_1")
    assert (await post(product.http, changed(event))).status_code == 204
    (told,) = await relayed(database, rabbitmq_url, product.organization_id)
    assert (told.connection_ids, told.zoom_meeting_id, told.change) == ((own["id"],), 81234567890, change)


async def test_copies_of_an_event_are_relayed_once_also_at_the_same_moment(
    product: Caller, connect: Connect, database: Any, rabbitmq_url: str
):
    await connect(product)
    answers = await asyncio.gather(*(post(product.http, changed(), age=age) for age in range(10)))
    answers.append(await post(product.http, json.dumps(changed()).encode(), age=5_100))
    assert {answer.status_code for answer in answers} == {204}
    assert len(await relayed(database, rabbitmq_url, product.organization_id)) == 1
    await post(product.http, changed(event_ts=2))
    assert len(await relayed(database, rabbitmq_url, product.organization_id)) == 1
    assert "expiry" in await database["webhooks"].index_information()


async def test_an_event_that_was_never_seen_counts_however_old_its_signature_is(
    product: Caller, connect: Connect, database: Any, rabbitmq_url: str
):
    await connect(product)
    assert (await post(product.http, changed(), age=24 * AN_HOUR_AGO)).status_code == 204
    assert len(await relayed(database, rabbitmq_url, product.organization_id)) == 1


@pytest.mark.parametrize(
    "forged",
    [
        {"secret": "another"},
        {"x-zm-signature": "v0="},
        {"x-zm-signature": ""},
        {"x-zm-signature": b"v0=\xff"},
        {"x-zm-request-timestamp": "1"},
    ],
)
async def test_what_zoom_did_not_sign_is_refused_and_nothing_is_stored(
    forged: dict[str, Any], product: Caller, connect: Connect, database: Any
):
    await connect(product)
    refused = await post(product.http, changed(), **forged)
    assert (refused.status_code, refused.json()["type"]) == (401, "invalid-signature")
    assert refused.headers["content-type"] == "application/problem+json"
    assert await database["webhooks"].count_documents({}) == 0


async def test_f60_both_secrets_are_accepted_during_a_rotation(auth: httpx.AsyncClient):
    for secret in (WEBHOOK_SECRET, "the-secret-to-come"):
        message = {"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": "qwer"}}
        answer = await post(auth, message, secret=secret)
        proof = hmac.new(secret.encode(), b"qwer", hashlib.sha256).hexdigest()
        assert (answer.status_code, answer.json()) == (200, {"plainToken": "qwer", "encryptedToken": proof})


@pytest.mark.parametrize(
    "message",
    [
        {"event": "meeting.started", "event_ts": 1, "payload": {"object": {"id": "81234567890"}}},
        {"event": "from.the.future"},
        {"event": "meeting.updated", "payload": None},
        {"event": "meeting.updated", "payload": {"object": {"id": True, "host_id": "host-1"}}},
        {"event": "meeting.updated", "payload": {"object": {"id": 10**30, "host_id": "host-1"}}},
        {"event": "meeting.updated", "payload": {"object": {"id": 1, "host_id": "\ud800"}}},
        {"event": "\ud800"},
        {"event": "meeting.updated", "payload": {"account_id": "", "object": {"id": 1}}},
        changed(host_id="nobody-of-ours"),
        b"[]",
        b"no json",
        b"\xff",
        b"[" * 50_000,
        b"",
    ],
)
async def test_what_concerns_nobody_is_acknowledged_and_nothing_is_stored(
    message: Json | bytes, product: Caller, connect: Connect, database: Any
):
    await connect(product)
    assert (await post(product.http, message)).status_code == 204
    assert await database["webhooks"].count_documents({}) == 0


async def counted(http: httpx.AsyncClient) -> dict[tuple[str, str], float]:
    """Return what the metrics say of webhooks, by event and by what became of them."""
    families = text_string_to_metric_families((await http.get("/metrics")).text)
    samples = [sample for family in families for sample in family.samples]
    return {
        (sample.labels["event"], sample.labels["outcome"]): sample.value
        for sample in samples
        if sample.name == "convoke_zoom_webhooks_total"
    }


async def test_webhooks_are_counted_by_what_became_of_them_and_those_nobody_knows_together(
    product: Caller, connect: Connect
):
    await connect(product)
    before = await counted(product.http)
    for message in ({"event": "from.the.future"}, {"event": "from.another.future"}, changed(), changed()):
        await post(product.http, message)
    await post(product.http, changed(), secret="another")
    after = await counted(product.http)
    assert {
        labels: value - before.get(labels, 0) for labels, value in after.items() if value != before.get(labels)
    } == {
        ("other", "ignored"): 2,
        ("meeting.updated", "taken"): 1,
        ("meeting.updated", "repeated"): 1,
        ("other", "refused"): 1,
    }


async def test_a_body_beyond_all_measure_is_refused(auth: httpx.AsyncClient):
    assert (await post(auth, b" " * 200_000)).status_code == 413


async def test_every_organization_of_the_zoom_user_is_told_of_its_own_connections_only(
    *, new_product: Callable[[], Awaitable[Caller]], connect: Connect, database: Any, rabbitmq_url: str
):
    """B17: the same Zoom user in two organizations, and twice in one of them."""
    one, other, stranger = await new_product(), await new_product(), await new_product()
    mine = [await connect(one, user_id="host-1"), await connect(one, host_id="hst_1", user_id="host-1")]
    theirs = await connect(other, host_id="hst_1", user_id="host-1")
    await connect(stranger, user_id="host-2")
    await post(one.http, changed())
    assert await eventually(lambda: all_published(database))
    ours = {product.organization_id for product in (one, other, stranger)}
    events: dict[str, set[str]] = {}
    connection = await aio_pika.connect(rabbitmq_url)
    async with connection, connection.channel() as channel:
        queue = await channel.get_queue(MEETING_SERVICE_ZOOM.queue)
        while message := await queue.get(fail=False):
            await message.ack()
            event = parse(message.body)
            if event.data.event_type == "zoom.meeting_changed.v1" and event.organization_id in ours:
                events[event.organization_id] = set(event.data.connection_ids)
    assert events == {one.organization_id: {each["id"] for each in mine}, other.organization_id: {theirs["id"]}}


async def test_where_zoom_names_no_host_the_whole_account_is_looked_at(
    *, product: Caller, connect: Connect, database: Any, rabbitmq_url: str
):
    own = [await connect(product, host_id=f"hst_{n}", user_id=f"host-{n}") for n in (1, 2)]
    await post(product.http, changed(host_id=None))
    (told,) = await relayed(database, rabbitmq_url, product.organization_id)
    assert set(told.connection_ids) == {each["id"] for each in own}


async def test_a_disconnected_connection_is_not_looked_at(product: Caller, connect: Connect, database: Any):
    own = await connect(product)
    await product.call("DELETE", f"/v1/zoom/connections/{own['id']}")
    assert (await post(product.http, changed())).status_code == 204
    assert await database["webhooks"].count_documents({}) == 0
