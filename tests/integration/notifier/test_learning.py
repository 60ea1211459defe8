"""What is known of a booking, written by many at once."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from convoke import mongo
from convoke.clock import utc_now
from convoke.erasure.portions import tombstone
from convoke.messaging.cloudevents import Event
from convoke.vault import Vault
from notifier.domain.snapshot import with_booking
from notifier.mongo.correspondence import Contended, Correspondences
from notifier.settings import Settings
from tests.integration.notifier.conftest import Collection
from tests.unit.notifier.bookings import Story


async def learn(store: Correspondences, event: Event[Any]) -> bool:
    data = event.data
    return await store.learn(
        data.session.organization_id,
        data.booking.id,
        lambda known: with_booking(known, data.booking, data.session, event.time),
    )


@pytest.fixture(scope="module")
def store(settings: Settings) -> Iterator[Correspondences]:
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    yield Correspondences(mongo.database(client, settings.mongodb_database), Vault(settings.encryption_keys), utc_now)
    client.close()


async def test_events_of_one_booking_at_the_same_moment_all_count(
    store: Correspondences, collection: Collection
) -> None:
    """Twenty revisions at once: the highest is kept, whichever write came first."""
    story = Story()
    await asyncio.gather(*(learn(store, story.next(revision=number).created()) for number in range(1, 21)))
    document = await collection.find_one({"_id": story.booking_id})
    assert document
    assert document["revision"][0] == 20


async def test_f70_an_event_under_way_brings_nobody_back_onto_a_tombstone(
    store: Correspondences, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading a booking and writing what an event adds its organization may be erased."""
    story, find = Story(), store.find
    tombstones: list[dict[str, Any]] = []
    await learn(store, story.created())

    async def erased_once_read(organization_id: str, booking_id: str) -> dict[str, Any] | None:
        document = await find(organization_id, booking_id)
        if document and not tombstones:
            tombstones.append(tombstone(document))
            await collection.replace_one({"_id": booking_id}, tombstones[0])
        return document

    monkeypatch.setattr(store, "find", erased_once_read)
    assert not await learn(store, story.next().created())
    assert await collection.find_one({"_id": story.booking_id}) == tombstones[0]


async def test_another_organization_cannot_write_to_a_booking(store: Correspondences, collection: Collection) -> None:
    """An event that claims a booking of another tenant is refused, and so dead-lettered."""
    story = Story()
    await learn(store, story.created())
    with pytest.raises(Contended):
        await learn(store, story.next(organization_id="org_other").created())
    document = await collection.find_one({"_id": story.booking_id})
    assert document
    assert (document["organization_id"], document["revision"][0]) == (story.organization_id, 1)
