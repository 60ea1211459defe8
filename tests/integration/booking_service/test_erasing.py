"""Erasing in booking-service: people and whole organizations go; history stays, and nothing late returns."""

from datetime import timedelta
from typing import Any

import httpx

from convoke.clock import utc_now
from convoke.messaging.cloudevents import Event
from tests.integration.booking_service.conftest import NewTenant, StoredSessions
from tests.integration.booking_service.eraser import Eraser
from tests.integration.booking_service.neighbours import Neighbours
from tests.integration.booking_service.replicas import Wire
from tests.integration.booking_service.tenant import INVITEE, Tenant, hour
from tests.support.eventually import eventually

GUS = INVITEE | {"name": "Gus", "email": "gus@guest.example"}


async def over(database: Any, booking_id: str, days: int = 7) -> None:
    """Let a booking have taken place so many days ago, as nobody can book in the past."""
    past = {"$set": {"starts_at": utc_now().replace(minute=0, second=0, microsecond=0) - timedelta(days=days)}}
    done = await database.sessions.update_one({"seats.id": booking_id, "outbox": []}, past)
    assert done.modified_count


async def told(wire: Wire, database: Any, booking_id: str) -> Event[Any]:
    """Return a booking's first event, once it is filed as published."""
    event = await wire.told(booking_id)
    await eventually(lambda: database.sessions.find_one({"seats.id": booking_id, "outbox": []}))
    return event


async def test_f69_a_person_goes_from_what_is_over_and_what_is_ahead_waits(
    *, tenant: Tenant, wire: Wire, eraser: Eraser, stored: StoredSessions, database: Any, service: httpx.AsyncClient
):
    past, ahead = await tenant.book(hour(9), invitee=GUS), await tenant.book(hour(11), invitee=GUS)
    other = await tenant.book(hour(13))
    for booking in (past, ahead, other):
        await told(wire, database, booking["id"])
    await over(database, past["id"])
    share = await eraser.erase(tenant, "person", "GUS@guest.example")
    assert (share["removed"], share["left"]) == ({"bookings": 1}, {"bookings": 1})
    after = await tenant.booking(past["id"])
    assert after["invitee"] == {"name": "erased", "email": "erased@erased.invalid", "timezone": "UTC", "locale": "en"}
    assert (await service.get(past["join_address"])).status_code == 404
    assert (await tenant.booking(ahead["id"]))["invitee"]["email"] == GUS["email"]
    assert (await service.get(ahead["join_address"])).status_code == 200
    assert (await tenant.booking(other["id"]))["invitee"]["email"] == INVITEE["email"]
    await tenant.try_to_cancel(ahead["id"], reason="Gus is ill")
    await eventually(lambda: database.sessions.find_one({"seats.id": ahead["id"], "status": "canceled", "outbox": []}))
    share = await eraser.look_again(share)
    assert (share["removed"], share["left"]) == ({"bookings": 2}, {})
    documents = str(await stored(tenant))
    assert "Gus" not in documents
    assert GUS["email"] not in documents


async def test_f69_a_host_goes_with_what_is_over_and_cannot_be_booked_any_more(
    *, tenant: Tenant, wire: Wire, eraser: Eraser, stored: StoredSessions, database: Any
):
    past = await tenant.book(hour(9))
    await told(wire, database, past["id"])
    await over(database, past["id"])
    share = await eraser.erase(tenant, "person", "ada@example.com")
    assert share["removed"] == {"bookings": 1, "hosts": 1}
    assert (await tenant.try_to_book(hour(11))).json()["type"] == "unknown-host"
    assert await tenant.get("/v1/hosts") == {"items": []}
    assert "ada@example.com" not in str(await stored(tenant))
    assert (await tenant.booking(past["id"]))["status"] == "confirmed"


async def test_f69_a_host_who_is_added_after_the_request_is_left_alone(tenant: Tenant, eraser: Eraser):
    share = await eraser.erase(tenant, "person", "ada@example.com")
    again = await tenant.add_host(email="ada@example.com")
    await eraser.look_again(share)
    assert [host["id"] for host in (await tenant.get("/v1/hosts"))["items"]] == [again]


async def test_f70_of_an_organization_only_ids_are_left_and_nothing_of_another(
    *,
    tenant: Tenant,
    new_tenant: NewTenant,
    service: httpx.AsyncClient,
    wire: Wire,
    neighbours: Neighbours,
    eraser: Eraser,
    stored: StoredSessions,
    database: Any,
):
    other = await new_tenant(service)
    booking, second = await tenant.book(hour(9)), await tenant.book(hour(11))
    untouched = await other.book(hour(9))
    event = await told(wire, database, booking["id"])
    await told(wire, database, second["id"])
    share = await eraser.erase(tenant, "organization")
    assert share["removed"] == {"bookings": 2, "hosts": 1, "event_types": 1}
    for document in await stored(tenant):
        assert set(document) == {"_id", "organization_id", "revision", "seats", "is_erased", "erased_by"}
        assert [set(seat) for seat in document["seats"]] == [{"id"}]
    assert (await tenant.call("GET", f"/v1/bookings/{booking['id']}")).status_code == 404
    assert await tenant.get("/v1/bookings") == {"items": []}
    assert (await service.get(booking["join_address"])).status_code == 404
    assert (await other.booking(untouched["id"]))["invitee"]["email"] == INVITEE["email"]
    await neighbours.ready(event, 7)
    await neighbours.mailed(event, "invitee")
    after = await told(wire, database, untouched["id"])
    await neighbours.ready(after, 1)
    await neighbours.mailed(after, "invitee")
    await eventually(lambda: has_mail(other, untouched["id"]))
    assert "join_url" not in str(await stored(tenant))
    assert await database["dead_letters"].count_documents({"organization_id": tenant.organization_id}) == 0


async def has_mail(tenant: Tenant, booking_id: str) -> bool:
    return {"mail_accepted", "meeting_ready"} <= set(await tenant.timeline(booking_id))


async def test_f70_dead_letters_are_scrubbed_and_stay_visible(
    *, tenant: Tenant, wire: Wire, neighbours: Neighbours, eraser: Eraser, database: Any
):
    booking = await tenant.book(hour(9))
    event = await told(wire, database, booking["id"])
    await neighbours.ready(event, 1, join_url="javascript:alert(1)")
    waiting = {"organization_id": tenant.organization_id, "state": "waiting"}
    assert await eventually(lambda: database["dead_letters"].find_one(waiting), within=20)
    share = await eraser.erase(tenant, "zoom_data")
    assert share["removed"]["dead_letters"] == 1
    letter = await database["dead_letters"].find_one({"organization_id": tenant.organization_id})
    assert (letter["state"], letter["decisions"][-1]["by"]) == ("discarded", "erasure")
    assert "sealed" not in letter
