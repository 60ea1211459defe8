"""What is handed out of a person or an organization: all of theirs, nothing of another's, and no token."""

import json
from typing import Any

import httpx

from booking_service.app import exporting
from booking_service.settings import Settings
from tests.integration.booking_service.conftest import NewTenant
from tests.integration.booking_service.tenant import INVITEE, hour

GUS = INVITEE | {"name": "Gus", "email": "gus@guest.example"}


async def exported(settings: Settings, *of: str) -> list[dict[str, Any]]:
    async with exporting(settings) as export:
        return [json.loads(json.dumps(record)) async for record in export.records(*of)]


async def test_f69_b18_an_export_holds_what_was_put_in_and_nothing_of_another_organization(
    new_tenant: NewTenant, service: httpx.AsyncClient, settings: Settings
):
    one, other = await new_tenant(service), await new_tenant(service)
    of_gus = await one.book(hour(9), invitee=GUS)
    of_grace = await one.book(hour(11))
    elsewhere = await other.book(hour(9), invitee=GUS)
    everything = await exported(settings, one.organization_id)
    assert {record["id"] for record in everything} == {*(of_gus["id"], of_grace["id"], one.host_id, one.event_type_id)}
    [booking] = await exported(settings, one.organization_id, "GUS@guest.example")
    assert (booking["id"], booking["invitee"], booking["starts_at"]) == (of_gus["id"], GUS, of_gus["starts_at"])
    assert [line["what"] for line in booking["timeline"]] == ["booked"]
    whole = str(everything)
    for secret in (of_gus["join_address"], of_gus["manage_address"]):
        assert secret.rpartition("/")[2] not in whole
    assert elsewhere["id"] not in whole


async def test_f69_a_host_is_handed_their_own(new_tenant: NewTenant, service: httpx.AsyncClient, settings: Settings):
    tenant = await new_tenant(service)
    await tenant.book(hour(9))
    kinds = [record["kind"] for record in await exported(settings, tenant.organization_id, "ada@example.com")]
    assert kinds == ["booking", "host"]
