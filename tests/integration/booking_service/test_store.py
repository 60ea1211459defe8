"""What only the database can decide, asked of it directly."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretBytes

from booking_service.domain.answers import Answer, Request
from booking_service.domain.refusals import NotPreparedYet
from booking_service.domain.timeline import TimelineEntry
from booking_service.mongo.erased_sessions import ErasedSessions
from booking_service.mongo.sessions import Record, Sessions
from convoke import mongo
from convoke.contracts import BookingCreated
from convoke.messaging.outbox import OUTBOX_LIMIT, entry
from convoke.vault import CannotDecrypt, Vault
from tests.unit.booking_service.sessions import NOW, START, session

RECORD = Record(
    entry(BookingCreated, NOW), TimelineEntry(NOW, "booked", ""), Request("org_1", b"key", b"print"), Answer(201, "{}")
)


@pytest.fixture
async def sessions(mongodb_url: str, fresh_database: str) -> AsyncIterator[Sessions]:
    client = mongo.connect(mongodb_url)
    key = SecretBytes(b"e" * 32)
    yield Sessions(mongo.database(client, fresh_database)["sessions"], Vault({"k1": key}))
    client.close()


async def test_nothing_is_stored_before_the_unique_indexes_are_there(sessions: Sessions) -> None:
    with pytest.raises(NotPreparedYet):
        await sessions.add(session(), RECORD)

    assert await sessions.collection.find_one({}) is None


async def test_a_change_is_not_stored_where_another_came_first(sessions: Sessions) -> None:
    await sessions.create_indexes()
    before = session()
    await sessions.add(before, RECORD)
    after = before.rescheduled(START + timedelta(hours=1), NOW)

    first = await sessions.change(before, after, replace(RECORD, request=Request("org_1", None, b"")))
    second = await sessions.change(before, after, replace(RECORD, request=Request("org_1", None, b"")))

    assert first is not None
    assert second is None


async def test_a_change_is_not_stored_beside_a_full_outbox(sessions: Sessions) -> None:
    await sessions.create_indexes()
    before = session()
    await sessions.add(before, RECORD)
    pile = [entry(BookingCreated, NOW) for _ in range(OUTBOX_LIMIT - 1)]
    await sessions.collection.update_one({}, {"$push": {"outbox": {"$each": pile}}})

    after = before.rescheduled(START + timedelta(hours=1), NOW)

    assert await sessions.change(before, after, replace(RECORD, request=Request("org_1", None, b""))) is None


async def test_f70_what_was_under_way_brings_nobody_back_onto_a_tombstone(sessions: Sessions) -> None:
    await sessions.create_indexes()
    before, repeat = session(), Request("org_1", b"another", b"print")
    document = await sessions.add(before, RECORD)
    tombstone = ErasedSessions(Vault({"k1": SecretBytes(b"e" * 32)}), lambda: NOW).tombstone(document)
    await sessions.collection.replace_one({}, tombstone)

    moved = before.rescheduled(START + timedelta(hours=1), NOW)
    line = TimelineEntry(NOW, "mail_failed", "to grace@example.org")
    assert await sessions.change(before, moved, replace(RECORD, request=repeat)) is None
    assert not await sessions.remember(before, repeat, RECORD.answer, NOW)
    assert not await sessions.tell_timeline("org_1", "bkg_1", line, "once")

    assert await sessions.collection.find_one({}) == tombstone


async def test_a_secret_that_was_copied_from_another_seat_is_not_read(sessions: Sessions) -> None:
    await sessions.create_indexes()
    await sessions.add(session(), RECORD)
    other = replace(session().seats[0], id="bkg_2")
    theirs = sessions.documents.document(replace(session(), seats=(other,)))["seats"][0]

    assert await sessions.find("org_1", "bkg_1") is not None
    await sessions.collection.update_one({}, {"$set": {"seats.0.join_token": theirs["join_token"]}})

    with pytest.raises(CannotDecrypt):
        await sessions.find("org_1", "bkg_1")
