"""The program: its commands, its graceful end, and what it never writes anywhere."""

import json
import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from local_stack.processes import free_port
from tests.integration.auth_service.conftest import ZOOM_CLIENT_SECRET
from tests.integration.auth_service.processes import command, command_in_process, is_up, serving
from tests.integration.auth_service.replicas import SERVICE, SERVICE_SECRET, Caller
from tests.integration.auth_service.test_access_tokens import fingerprint
from tests.integration.auth_service.zoom_app import Zoom
from tests.support.eventually import eventually


async def test_a_client_is_made_listed_and_revoked_by_commands(environment: dict[str, str], database: Any):
    made = await command(environment, "organizations", "create", "--name", "Koalendar")
    organization = made.output.strip()
    arguments = ("--organization", organization, "--name", "the web shop", "--scopes", "bookings.write zoom.connect")
    created = await command(environment, "clients", "create", *arguments)
    shown = dict(line.split("=", 1) for line in created.output.split())
    assert len(shown["client_secret"]) >= 43
    assert await _listed(environment, "organizations") == [[organization, "Koalendar"]]
    scopes = "bookings.write zoom.connect"
    assert await _listed(environment, "clients") == [
        [shown["client_id"], organization, "active", scopes, "the web shop"]
    ]
    assert (await command(environment, "clients", "revoke", shown["client_id"])).status == 0
    [row] = [row async for row in database["clients"].find({"organization_id": organization})]
    assert row["revoked_at"]
    [[client_id, _, state, *_]] = await _listed(environment, "clients")
    assert (client_id, state) == (shown["client_id"], "revoked")
    assert shown["client_secret"] not in str(row)


async def _listed(environment: dict[str, str], what: str) -> list[list[str]]:
    """Return the columns of each line, as a script on a narrow terminal gets them."""
    listed = await command({**environment, "COLUMNS": "40"}, what, "list")
    return [line.split("\t") for line in listed.output.splitlines()]


@pytest.mark.parametrize(
    "arguments",
    [
        ("organizations", "create", "--name", ""),
        ("organizations", "create", "--name", " "),
        ("organizations", "create", "--name", "two\tcolumns"),
        ("clients", "create", "--organization", "org_none", "--name", "", "--scopes", "bookings.write"),
        ("clients", "create", "--organization", "org_none", "--name", "x", "--scopes", "bookings.write"),
        ("clients", "create", "--organization", "org_none", "--name", "x", "--scopes", "zoom.access-tokens"),
        ("clients", "create", "--organization", "org_none", "--name", "x", "--scopes", ""),
        ("clients", "revoke", "client_none"),
    ],
)
async def test_a_command_that_cannot_be_carried_out_says_why(
    arguments: tuple[str, ...], environment: dict[str, str], database: Any
):
    refused = await command(environment, *arguments)
    assert refused.status == 2
    assert "Invalid value" in refused.errors
    assert await database["clients"].count_documents({}) == 0
    assert await database["organizations"].count_documents({}) == 0


async def test_a_missing_setting_stops_the_start_with_one_line_that_names_it(environment: dict[str, str]):
    del environment["ZOOM_CLIENT_SECRET"]
    refused = await command_in_process({**environment, "SERVICE_CLIENTS": "canary-without-scopes"})
    assert refused.status == 2
    [line] = refused.errors.splitlines()
    assert "ZOOM_CLIENT_SECRET is missing" in line
    assert "SERVICE_CLIENTS" in line
    assert "canary" not in line


async def test_no_secret_is_found_in_the_database_or_in_what_the_process_writes(
    environment: dict[str, str], zoom: Zoom, database: Any
):
    """The whole way with every kind of secret, then a look at everything that is left of it."""
    port = free_port()
    secrets = {ZOOM_CLIENT_SECRET, SERVICE_SECRET}
    async with (
        serving({**environment, "HTTP_PORT": str(port), "LOG_LEVEL": "DEBUG"}) as child,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
    ):
        await is_up(http)
        product = await _product(environment, http)
        secrets.add(product.secret)
        consent_page = await product.start("hst_1")
        back = await zoom.consent(consent_page)
        secrets |= {dict(parse_qsl(urlsplit(back).query))[name] for name in ("state", "code")}
        assert (await product.come_back(back)).status_code == 200
        assert (await product.come_back(back)).status_code == 409
        service = Caller(http, SERVICE, SERVICE_SECRET)
        asked = {"organization_id": product.organization_id, "host_id": "hst_1"}
        first = (await service.access_token(**asked)).json()["access_token"]
        await zoom.fault("token", "down")
        assert (await service.access_token(**asked, rejected=fingerprint(first))).status_code == 503
        second = await _refreshed(service, asked, first)
        secrets |= {first, second, await product.token()}
        child.terminate()
        ended_at = time.monotonic()
        output, errors = await child.communicate()
        assert time.monotonic() - ended_at < 10
    written = (output + errors).decode()
    assert "zoom.refresh_failed" in written
    assert "zoom.tokens_refreshed" in written
    assert "service.stopped" in written
    assert "host-1@example.com" not in written
    assert all(json.loads(line) for line in written.splitlines())
    dump = str([row for name in await database.list_collection_names() async for row in database[name].find()])
    assert "hst_1" in dump
    assert not [secret for secret in secrets if secret in dump or secret in written]


async def _product(environment: dict[str, str], http: httpx.AsyncClient) -> Caller:
    organization = (await command(environment, "organizations", "create", "--name", "S")).output.strip()
    arguments = ("--organization", organization, "--name", "s", "--scopes", "zoom.connect zoom.administer")
    made = await command(environment, "clients", "create", *arguments)
    shown = dict(line.split("=", 1) for line in made.output.split())
    return Caller(http, shown["client_id"], shown["client_secret"], organization)


async def _refreshed(service: Caller, asked: dict[str, str], old: str) -> str:
    async def new_token() -> str:
        answer = await service.access_token(**asked, rejected=fingerprint(old))
        return str(answer.json().get("access_token", ""))

    token: str = await eventually(new_token, within=20, every=0.5)
    assert token != old
    return token
