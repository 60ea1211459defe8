"""Erasing in the notifier: links, people and whole organizations go, and nothing that comes late brings them back."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from convoke.clock import utc_now
from convoke.contracts import PrivacyErasureRequested
from convoke.erasure.portions import Erasure, erase
from convoke.ids import new_id
from convoke.messaging.cloudevents import Event
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.vault import Vault
from notifier.mongo.correspondence import Correspondences
from notifier.mongo.notices import NoticesStore
from notifier.portions import Portions
from notifier.settings import Settings
from tests.integration.notifier.conftest import Collection, Publish, settled
from tests.integration.notifier.mail_server import MailServer
from tests.support.eventually import eventually
from tests.unit.notifier.bookings import Story

pytestmark = pytest.mark.usefixtures("notifier")

Read = Callable[[Story], Any]
YESTERDAY = utc_now().replace(minute=0, second=0, microsecond=0) - timedelta(days=1)


@pytest.fixture(scope="module")
def shares(collection: Collection) -> Any:
    return collection.database["erasures"]


@pytest.fixture(scope="module")
def read(collection: Collection, settings: Settings) -> Read:
    """Return what is known of a booking, decrypted."""
    database: Any = collection.database
    store = Correspondences(database, Vault(settings.encryption_keys), utc_now)

    async def correspondence(story: Story) -> Any:
        document = await collection.find_one({"_id": story.booking_id})
        assert document
        return store.read(document)

    return correspondence


async def erased(
    publish: Publish,
    shares: Any,
    story: Story,
    scope: Any,
    person: str | None = None,
    *,
    asked_at: datetime | None = None,
) -> dict[str, Any]:
    """Have something erased and return the notifier's share once it has answered."""
    time = asked_at or utc_now()
    asked = PrivacyErasureRequested(
        erasure_id=new_id("era"), organization_id=story.organization_id, scope=scope, person=person
    )
    await publish(Event(new_id("evt"), "/auth-service", asked.erasure_id, time, asked.organization_id, asked))
    done = {"_id": asked.erasure_id, "published.type": "privacy.erased.v1"}
    share: dict[str, Any] = await eventually(lambda: shares.find_one(done), within=20)
    assert share
    return share


async def come(publish: Publish, collection: Collection, *events: Event[Any]) -> dict[str, Any]:
    """Publish events and return their booking's document once the last one is known."""
    await publish(*events)
    revision = events[-1].data.booking.revision
    known = {"_id": events[-1].subject, "revision.0": revision, "due_at": {"$exists": False}, "lease": None}
    found: dict[str, Any] | None = await eventually(lambda: collection.find_one(known), within=20)
    assert found
    return found


async def passed_by(publish: Publish, collection: Collection, late: Event[Any]) -> None:
    """Publish an event, and return once one that came after it in each queue has been handled."""
    later = Story()
    await publish(late, later.created(), later.ready())
    await settled(collection, later)


async def test_f69_links_go_from_what_is_known_and_an_older_event_does_not_bring_them_back(
    *, publish: Publish, collection: Collection, shares: Any, read: Read
):
    story = Story()
    await publish(story.created(), story.ready())
    await settled(collection, story)
    assert (await read(story)).snapshot.meeting.passcode
    share = await erased(publish, shares, story, "zoom_data")
    assert share["removed"] == {"correspondence": 1}
    assert share["left"] == {}
    assert (await read(story)).snapshot.meeting is None
    assert (await read(story)).snapshot.booking.invitee.email == story.invitee_email
    await passed_by(publish, collection, story.ready())
    assert (await read(story)).snapshot.meeting is None


async def test_f69_a_mail_that_waits_with_a_link_is_not_sent_any_more(
    *, publish: Publish, collection: Collection, shares: Any, mail_server: MailServer
):
    story = Story()
    mail_server.refuses[story.invitee_email] = "451 not just now"
    await publish(story.created(), story.ready())
    waiting = {"_id": story.booking_id, "deliveries.mime": {"$type": "string"}}
    assert await eventually(lambda: collection.find_one(waiting), within=20)
    await erased(publish, shares, story, "zoom_data")
    document = await collection.find_one({"_id": story.booking_id})
    assert document
    assert all(delivery["mime"] is None for delivery in document["deliveries"])
    assert "due_at" not in document


async def test_f69_f68_a_late_share_leaves_the_link_of_a_newer_connection_and_its_mail_that_waits(
    *, publish: Publish, collection: Collection, shares: Any, read: Read, mail_server: MailServer
):
    asked_at = YESTERDAY
    older = Story(connected_at=asked_at - timedelta(days=9))
    again = Story(organization_id=older.organization_id, connected_at=asked_at + timedelta(minutes=1))
    mail_server.refuses[again.invitee_email] = "451 not just now"
    await publish(older.created(), older.ready(), again.created(), again.ready())
    await settled(collection, older)
    waiting = {"_id": again.booking_id, "deliveries.mime": {"$type": "string"}}
    assert await eventually(lambda: collection.find_one(waiting), within=20)
    share = await erased(publish, shares, older, "zoom_data", asked_at=asked_at)
    assert share["removed"] == {"correspondence": 1}
    assert (await read(older)).snapshot.meeting is None
    assert (await read(again)).snapshot.meeting
    del mail_server.refuses[again.invitee_email]
    assert await eventually(lambda: mail_server.copies(again.invitee_email) == [1], within=20)


async def test_f69_a_person_goes_with_what_is_over_and_what_is_ahead_is_left_until_it_is_not(
    *, publish: Publish, collection: Collection, shares: Any, read: Read
):
    past = Story(starts_at=YESTERDAY, invitee_email=f"{new_id('gus')}@guest.example")
    ahead = Story(organization_id=past.organization_id, invitee_email=past.invitee_email.upper())
    other = Story(organization_id=past.organization_id, starts_at=YESTERDAY)
    for story in (past, ahead, other):
        await come(publish, collection, story.created())
    share = await erased(publish, shares, past, "person", past.invitee_email.title())
    assert (share["removed"], share["left"]) == ({"correspondence": 1}, {"correspondence": 1})
    tombstone = await collection.find_one({"_id": past.booking_id})
    assert tombstone
    assert set(tombstone) == {"_id", "organization_id", "revision", "is_erased", "erased_by"}
    assert (await read(ahead)).snapshot.booking.invitee.email == ahead.invitee_email
    assert (await read(other)).snapshot.booking.invitee.email == other.invitee_email
    await come(publish, collection, ahead.next(canceled=True).canceled_event())
    await shares.update_one({"_id": share["_id"]}, {"$set": {"due_at": utc_now()}})
    finished = {"_id": share["_id"], "left": {}}
    later = await eventually(lambda: shares.find_one(finished), within=20)
    assert later["removed"] == {"correspondence": 2}


async def test_f69_an_event_about_an_erased_person_that_comes_late_is_not_stored(
    *, publish: Publish, collection: Collection, shares: Any
):
    story = Story(starts_at=YESTERDAY)
    await erased(publish, shares, story, "person", story.invitee_email)
    await passed_by(publish, collection, story.created())
    assert await collection.find_one({"_id": story.booking_id}) is None


async def test_f70_an_organization_goes_and_no_event_brings_it_back(
    *, publish: Publish, collection: Collection, shares: Any
):
    story = Story()
    await publish(story.created(), story.ready())
    await settled(collection, story)
    await erased(publish, shares, story, "organization")
    newer, unknown = story.next(), Story(organization_id=story.organization_id)
    await publish(newer.created(), unknown.created())
    await passed_by(publish, collection, newer.ready())
    documents = [row async for row in collection.find({"organization_id": story.organization_id})]
    assert [(row["_id"], row["is_erased"]) for row in documents] == [(story.booking_id, True)]
    assert set(documents[0]) == {"_id", "organization_id", "revision", "is_erased", "erased_by"}


async def test_b18_asking_twenty_times_at_once_erases_once_and_counts_right(
    *, publish: Publish, collection: Collection, shares: Any
):
    stories = [Story(starts_at=YESTERDAY, organization_id="org_twenty") for _ in range(3)]
    for story in stories:
        await come(publish, collection, story.created())
    asked = PrivacyErasureRequested(erasure_id=new_id("era"), organization_id="org_twenty", scope="organization")
    event = Event(new_id("evt"), "/auth-service", asked.erasure_id, utc_now(), asked.organization_id, asked)
    await asyncio.gather(*(publish(event) for _ in range(20)))
    share = await eventually(lambda: shares.find_one({"_id": asked.erasure_id, "published.0": {"$exists": True}}))
    assert share["removed"] == {"correspondence": 3}
    assert await shares.count_documents({"organization_id": "org_twenty"}) == 1


@pytest.mark.parametrize("is_from_before", [False, True], ids=["", "from_before_ends_were_stored"])
async def test_f66_a_session_that_is_long_over_keeps_no_link(
    *, is_from_before: bool, publish: Publish, collection: Collection, settings: Settings, read: Read
):
    long_ago = YESTERDAY - timedelta(days=40)
    old, recent = Story(starts_at=long_ago), Story(starts_at=YESTERDAY)
    for story in (old, recent):
        await come(publish, collection, story.created(), story.ready())
        await eventually(partial(is_at_rest_with_link, read, collection, story))
    mine = {"organization_id": {"$in": [old.organization_id, recent.organization_id]}}
    if is_from_before:
        await collection.update_many(mine, {"$unset": {"ends_at": ""}})
    database: Any = collection.database
    vault = Vault(settings.encryption_keys)
    stores = Correspondences(database, vault, utc_now), NoticesStore(database, vault, utc_now)
    portions = Portions(*stores, DeadLetters(database, vault, ()), utc_now)
    expired = portions.expired_links(utc_now() - timedelta(days=settings.retain_links_days))
    await erase(expired, Erasure("retention", "", "zoom_data", utc_now()), held)
    assert (await read(old)).snapshot.meeting is None
    assert (await read(old)).snapshot.booking.invitee.email == old.invitee_email
    assert (await read(recent)).snapshot.meeting
    kept = [document["ends_at"] async for document in collection.find(mine).sort("ends_at", 1)]
    assert kept == [None, (await read(recent)).snapshot.session.ends_at], "the next look finds nothing to be read"


async def is_at_rest_with_link(read: Read, collection: Collection, story: Story) -> bool:
    at_rest = {"_id": story.booking_id, "due_at": {"$exists": False}, "lease": None}
    return (await read(story)).snapshot.meeting is not None and bool(await collection.find_one(at_rest))


async def held() -> None:
    """Keep the lease."""
