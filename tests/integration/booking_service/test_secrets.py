"""Whoever steals the database or reads the log gets no way into a meeting or a booking."""

import pytest

from tests.integration.booking_service.conftest import StoredSessions
from tests.integration.booking_service.neighbours import Neighbours
from tests.integration.booking_service.replicas import Wire
from tests.integration.booking_service.tenant import Tenant, hour
from tests.support.eventually import eventually


async def test_tokens_links_and_passcodes_are_stored_and_logged_nowhere_in_the_clear(
    tenant: Tenant, wire: Wire, neighbours: Neighbours, stored: StoredSessions, capsys: pytest.CaptureFixture[str]
) -> None:
    booking = (await tenant.try_to_book(hour(9), key="a key")).json()
    await neighbours.ready(await wire.told(booking["id"]), 1)

    async def is_ready() -> bool:
        return bool((await tenant.booking(booking["id"]))["meeting"]["status"] == "ready")

    await eventually(is_ready)
    await tenant.try_to_reschedule(booking["id"], hour(11), key="another key")
    kept = repr(await stored(tenant)) + "".join(capsys.readouterr())

    assert booking["id"] in kept
    addresses = (booking["join_address"], booking["manage_address"])
    tokens = [address.rpartition("/")[2] for address in addresses]
    for secret in (*tokens, "canary-pwd", "canary-passcode", "a key"):
        assert secret not in kept
