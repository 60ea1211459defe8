"""An organization sees only itself, and a token only what its scopes say."""

import time

import pytest

from tests.integration.booking_service.conftest import NewTenant
from tests.integration.booking_service.tenant import EVENT_TYPE, HOST, Tenant, hour

OWN_PATHS = [
    ("GET", "/v1/hosts/{host_id}"),
    ("GET", "/v1/event-types/{event_type_id}"),
    ("GET", "/v1/bookings/{booking_id}"),
    ("GET", "/v1/bookings/{booking_id}/timeline"),
    ("POST", "/v1/bookings/{booking_id}/reschedule"),
    ("POST", "/v1/bookings/{booking_id}/cancel"),
]
LISTS = ["/v1/hosts", "/v1/event-types", "/v1/bookings"]


@pytest.mark.parametrize(("method", "path"), OWN_PATHS)
async def test_what_is_anothers_is_not_there(tenant: Tenant, new_tenant: NewTenant, method: str, path: str) -> None:
    booking = await tenant.book(hour(9))
    ids = {"host_id": tenant.host_id, "event_type_id": tenant.event_type_id, "booking_id": booking["id"]}
    body = {"starts_at": hour(10)} if path.endswith("reschedule") else None
    stranger = await new_tenant(tenant.http)

    refused = await stranger.call(method, path.format(**ids), json=body)

    assert (refused.status_code, refused.json()["type"]) == (404, "not-found")
    assert await tenant.booking(booking["id"]) == booking


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_holds_nothing_of_anothers(tenant: Tenant, new_tenant: NewTenant, path: str) -> None:
    stranger = await new_tenant(tenant.http)
    booking = await stranger.book(hour(9))
    theirs = {stranger.host_id, stranger.event_type_id, booking["id"]}

    assert theirs.isdisjoint(item["id"] for item in (await tenant.get(path))["items"])


@pytest.mark.parametrize(
    ("scope", "refused"),
    [
        ("hosts.manage bookings.read", [("POST", "/v1/bookings"), ("POST", "/v1/bookings/x/cancel")]),
        ("hosts.manage bookings.write", [("GET", "/v1/bookings"), ("GET", "/v1/bookings/x/timeline")]),
        ("bookings.read bookings.write", [("POST", "/v1/hosts"), ("GET", "/v1/hosts"), ("GET", "/v1/event-types")]),
    ],
)
async def test_api5_a_scope_is_needed_for_each_path(tenant: Tenant, scope: str, refused: list[tuple[str, str]]) -> None:
    tenant.scope = scope

    for method, path in refused:
        body = {"/v1/hosts": HOST, "/v1/bookings": tenant.order(hour(9))}.get(path)
        answer = await tenant.call(method, path, json=body)
        assert (answer.status_code, answer.json()["type"]) == (403, "missing-scope")


async def test_a_token_is_needed(tenant: Tenant) -> None:
    tokens = {
        "expired": tenant.issuer.token(tenant.organization_id, tenant.scope, exp=int(time.time()) - 60),
        "for another audience": tenant.issuer.token(tenant.organization_id, tenant.scope, aud="auth-service"),
        "of another issuer": tenant.issuer.token(tenant.organization_id, tenant.scope, iss="somebody"),
        "no token": "x",
    }
    answers = [await tenant.http.post("/v1/event-types", json=EVENT_TYPE)]
    for token in tokens.values():
        headers = {"Authorization": f"Bearer {token}"}
        answers.append(await tenant.http.post("/v1/event-types", json=EVENT_TYPE, headers=headers))

    assert {(answer.status_code, answer.json()["type"]) for answer in answers} == {(401, "unauthorized")}


async def test_a_token_of_no_organization_is_refused(tenant: Tenant) -> None:
    tenant.organization_id = ""

    refused = await tenant.call("POST", "/v1/hosts", json=HOST)

    assert (refused.status_code, refused.json()["type"]) == (403, "no-organization")
