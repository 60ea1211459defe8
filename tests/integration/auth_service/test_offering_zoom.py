"""Who may connect Zoom, whether a tenant is offered it at all, and those who come from the Zoom Marketplace."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from auth_service.commands import command_line
from auth_service.mongo.clients import Clients
from auth_service.mongo.organizations import Organizations
from auth_service.settings import Settings
from convoke import mongo
from tests.integration.auth_service.owners import OwnerAtZoom, text_of
from tests.integration.auth_service.replicas import Browser, Caller, MovableClock, replica
from tests.integration.auth_service.zoom_app import Zoom

Connect = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def staff(product: Caller, auth: httpx.AsyncClient, clients: Clients) -> Caller:
    """Return the same organization's client for those who are no administrators."""
    client, secret = await clients.create(product.organization_id, "for hosts", ("zoom.connect",))
    return Caller(auth, client.id, secret, product.organization_id)


@pytest.fixture
def organizations(store: mongo.Database) -> Organizations:
    return Organizations(store)


async def test_f12_f13_only_an_administrators_client_changes_the_organizations_connection(
    product: Caller, staff: Caller, connect: Connect
):
    shared = await connect(product)
    own = await connect(product, host_id="hst_1", user_id="host-2")
    address = f"/v1/zoom/connections/{shared['id']}"
    pause = {"enabled_for_new_bookings": False}
    for refused in (
        await staff.begin(),
        await staff.call("DELETE", address),
        await staff.call("PATCH", address, json=pause),
    ):
        assert (refused.status_code, refused.json()["type"]) == (403, "administrator-required")
        assert "zoom.administer" in refused.json()["detail"]
    assert {(each["status"], each["enabled_for_new_bookings"]) for each in await staff.connections()} == {
        ("active", True)
    }
    assert (await staff.call("PATCH", f"/v1/zoom/connections/{own['id']}", json=pause)).status_code == 200
    assert (await staff.begin("hst_1")).status_code == 201
    assert (await staff.call("DELETE", f"/v1/zoom/connections/{own['id']}")).status_code == 204
    assert (await product.call("DELETE", address)).status_code == 204


async def test_f13_a_client_without_either_scope_neither_sees_nor_connects(
    product: Caller, auth: httpx.AsyncClient, clients: Clients
):
    client, secret = await clients.create(product.organization_id, "bookings only", ("bookings.read",))
    other = Caller(auth, client.id, secret, product.organization_id)
    for refused in (await other.begin("hst_1"), await other.call("GET", "/v1/zoom")):
        assert (refused.status_code, refused.json()["type"]) == (403, "missing-scope")
        assert "'zoom.connect' or 'zoom.administer'" in refused.json()["detail"]


async def test_f19_f80_a_tenant_for_which_zoom_is_off_is_told_why_and_cannot_begin(
    product: Caller, organizations: Organizations, zoom: Zoom, connect: Connect
):
    before = (await product.call("GET", "/v1/zoom")).json()
    assert (before["enabled"], before["reason"], before["support_url"]) == (True, None, None)
    await connect(product, host_id="hst_1")
    link = (await product.begin("hst_2")).json()["authorization_url"]
    await organizations.switch_zoom_off(product.organization_id, "It is not part of your plan.")
    told = (await product.call("GET", "/v1/zoom")).json()
    assert (told["enabled"], told["reason"]) == (False, "It is not part of your plan.")
    refused = await product.begin("hst_2")
    assert (refused.status_code, refused.json()["type"]) == (403, "zoom-off")
    assert "It is not part of your plan." in refused.json()["detail"]
    page = await product.browser.open(link)
    assert page.status_code == 403
    assert "switched off for your organization" in page.text
    assert [each["status"] for each in await product.connections()] == ["active"]
    await organizations.switch_zoom_on(product.organization_id)
    assert (await OwnerAtZoom(product, zoom).come_back(host_id="hst_2")).status_code == 200


async def test_f2_f19_an_operator_decides_by_command(environment: dict[str, str]):
    async def organizations(*arguments: str) -> Result:
        program = command_line()
        return await asyncio.to_thread(
            lambda: CliRunner().invoke(program, ["organizations", *arguments], env=environment)
        )

    made = await organizations("create", "--name", "Koalendar")
    organization = ("--organization", made.stdout.strip())
    address = ("--address", "https://app.koalendar.example/settings")
    for added in (address, ("--address", "https://app.koalendar.example/team")):
        allowed = await organizations("allow-return", *organization, *added)
    assert allowed.exit_code == 0
    assert [line.strip() for line in allowed.stdout.splitlines()] == [
        "owners may be sent back to, and to all below:",
        "https://app.koalendar.example/settings",
        "https://app.koalendar.example/team",
    ]
    left = await organizations("forbid-return", *organization, *added)
    assert left.stdout.splitlines()[1:] == [f"    {address[1]}"]
    assert (await organizations("list-returns", *organization)).stdout.splitlines() == [address[1]]
    none = await organizations("forbid-return", *organization, *address)
    assert (none.exit_code, none.stdout) == (0, "owners may be sent back nowhere\n")
    assert (await organizations("list-returns", *organization)).stdout == ""
    assert (await organizations("zoom-off", *organization, "--reason", "Not yet")).exit_code == 0
    refused = await organizations("allow-return", *organization, "--address", "http://a.example")
    assert refused.exit_code == 2
    assert "https://" in refused.stderr
    unknown = await organizations("zoom-on", "--organization", "org_none")
    assert unknown.exit_code == 2
    assert "no organization has this id" in unknown.stderr


async def test_f5_f6_who_comes_from_the_marketplace_is_led_to_where_connecting_is_finished(
    settings: Settings, clock: MovableClock, zoom: Zoom
):
    told = {"connect_url": "https://app.acme.example/settings/zoom", "support_url": "https://help.acme.example/"}
    async with replica(settings.model_copy(update=told), clock) as http:
        browser = Browser(http)
        for _ in range(2):  # Zoom lets a person install it again
            page = await browser.open(await zoom.install())
            assert page.status_code == 200
            assert 'href="https://app.acme.example/settings/zoom"' in page.text
            assert "Finish connecting" in page.text
            assert "not connected to your bookings yet" in page.text
            assert 'href="https://help.acme.example/"' in page.text
    assert await zoom.token_calls() == []


@pytest.mark.parametrize(
    ("query", "status", "title"),
    [
        ("error=access_denied", 403, "Zoom was not connected"),
        ("error=access_denied&error_description=You+cannot+authorize+Convoke", 403, "administrator has to agree first"),
        ("error=invalid_request&error_description=Invalid+redirect+(4%2C709)", 502, "does not know the way back"),
        ("error=4738", 403, "administrator has switched the app off"),
        ("error=server_error", 400, "an error that is not known here"),
    ],
)
async def test_f14_f77_f79_f82_an_error_that_zoom_sends_along_has_a_page_with_the_next_step(
    query: str, status: int, title: str, product: Caller, zoom: Zoom
):
    """Without a state, as a Marketplace install comes back; and with one, which is spent."""
    state = (await product.start()).partition("state=")[2].partition("&")[0]
    for asked in (query, f"{query}&state={state}"):
        page = await product.browser.open(f"/v1/zoom/callback?{asked}")
        assert page.status_code == status
        assert title in text_of(page)
        assert "Connect Zoom" in page.text
    assert (await product.browser.open(f"/v1/zoom/callback?{query}&state={state}")).status_code == 409
    assert await zoom.token_calls() == []


async def test_f14_f82_where_an_administrator_must_approve_zooms_page_says_so_and_ours_said_what_to_do(
    product: Caller, zoom: Zoom
):
    await zoom.turn(pre_approval_required=True)
    link = (await product.begin()).json()["authorization_url"]
    assert "Zoom administrator has to approve the app first" in text_of(await product.browser.open(link))
    refused = await zoom.http.get(await product.browser.proceed(link))
    assert "You cannot authorize" in refused.text
    await zoom.turn(pre_approval_required=False)
    assert (await product.come_back(await zoom.consent(await product.browser.proceed(link)))).status_code == 200
