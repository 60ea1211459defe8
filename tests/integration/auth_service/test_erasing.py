"""Erasing: Zoom is disconnected and emptied first, the others are asked, and the receipt adds up what each removed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import aio_pika
import httpx
import pytest

from convoke.clock import utc_now
from convoke.contracts import PrivacyErased, ZoomConnected
from convoke.contracts.topology import TOPOLOGY
from convoke.ids import new_id
from convoke.messaging.broker import connect as connect_broker
from convoke.messaging.broker import publishing_broker
from convoke.messaging.cloudevents import Event, parse
from convoke.messaging.publisher import Publisher
from tests.integration.auth_service.replicas import Caller, MovableClock, soon
from tests.integration.auth_service.zoom_app import Zoom
from tests.support.eventually import eventually

Connect = Callable[..., Awaitable[dict[str, Any]]]
PERSON = "Gus@Guest.example"
OTHERS = {stream.queue.partition(".")[0] for stream in TOPOLOGY if stream.queue.endswith(".privacy")} - {"auth-service"}


@pytest.fixture
async def publisher(rabbitmq_url: str, auth: httpx.AsyncClient) -> AsyncIterator[Publisher]:  # noqa: ARG001 - declares
    broker = publishing_broker(rabbitmq_url)
    await connect_broker(broker)
    yield Publisher(broker)
    await broker.stop()


async def told(rabbitmq_url: str, queue_name: str) -> list[Event[Any]]:
    """Take all events that wait in a queue."""
    taken = []
    async with await aio_pika.connect(rabbitmq_url) as connection, connection.channel() as channel:
        queue = await channel.get_queue(queue_name)
        while message := await queue.get(fail=False):
            await message.ack()
            taken.append(parse(message.body))
    return taken


async def asked(erasure_id: str, rabbitmq_url: str, service: str) -> list[Event[Any]]:
    """Return the requests that a service has been sent of an erasure."""
    return [event for event in await told(rabbitmq_url, f"{service}.privacy") if event.subject == erasure_id]


async def erase(product: Caller, *, key: str | None = None, **body: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {await product.token()}"} | ({"idempotency-key": key} if key else {})
    return await product.http.post("/v1/erasures", json=body, headers=headers)


async def begun(product: Caller, **body: str) -> str:
    """Begin an erasure and return its address."""
    answer = await erase(product, **body)
    assert (answer.status_code, answer.json()["status"]) == (202, "running"), answer.text
    return answer.headers["location"]


async def receipt_when(product: Caller, address: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async def receipt() -> dict[str, Any]:
        found: dict[str, Any] = (await product.call("GET", address)).json()
        return found if holds(found) else {}

    found: dict[str, Any] = await eventually(receipt, within=20)
    assert found
    return found


async def looked(database: Any, times: int) -> bool:
    return bool((await database["erasures"].find_one()).get("looks", 0) >= times)


def share_of(receipt: dict[str, Any], service: str) -> dict[str, Any]:
    return next(share for share in receipt["services"] if share["service"] == service)


def own_is_done(receipt: dict[str, Any]) -> bool:
    return bool(share_of(receipt, "auth-service")["status"] == "done")


async def say(
    publisher: Publisher, receipt: dict[str, Any], product: Caller, service: str, **said: dict[str, int]
) -> None:
    data = PrivacyErased(erasure_id=receipt["id"], service=service, **{"removed": {}} | said)
    await publisher.publish(
        Event(new_id("evt"), f"/{service}", receipt["id"], utc_now(), product.organization_id, data)
    )


async def test_f69_f57_b18_one_request_erases_zooms_data_with_a_receipt(
    *, product: Caller, connect: Connect, zoom: Zoom, database: Any, rabbitmq_url: str, publisher: Publisher
):
    own = await connect(product, host_id="hst_1")
    address = await begun(product, scope="zoom_data")
    receipt = await receipt_when(product, address, own_is_done)
    assert share_of(receipt, "auth-service")["removed"] == {"zoom_authorizations": 1, "zoom_connections": 1}
    assert receipt["status"] == "running"
    row = await database["connections"].find_one({"_id": own["id"]})
    assert (row["status"], row["email"], row["zoom_user_id"], row["zoom_account_id"]) == ("disconnected", "", "", "")
    assert not row["tokens"].get("refresh")
    assert row["checkup"]["found"] is None
    assert "code_verifier" not in (await database["authorizations"].find_one())

    async def is_revoked() -> bool:
        calls = (await zoom.http.get("/sandbox/calls", params={"operation": "revoke"})).json()
        return [call["status"] for call in calls] == [200]

    await soon(is_revoked)
    for service in OTHERS:

        async def requests(service: str = service) -> list[Event[Any]]:
            return await asked(receipt["id"], rabbitmq_url, service)

        [request] = await eventually(requests)
        assert (request.data.scope, request.data.organization_id) == ("zoom_data", product.organization_id)
        await say(publisher, receipt, product, service, removed={"correspondence": 2})
    receipt = await receipt_when(product, address, lambda found: found["status"] == "done")
    assert {share["removed"].get("correspondence") for share in receipt["services"]} == {None, 2}
    assert receipt["done_at"]
    assert any("stay there" in note for note in receipt["notes"]), "what is at Zoom stays, and the receipt says so"


async def test_b18_what_a_service_still_needs_keeps_the_receipt_open_and_old_answers_change_nothing(
    product: Caller, publisher: Publisher
):
    address = await begun(product, scope="person", person=PERSON)
    receipt = await receipt_when(product, address, own_is_done)
    for service in OTHERS:
        await say(publisher, receipt, product, service, removed={"bookings": 1}, left={"bookings": 2})
    receipt = await receipt_when(
        product, address, lambda found: all(share["answered_at"] for share in found["services"])
    )
    assert receipt["status"] == "running"
    assert share_of(receipt, "notifier")["left"] == {"bookings": 2}
    for service in OTHERS:
        await say(publisher, receipt, product, service, removed={"bookings": 3})
    receipt = await receipt_when(product, address, lambda found: found["status"] == "done")
    assert share_of(receipt, "notifier")["removed"] == {"bookings": 3}


async def test_f69_a_persons_address_goes_with_the_last_look(
    product: Caller, publisher: Publisher, database: Any, clock: MovableClock
):
    address = await begun(product, scope="person", person=PERSON)
    receipt = await receipt_when(product, address, own_is_done)
    row = await database["erasures"].find_one()
    assert "person" in row
    assert PERSON.lower() not in str(row).lower()
    for service in OTHERS:
        await say(publisher, receipt, product, service)
    await receipt_when(product, address, lambda found: found["status"] == "done")
    for times in (2, 3, 4):
        clock.advance(days=2)
        await soon(partial(looked, database, times))
    row = await database["erasures"].find_one()
    assert "person" not in row
    assert "due_at" not in row


async def test_f70_an_erased_organization_gets_no_tokens_and_its_receipt_can_be_read(
    product: Caller, connect: Connect, database: Any, clients: Any
):
    await connect(product)
    other, secret = await clients.create(product.organization_id, "another", ("zoom.connect",))
    address = await begun(product, scope="organization")
    token = await product.token()

    async def receipt() -> Any:
        found = (await product.http.get(address, headers={"authorization": f"Bearer {token}"})).json()
        return found if own_is_done(found) else None

    found = await eventually(receipt)
    removed = share_of(found, "auth-service")["removed"]
    assert removed == {"zoom_authorizations": 1, "zoom_connections": 1, "api_clients": 2, "organizations": 1}
    assert (await Caller(product.http, other.id, secret).ask_token()).status_code == 401
    left = await product.ask_token()
    assert (left.status_code, left.json()["scope"]) == (200, "privacy.erase")
    assert product.organization_id not in dict(await clients.organizations())
    assert "A product" not in str([row async for row in database["organizations"].find()])
    await clients.create_organization("Another")


async def test_f70_b18_the_last_receipt_counts_also_what_mongodb_has_removed_since(
    product: Caller, connect: Connect, database: Any, clock: MovableClock
):
    await connect(product)
    address = await begun(product, scope="organization")
    token = {"authorization": f"Bearer {await product.token()}"}

    async def removed() -> Any:
        return share_of((await product.http.get(address, headers=token)).json(), "auth-service")["removed"]

    first = await eventually(removed, within=20)
    assert first["zoom_authorizations"] == 1
    await database["authorizations"].delete_many({})  # as its index does by `expires_at`
    clock.advance(minutes=2)
    await soon(partial(looked, database, 2))
    assert await removed() == first


@pytest.mark.parametrize("asked", [{"scope": "zoom_data"}, {"scope": "person", "person": "host-1@example.com"}])
async def test_b18_a_connection_made_after_the_request_is_left_alone(
    *,
    asked: dict[str, str],
    product: Caller,
    connect: Connect,
    database: Any,
    rabbitmq_url: str,
    clock: MovableClock,
):
    await connect(product)
    receipt = await receipt_when(product, await begun(product, **asked), own_is_done)
    assert share_of(receipt, "auth-service")["removed"]["zoom_connections"] == 1
    again = await connect(product)
    clock.advance(days=2)
    await soon(partial(looked, database, 2))
    assert [connection["status"] for connection in await product.connections()] == ["active"]
    row = await database["connections"].find_one({"_id": again["id"]})
    assert row["email"] == "host-1@example.com"
    before: list[str | None] = []

    def is_own(event: Event[Any]) -> bool:
        return event.organization_id == product.organization_id and isinstance(event.data, ZoomConnected)

    async def is_told() -> bool:
        news = [event for event in await told(rabbitmq_url, "meeting-service.zoom") if is_own(event)]
        before.extend(event.data.previous_zoom_user_id for event in news)
        return len(before) == 2

    await soon(is_told)
    assert before == [None, None]  # who had it before is not known any more: no other Zoom user's meetings are given up


async def test_b18_the_same_key_is_the_same_erasure(product: Caller):
    first, again = [await erase(product, key="k1", scope="zoom_data") for _ in range(2)]
    assert first.json()["id"] == again.json()["id"]
    other = await erase(product, key="k1", scope="person", person=PERSON)
    assert (other.status_code, other.json()["type"]) == (422, "idempotency-key-reused")
    listed = (await product.call("GET", "/v1/erasures")).json()["items"]
    assert [item["id"] for item in listed] == [first.json()["id"]]


@pytest.mark.parametrize(
    "body",
    [
        {"scope": "person"},
        {"scope": "zoom_data", "person": PERSON},
        {"scope": "all"},
        {"scope": "person", "person": "gus"},
    ],
)
async def test_b18_what_cannot_be_meant_is_refused(body: dict[str, str], product: Caller):
    assert (await erase(product, **body)).status_code == 422


async def test_b18_nobody_sees_or_reaches_another_organizations_erasures(
    new_product: Callable[[], Awaitable[Caller]], connect: Connect
):
    one, other = await new_product(), await new_product()
    await connect(other)
    address = await begun(one, scope="zoom_data")
    await receipt_when(one, address, own_is_done)
    assert (await other.call("GET", address)).status_code == 404
    assert (await other.call("GET", "/v1/erasures")).json()["items"] == []
    assert [connection["status"] for connection in await other.connections()] == ["active"]
