"""Erasing Zoom's data, and links that are old: they go, what was made since stays, and so does the history."""

from datetime import timedelta
from functools import partial
from typing import Any

from booking_service.mongo.portions import Portions
from booking_service.settings import Settings
from convoke import mongo
from convoke.clock import utc_now
from convoke.due_work import DueWork
from convoke.erasure.retention import Retention
from convoke.messaging.cloudevents import Event
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.messaging.publisher import Publisher
from convoke.vault import Vault
from tests.integration.booking_service.conftest import StoredSessions
from tests.integration.booking_service.eraser import Eraser
from tests.integration.booking_service.neighbours import JOIN_URL, Neighbours
from tests.integration.booking_service.replicas import Wire
from tests.integration.booking_service.tenant import INVITEE, Tenant, hour
from tests.integration.booking_service.test_erasing import over, told
from tests.integration.booking_service.test_warnings import connected
from tests.support.eventually import eventually


async def test_f69_f65_links_go_and_bookings_and_their_history_stay(
    *, tenant: Tenant, wire: Wire, neighbours: Neighbours, eraser: Eraser, stored: StoredSessions, database: Any
):
    booking = await tenant.book(hour(9))
    event = await told(wire, database, booking["id"])
    await neighbours.ready(event, 1)
    await eventually(lambda: is_ready(tenant, booking["id"]))
    share = await eraser.erase(tenant, "zoom_data")
    assert share["removed"] == {"meetings_of_bookings": 1}
    after = await tenant.booking(booking["id"])
    assert (after["meeting"]["status"], "join_url" in after["meeting"]) == ("pending", False)
    assert after["invitee"]["email"] == INVITEE["email"]
    assert await tenant.timeline(booking["id"]) == ["booked", "meeting_ready"]
    [document] = await stored(tenant)
    assert document["meeting"]["way_in"] is None
    assert document["meeting"]["revision"] == 1
    assert document["idempotency"] == []
    await neighbours.ready(event, 1)
    await neighbours.ready(event, 2)
    await eventually(lambda: is_ready(tenant, booking["id"]))
    assert (await tenant.booking(booking["id"]))["meeting"]["join_url"] == JOIN_URL


async def is_ready(tenant: Tenant, booking_id: str) -> bool:
    return bool((await tenant.booking(booking_id))["meeting"]["status"] == "ready")


async def test_f69_a_link_that_was_on_its_way_before_the_request_is_not_stored(
    *, tenant: Tenant, wire: Wire, publisher: Publisher, neighbours: Neighbours, eraser: Eraser, database: Any
):
    booking, another = await tenant.book(hour(9)), await tenant.book(hour(11))
    event, later = [await told(wire, database, one["id"]) for one in (booking, another)]
    await eraser.erase(tenant, "zoom_data")

    class Late:
        """Publishes as it would have been said an hour ago."""

        async def publish(self, said: Event[Any]) -> None:
            await publisher.publish(
                Event(
                    said.id, said.source, said.subject, utc_now() - timedelta(hours=1), said.organization_id, said.data
                )
            )

    late: Any = Late()
    await Neighbours(late).ready(event, 1)
    await neighbours.ready(later, 1)
    await eventually(lambda: is_ready(tenant, another["id"]))
    assert (await tenant.booking(booking["id"]))["meeting"]["status"] == "pending"


async def test_f69_f68_a_late_share_leaves_the_link_of_a_newer_connection_and_takes_what_is_older(
    *, tenant: Tenant, wire: Wire, neighbours: Neighbours, eraser: Eraser, database: Any
):
    asked_at = utc_now()
    before, since = asked_at - timedelta(days=9), asked_at + timedelta(milliseconds=1)
    again, older = await tenant.book(hour(9)), await tenant.book(hour(11))
    told_again, told_older = [await told(wire, database, one["id"]) for one in (again, older)]
    await neighbours.ready(told_older, 1, connected_at=before)
    await neighbours.ready(told_again, 1, connected_at=before)
    await neighbours.ready(told_again, 2, connected_at=since, change="replaced")
    await eventually(lambda: database.sessions.find_one({"seats.id": again["id"], "meeting.revision": 2}))
    share = await eraser.erase(tenant, "zoom_data", asked_at=asked_at)
    assert share["removed"] == {"meetings_of_bookings": 1}
    assert (await tenant.booking(again["id"]))["meeting"]["join_url"] == JOIN_URL
    await neighbours.ready(told_older, 2, connected_at=before)
    await neighbours.ready(told_again, 3, connected_at=since, change="unchanged")
    await eventually(lambda: database.sessions.find_one({"seats.id": again["id"], "meeting.revision": 3}))
    assert "join_url" not in (await tenant.booking(older["id"]))["meeting"]


async def test_f69_f81_a_share_leaves_why_there_is_no_meeting_since_the_request(
    *, tenant: Tenant, wire: Wire, neighbours: Neighbours, eraser: Eraser, database: Any
):
    """As meeting-service tells it once its own share is done, which may be before this service's."""
    before, since = await tenant.book(hour(9)), await tenant.book(hour(11))
    events = [await told(wire, database, one["id"]) for one in (before, since)]
    await neighbours.failed(events[0], 1)
    stored = await eventually(lambda: database.sessions.find_one({"seats.id": before["id"], "meeting.revision": 1}))
    asked_at = stored["meeting"]["told_at"]
    await neighbours.failed(events[1], 1)
    await eventually(lambda: database.sessions.find_one({"seats.id": since["id"], "meeting.revision": 1}))
    share = await eraser.erase(tenant, "zoom_data", asked_at=asked_at)
    assert share["removed"] == {"meetings_of_bookings": 1}
    assert (await tenant.booking(before["id"]))["meeting"]["status"] == "pending"
    meeting = (await tenant.booking(since["id"]))["meeting"]
    assert (meeting["status"], meeting["reason"]["code"]) == ("failed", "zoom_not_connected")


async def test_f69_a_late_share_takes_the_lines_from_before_a_newer_connection(
    *, tenant: Tenant, wire: Wire, neighbours: Neighbours, eraser: Eraser, stored: StoredSessions, database: Any
):
    booking = await tenant.book(hour(9))
    event, asked_at = await told(wire, database, booking["id"]), utc_now()
    await neighbours.failed(event, 1)
    await eventually(lambda: database.sessions.find_one({"seats.id": booking["id"], "meeting.revision": 1}))
    await neighbours.ready(event, 2, connected_at=utc_now())
    await eventually(lambda: database.sessions.find_one({"seats.id": booking["id"], "meeting.revision": 2}))
    share = await eraser.erase(tenant, "zoom_data", asked_at=asked_at)
    assert share["removed"] == {"meetings_of_bookings": 1}
    [document] = await stored(tenant)
    lines = [line["detail"] for line in document["timeline"] if line["what"].startswith("meeting_")]
    assert lines == ["erased", "the Zoom meeting was made"]
    assert (await tenant.booking(booking["id"]))["meeting"]["join_url"] == JOIN_URL


async def test_f69_f29_zoom_that_was_connected_again_before_the_share_is_erased_is_not_warned_of(
    *, tenant: Tenant, publisher: Publisher, eraser: Eraser, database: Any
):
    await publisher.publish(connected(tenant.organization_id, 3, plan="basic"))
    of_tenant = {"organization_id": tenant.organization_id}
    assert await eventually(lambda: database["zoom_connections"].find_one(of_tenant))
    share = await eraser.erase(tenant, "zoom_data")
    assert share["removed"] == {"zoom_connections": 1}
    kept = await database["zoom_connections"].find_one(of_tenant)
    assert (kept["status"], kept["plan"]) == ("active", "unknown")


async def test_f66_b18_an_old_sessions_link_goes_after_a_while_and_its_booking_and_history_stay(
    *, tenant: Tenant, wire: Wire, neighbours: Neighbours, database: Any, settings: Settings
):
    old, recent = await tenant.book(hour(9)), await tenant.book(hour(11))
    for booking in (old, recent):
        await neighbours.ready(await told(wire, database, booking["id"]), 1)
        await eventually(partial(is_ready, tenant, booking["id"]))
    await over(database, old["id"], days=40)
    await over(database, recent["id"], days=20)
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    own, vault = mongo.database(client, settings.mongodb_database), Vault(settings.encryption_keys)
    portions = Portions(own, vault, DeadLetters(own, vault, ()), utc_now)
    retention = Retention(own, portions.expired_links, timedelta(days=settings.retain_links_days), utc_now)
    await own["retention"].update_one({}, {"$set": {"due_at": utc_now(), "lease": None}})
    claim = await DueWork(own["retention"], timedelta(minutes=1)).claim()
    assert claim
    await retention.work(claim)
    client.close()
    assert "join_url" not in (await tenant.booking(old["id"]))["meeting"]
    assert await tenant.timeline(old["id"]) == ["booked", "meeting_ready"]
    assert (await tenant.booking(recent["id"]))["meeting"]["join_url"] == JOIN_URL
    again = await database["retention"].find_one()
    assert again["due_at"] > utc_now() + timedelta(hours=5)
