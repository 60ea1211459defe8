"""Nobody's mailbox is flooded by way of us (OWASP API6:2023): so many invitations to one address within the hour."""

from collections.abc import AsyncIterator

import httpx
import pytest

from booking_service.settings import Settings
from tests.integration.booking_service.conftest import NewTenant
from tests.integration.booking_service.replicas import replica
from tests.integration.booking_service.tenant import INVITEE, Tenant, hour

AN_HOUR = 3_600


@pytest.fixture
async def careful(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A replica that lets two invitations an hour go to an address."""
    async with replica(settings.model_copy(update={"invitations_per_hour": 2})) as http:
        yield http


@pytest.fixture
async def tenant(careful: httpx.AsyncClient, new_tenant: NewTenant) -> Tenant:
    return await new_tenant(careful)


async def test_api6_one_address_is_not_flooded_and_others_are_invited(tenant: Tenant, new_tenant: NewTenant):
    await tenant.book(hour(9))
    booking = await tenant.book(hour(10))

    refused = await tenant.try_to_book(hour(11), invitee=INVITEE | {"email": INVITEE["email"].upper()})

    assert (refused.status_code, refused.json()["type"]) == (429, "too-many-invitations")
    assert 0 < int(refused.headers["retry-after"]) <= AN_HOUR / 2
    assert INVITEE["email"] not in refused.text
    moved = await tenant.try_to_reschedule(booking["id"], hour(12))
    assert moved.status_code == 429, "a new time is a mail too"
    assert (await tenant.try_to_cancel(booking["id"])).status_code == 200
    await tenant.book(hour(13), invitee=INVITEE | {"email": "another@example.org"})
    await (await new_tenant(tenant.http)).book(hour(9))


async def test_api6_what_invites_nobody_counts_nothing(tenant: Tenant):
    first = await tenant.try_to_book(hour(9), key="k")
    for _ in range(5):
        assert (await tenant.try_to_book(hour(9))).status_code == 409
        assert (await tenant.try_to_book(hour(9), key="k")).json() == first.json()
        assert (await tenant.try_to_reschedule(first.json()["id"], hour(9))).status_code == 200
    await tenant.book(hour(10))

    assert (await tenant.try_to_book(hour(9), key="k")).json() == first.json(), "a repeat is answered all the same"
    assert (await tenant.try_to_book(hour(11))).status_code == 429
