"""A booking needs neither the broker nor anybody behind it; what could not be told is told later, once."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from booking_service.settings import Settings
from convoke.contracts import BookingRescheduled
from convoke.messaging.outbox import OUTBOX_LIMIT, entry
from tests.integration.booking_service.cable import cable_to
from tests.integration.booking_service.conftest import NewTenant, StoredSessions
from tests.integration.booking_service.replicas import Wire, replica, tapped
from tests.integration.booking_service.tenant import Tenant, hour
from tests.support.eventually import eventually


@pytest.fixture
def without_broker(settings: Settings) -> Iterator[Settings]:
    """Settings that name a port where nobody listens, and nobody else can."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"amqp://guest:guest@127.0.0.1:{taken.getsockname()[1]}/"
        yield settings.model_copy(update={"rabbitmq_url": SecretStr(url)})


async def booked_once_prepared(tenant: Tenant) -> dict[str, Any]:
    """Book with a replica that never becomes ready; it refuses while its indexes are not there."""

    async def booked() -> dict[str, Any]:
        answer = await tenant.try_to_book(hour(9))
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    booking: dict[str, Any] = await eventually(booked)
    return booking


async def test_a_booking_is_made_without_the_broker_and_told_by_the_next_replica(
    tenant: Tenant, without_broker: Settings, new_tenant: NewTenant, stored: StoredSessions, wire: Wire
) -> None:
    async with replica(without_broker, ready=503) as http:
        alone = await eventually(lambda: new_tenant(http))
        booking = await booked_once_prepared(alone)
        moved = await alone.try_to_reschedule(booking["id"], hour(11))
        assert moved.status_code == 200
        assert (await alone.booking(booking["id"]))["revision"] == 2
        assert len((await stored(alone))[0]["outbox"]) == 2

    # The service that runs beside it finds in its sweep what was left behind.
    assert tenant.organization_id != alone.organization_id
    created = await wire.told(booking["id"])
    await wire.told(booking["id"], "booking.rescheduled.v1")
    assert created.data.session.revision == 2
    assert created.data.session.starts_at.isoformat() == hour(11)

    async def is_empty() -> bool:
        return not (await stored(alone))[0]["outbox"]

    await eventually(is_empty)
    assert wire.deliveries(booking["id"]) == 2


async def test_a_booking_made_while_the_broker_is_gone_is_told_once_it_is_back(
    settings: Settings, new_tenant: NewTenant, fresh_database: str, fresh_vhost: str
) -> None:
    async with cable_to(fresh_vhost) as cable:
        mine = {"rabbitmq_url": SecretStr(cable.url), "mongodb_database": fresh_database}
        async with replica(settings.model_copy(update=mine)) as http, tapped(fresh_vhost) as wire:
            tenant = await new_tenant(http)
            await wire.told((await tenant.book(hour(8)))["id"])

            await cable.cut()
            booking = await tenant.book(hour(9))
            assert wire.deliveries(booking["id"]) == 0
            await cable.mend()

            await wire.told(booking["id"])
            assert wire.types(booking["id"]) == ["booking.created.v1"]


async def test_an_event_is_delivered_once_and_its_outbox_is_empty_then(
    tenant: Tenant, stored: StoredSessions, wire: Wire
) -> None:
    booking = await tenant.book(hour(9))

    async def is_empty() -> bool:
        return not (await stored(tenant))[0]["outbox"]

    await eventually(is_empty)
    await wire.told(booking["id"])
    assert wire.deliveries(booking["id"]) == 1


async def test_a_session_whose_events_pile_up_takes_no_more_changes_for_now(
    without_broker: Settings, new_tenant: NewTenant, stored: StoredSessions, database: Any
) -> None:
    async with replica(without_broker, ready=503) as http:
        tenant = await eventually(lambda: new_tenant(http))
        booking = await booked_once_prepared(tenant)
        # Far ahead, so that no sweep takes them.
        pile = [entry(BookingRescheduled, datetime(2100, 1, 1, tzinfo=UTC)) for _ in range(OUTBOX_LIMIT - 2)]
        mine = {"organization_id": tenant.organization_id}
        await database.sessions.update_one(mine, {"$push": {"outbox": {"$each": pile}}})

        last = await tenant.try_to_reschedule(booking["id"], hour(10))
        refused = await tenant.try_to_reschedule(booking["id"], hour(11), key="k")
        [session] = await stored(tenant)
        await database.sessions.delete_one(mine)

    assert last.status_code == 200
    assert (refused.status_code, refused.json()["type"]) == (503, "outbox-full")
    assert refused.headers["retry-after"]
    assert session["revision"] == 2
    assert len(session["outbox"]) == OUTBOX_LIMIT


async def test_whoever_books_does_not_wait_for_a_broker_that_does_not_answer(
    without_broker: Settings, new_tenant: NewTenant, capsys: pytest.CaptureFixture[str]
) -> None:
    async with replica(without_broker, ready=503) as http:
        tenant = await eventually(lambda: new_tenant(http))
        await booked_once_prepared(tenant)

    assert "outbox.left_for_sweep" in capsys.readouterr().out
