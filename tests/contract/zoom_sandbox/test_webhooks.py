"""Webhooks: signed over the raw bytes, tried again on 5xx only, twice or out of order on demand."""

from collections.abc import AsyncGenerator

import pytest

from tests.contract.zoom_sandbox.app_at_zoom import CLIENT_ID, START, AppAtZoom, Host, Json
from tests.contract.zoom_sandbox.webhook_receiver import Receiver, receiving
from tests.support.eventually import eventually


@pytest.fixture
async def receiver(app: AppAtZoom) -> AsyncGenerator[Receiver]:
    async with receiving() as subscribed:
        await app.control("POST", "/webhooks", json={"url": subscribed.address})
        yield subscribed


async def _attempts(app: AppAtZoom, count: int) -> list[int | None]:
    """Wait until the only delivery was tried so often."""

    async def tried() -> list[int | None] | None:
        (delivery,) = await app.control("GET", "/webhooks/deliveries")
        return delivery["attempts"] if len(delivery["attempts"]) == count else None

    attempts: list[int | None] | None = await eventually(tried)
    return attempts or []


async def test_each_change_is_told_signed_over_the_raw_compact_body(host: Host, receiver: Receiver) -> None:
    meeting = await host.create(topic="Grüße")
    await host.change(meeting["id"], topic="Later", start_time="2030-05-07T10:00:00Z")
    await host.delete(meeting["id"])
    found: dict[str, Json] = {}
    for _ in range(3):
        received = await receiver.next()
        assert received.is_signed
        assert b'": ' not in received.body
        found[received.event["event"]] = received.event["payload"]
    assert set(found) == {"meeting.created", "meeting.updated", "meeting.deleted"}
    assert all(isinstance(payload["object"]["id"], int) for payload in found.values())
    assert found["meeting.created"]["object"]["join_url"] == meeting["join_url"]
    assert found["meeting.created"]["object"]["topic"] == "Grüße"
    assert found["meeting.updated"]["object"]["start_time"] == "2030-05-07T10:00:00Z"
    assert found["meeting.updated"]["old_object"]["start_time"] == START
    assert {"join_url", "password"}.isdisjoint(found["meeting.deleted"]["object"])
    assert {payload["operator_id"] for payload in found.values()} == {"host-1"}


async def test_what_the_host_does_inside_zoom_is_told_too(app: AppAtZoom, host: Host, receiver: Receiver) -> None:
    meeting = await host.create()
    await receiver.next()
    await app.control("DELETE", f"/meetings/{meeting['id']}")
    event = (await receiver.next()).event
    assert (event["event"], event["payload"]["object"]["id"]) == ("meeting.deleted", meeting["id"])


async def test_removing_the_app_is_told_with_event_ts_inside_the_payload(
    app: AppAtZoom, host: Host, receiver: Receiver
) -> None:
    await app.control("POST", "/deauthorize", json={"user_id": host.user_id})
    event = (await receiver.next()).event
    assert set(event) == {"event", "payload"}
    assert event["event"] == "app_deauthorized"
    payload = event["payload"]
    assert (payload["user_id"], payload["account_id"]) == ("host-1", "account-pro")
    assert payload["client_id"] == CLIENT_ID
    assert isinstance(payload["event_ts"], int)


@pytest.mark.usefixtures("receiver")
async def test_meetings_of_hosts_who_removed_the_app_are_not_told(app: AppAtZoom, host: Host) -> None:
    meeting = await host.create()
    await app.control("POST", "/deauthorize", json={"user_id": "host-1"})
    await app.control("DELETE", f"/meetings/{meeting['id']}")
    events = [each["event"] for each in await app.control("GET", "/webhooks/deliveries")]
    assert events == ["meeting.created", "app_deauthorized"]


async def test_a_server_error_is_tried_again_after_5_20_and_60_minutes(
    app: AppAtZoom, host: Host, receiver: Receiver
) -> None:
    receiver.statuses = [500, 502, 503, 504]
    await host.create()
    first = await receiver.next()
    for attempt, minutes in enumerate((5, 20, 60), start=1):
        assert await _attempts(app, attempt) == [500, 502, 503, 504][:attempt]
        await app.advance(minutes=minutes - 1)
        assert receiver.arrivals.empty()
        await app.advance(minutes=1)
        again = await receiver.next()
        assert again.body == first.body
        assert again.is_signed
    assert await _attempts(app, 4) == [500, 502, 503, 504]


@pytest.mark.parametrize("status", [204, 302, 400, 404])
async def test_any_other_status_ends_the_delivery(app: AppAtZoom, host: Host, receiver: Receiver, status: int) -> None:
    receiver.statuses = [status]
    first = await host.create()
    assert (await receiver.next()).event["payload"]["object"]["id"] == first["id"]
    assert await _attempts(app, 1) == [status]
    await app.advance(minutes=5)
    second = await host.create()
    assert (await receiver.next()).event["payload"]["object"]["id"] == second["id"]
    deliveries = await app.control("GET", "/webhooks/deliveries")
    assert deliveries[0]["attempts"] == [status]


async def test_a_reset_ends_what_was_to_be_tried_again(app: AppAtZoom, host: Host, receiver: Receiver) -> None:
    receiver.statuses = [500]
    await host.create()
    await receiver.next()
    assert await _attempts(app, 1) == [500]
    await app.control("POST", "/reset")
    await app.control("POST", "/webhooks", json={"url": receiver.address})
    await app.advance(minutes=5)
    newer = await (await app.host()).create()
    assert (await receiver.next()).event["payload"]["object"]["id"] == newer["id"]


async def test_an_address_that_cannot_be_reached_is_tried_again(app: AppAtZoom, host: Host) -> None:
    await app.control("POST", "/webhooks", json={"url": "http://127.0.0.1:9/hook"})
    await host.create()
    assert await _attempts(app, 1) == [None]
    await app.advance(minutes=5)
    assert await _attempts(app, 2) == [None, None]


async def test_an_event_can_be_delivered_twice(app: AppAtZoom, host: Host, receiver: Receiver) -> None:
    await host.create()
    first = await receiver.next()
    assert await _attempts(app, 1) == [200]
    (delivery,) = await app.control("GET", "/webhooks/deliveries")
    await app.control("POST", f"/webhooks/deliveries/{delivery['id']}/repeat")
    assert (await receiver.next()).body == first.body


async def test_events_can_be_held_and_released_in_reverse(app: AppAtZoom, host: Host, receiver: Receiver) -> None:
    await app.turn(webhooks_held=True)
    meeting = await host.create()
    await host.delete(meeting["id"])
    assert receiver.arrivals.empty()
    assert await app.control("POST", "/webhooks/release", json={"reverse": True}) == {"released": 2}
    events = [(await receiver.next()).event["event"] for _ in range(2)]
    assert events == ["meeting.deleted", "meeting.created"]


async def test_a_subscription_can_choose_its_events_and_be_ended(app: AppAtZoom, host: Host) -> None:
    async with receiving() as receiver:
        order = {"url": receiver.address, "events": ["meeting.deleted"]}
        subscription = await app.control("POST", "/webhooks", json=order)
        meeting = await host.create()
        await host.delete(meeting["id"])
        assert (await receiver.next()).event["event"] == "meeting.deleted"
        await app.control("DELETE", f"/webhooks/{subscription['id']}")
        await host.delete((await host.create())["id"])
        assert len(await app.control("GET", "/webhooks/deliveries")) == 1


@pytest.mark.parametrize(("secret", "valid"), [("the-webhook-secret", True), ("another", False)])
async def test_an_address_proves_that_it_knows_the_secret(
    app: AppAtZoom, receiver: Receiver, secret: str, *, valid: bool
) -> None:
    receiver.secret = secret
    (subscription,) = await app.control("GET", "/webhooks")
    answer = await app.control("POST", f"/webhooks/{subscription['id']}/validation")
    assert answer == {"valid": valid}
    assert (await receiver.next()).is_signed
