"""Zoom reports that its user has removed the app: it is asked, then every connection of that user ends (F60, B17)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.integration.auth_service.conftest import ZOOM_CLIENT_ID
from tests.integration.auth_service.replicas import Caller, soon
from tests.integration.auth_service.test_connecting import is_checked_up
from tests.integration.auth_service.test_refreshing import all_told, events_about, settled
from tests.integration.auth_service.test_webhooks import post
from tests.integration.auth_service.zoom_app import Zoom

Connect = Callable[..., Awaitable[dict[str, Any]]]
Json = dict[str, Any]

INSIDE_AS_TEXT = {"payload": {"event_ts": "2024-09-08 15:58:40"}}
INSIDE_AS_NUMBER = {"payload": {"event_ts": 1_725_811_120_000}}
OUTSIDE = {"event_ts": 1_725_811_120_000}


def removal(shape: Json = INSIDE_AS_NUMBER, **changes: Any) -> Json:
    """Return what Zoom sends; where it puts `event_ts` its own documents disagree (zoom.md 5)."""
    payload = {
        "account_id": "account-pro",
        "user_id": "host-1",
        "client_id": ZOOM_CLIENT_ID,
        "deauthorization_time": "2024-09-08T15:58:40Z",
        "signature": "827edc3452044f0bc86bdd5684afb7d1e6becfa1a767f24df1b287853cf73000",
        **shape.get("payload", {}),
        **changes,
    }
    return {"event": "app_deauthorized", **shape, "payload": payload}


@pytest.fixture
def connect(connect: Connect) -> Connect:
    """Connect, and let the check-up at connecting be over: it would find a removal before the report of it comes."""

    async def connect_and_check_up(product: Caller, **whose: Any) -> Json:
        connection = await connect(product, **whose)
        await soon(lambda: is_checked_up(product))
        return connection

    return connect_and_check_up


async def remove_app(zoom: Zoom, user_id: str = "host-1") -> None:
    assert (await zoom.http.post("/sandbox/deauthorize", json={"user_id": user_id})).is_success


async def standing(product: Caller, connection_id: str) -> tuple[str, str]:
    """Return the connection's status and the last line of its history."""
    found = (await product.call("GET", f"/v1/zoom/connections/{connection_id}")).json()
    return found["status"], found["history"][-1]["what"]


async def has_ended(product: Caller, connection_id: str) -> bool:
    return await standing(product, connection_id) == ("disconnected", "deauthorized")


@pytest.mark.parametrize("shape", [INSIDE_AS_TEXT, INSIDE_AS_NUMBER, OUTSIDE])
async def test_f60_f86_a_removal_inside_zoom_ends_the_connection_and_erases_its_tokens(
    *, shape: Json, product: Caller, connect: Connect, zoom: Zoom, database: Any, rabbitmq_url: str
):
    own = await connect(product)
    await remove_app(zoom)
    assert (await post(product.http, removal(shape))).status_code == 204
    await soon(lambda: has_ended(product, own["id"]))
    row = await settled(database)
    assert (row["tokens"]["access"], row["tokens"]["refresh"], row["ending"]) == ("", "", None)
    connected, ended = await events_about(own["id"], rabbitmq_url)
    assert (connected.data.event_type, ended.data.reason) == ("zoom.connected.v1", "deauthorized")


async def test_f60_no_token_is_given_out_between_the_report_and_zooms_answer(
    product: Caller, connect: Connect, meeting_service: Caller, zoom: Zoom, clock: Any
):
    own = await connect(product)
    await remove_app(zoom)
    await zoom.fault("token", "slow", delay_seconds=1)
    await post(product.http, removal())
    asked = {"organization_id": product.organization_id, "connection_id": own["id"]}
    assert (await meeting_service.access_token(**asked)).status_code in {404, 503}
    await soon(lambda: has_ended(product, own["id"]))
    assert clock is not None


async def test_b17_f60_it_ends_in_every_tenant_and_nobody_elses_does(
    *, new_product: Callable[[], Awaitable[Caller]], connect: Connect, zoom: Zoom, rabbitmq_url: str, database: Any
):
    one, other, stranger = [await new_product() for _ in range(3)]
    first = await connect(one)
    await has_been_refused(one, first["id"], lambda: connect(other))
    [second] = await other.connections()
    host = await connect(other, host_id="hst_1", user_id="host-2")
    strangers = await connect(stranger, user_id="host-3")
    await remove_app(zoom)
    assert (await post(one.http, removal())).status_code == 204
    await soon(lambda: has_ended(one, first["id"]))
    await soon(lambda: has_ended(other, second["id"]))
    assert (await standing(other, host["id"]))[0] == "active"
    assert (await standing(stranger, strangers["id"]))[0] == "active"
    await all_told(database)
    *_, told = await events_about(second["id"], rabbitmq_url)
    assert (told.data.event_type, told.data.reason) == ("zoom.disconnected.v1", "deauthorized")
    assert await database["connections"].count_documents({"deauthorized_at": {"$ne": None}}) == 0


async def has_been_refused(product: Caller, connection_id: str, consent: Callable[[], Awaitable[Any]]) -> None:
    """Have the same Zoom user consent once more, which ends the tokens there were (zoom.md 1.2), and see it found."""
    await consent()

    async def is_told() -> bool:
        return (await standing(product, connection_id))[0] == "reauthorization_required"

    await soon(is_told)


async def test_b17_a_consent_in_another_tenant_that_ends_the_first_tokens_is_told_at_once_and_once(
    *, new_product: Callable[[], Awaitable[Caller]], connect: Connect, database: Any, rabbitmq_url: str
):
    one, other = await new_product(), await new_product()
    first = await connect(one)
    await has_been_refused(one, first["id"], lambda: connect(other))
    await all_told(database)
    kinds = [getattr(event.data, "reason", "") for event in await events_about(first["id"], rabbitmq_url)]
    assert kinds == ["", "reauthorization_required"]
    [second] = await other.connections()
    assert second["status"] == "active"


async def test_b17_refreshing_one_tenants_tokens_ends_nobody_elses(
    *, new_product: Callable[[], Awaitable[Caller]], connect: Connect, meeting_service: Caller, clock: Any
):
    """Two Zoom users in two tenants; of one user only the newest tokens are good, whoever has them."""
    one, other = await new_product(), await new_product()
    first, second = await connect(one), await connect(other, user_id="host-2")
    clock.advance(minutes=59)
    for product, own in ((one, first), (other, second), (one, first)):
        asked = {"organization_id": product.organization_id, "connection_id": own["id"]}
        assert (await meeting_service.access_token(**asked)).status_code == 200
    assert {(await standing(one, first["id"]))[0], (await standing(other, second["id"]))[0]} == {"active"}


async def test_f60_a_report_of_an_earlier_authorization_ends_no_newer_one(
    *, product: Caller, connect: Connect, zoom: Zoom, database: Any, meeting_service: Caller, rabbitmq_url: str
):
    """Believed is what Zoom answers, not what the report says: it may come late, or again from somebody else."""
    await connect(product)
    await remove_app(zoom)
    own = await connect(product)
    before = (await database["connections"].find_one())["tokens"]["version"]
    assert (await post(product.http, removal())).status_code == 204

    async def was_asked() -> bool:
        row = await database["connections"].find_one()
        return bool(row["tokens"]["version"] > before and row["deauthorized_at"] is None)

    await soon(was_asked)
    assert await standing(product, own["id"]) == ("active", "connected")
    asked = {"organization_id": product.organization_id, "connection_id": own["id"]}
    assert (await meeting_service.access_token(**asked)).status_code == 200
    await all_told(database)
    kinds = [event.data.event_type for event in await events_about(own["id"], rabbitmq_url)]
    assert kinds == ["zoom.connected.v1", "zoom.connected.v1"]


async def test_f60_while_zoom_cannot_be_asked_the_report_is_kept(
    product: Caller, connect: Connect, zoom: Zoom, clock: Any
):
    own = await connect(product)
    await remove_app(zoom)
    await zoom.forget_calls()
    await zoom.fault("token", "down", times=3)
    await post(product.http, removal())

    async def was_tried() -> bool:
        return len(await zoom.token_calls()) >= 1

    await soon(was_tried)
    assert (await standing(product, own["id"]))[0] == "active"
    await zoom.heal()
    clock.advance(minutes=10)
    await soon(lambda: has_ended(product, own["id"]))


async def test_f60_copies_of_a_report_are_worked_on_once_however_many_come(
    *, product: Caller, connect: Connect, zoom: Zoom, database: Any, rabbitmq_url: str
):
    own = await connect(product)
    await remove_app(zoom)
    answers = await asyncio.gather(*(post(product.http, removal(), age=age) for age in range(5)))
    assert {answer.status_code for answer in answers} == {204}
    await soon(lambda: has_ended(product, own["id"]))
    again = await connect(product)
    await zoom.forget_calls()
    assert (await post(product.http, removal(), age=5_100)).status_code == 204
    assert await zoom.token_calls() == []
    await all_told(database)
    kinds = [event.data.event_type for event in await events_about(again["id"], rabbitmq_url)]
    assert kinds.count("zoom.disconnected.v1") == 1


@pytest.mark.parametrize(
    "message",
    [
        removal(client_id="another-app"),
        removal(user_id="nobody-of-ours"),
        removal(user_id=None),
        removal(user_id=17),
        removal(client_id=None),
        removal(user_id={"$ne": ""}),
        {"event": "app_deauthorized"},
        {"event": "app_deauthorized", "payload": "x"},
    ],
)
async def test_f60_a_report_that_is_about_nobody_here_is_acknowledged_and_nobody_is_asked_about(
    message: Json, product: Caller, connect: Connect, zoom: Zoom, database: Any
):
    await connect(product)
    await zoom.forget_calls()
    assert (await post(product.http, message)).status_code == 204
    assert await database["connections"].count_documents({"deauthorized_at": {"$ne": None}}) == 0
    assert await zoom.token_calls() == []


async def test_f60_a_report_that_zoom_did_not_sign_is_refused(
    product: Caller, connect: Connect, database: Any, auth: httpx.AsyncClient
):
    await connect(product)
    assert (await post(auth, removal(), secret="another")).status_code == 401
    assert await database["connections"].count_documents({"deauthorized_at": {"$ne": None}}) == 0
