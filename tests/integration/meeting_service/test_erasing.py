"""Erasing in meeting-service: what is known of Zoom, people and organizations go, and no late write returns them."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretBytes

from convoke.clock import utc_now
from convoke.contracts import Session
from convoke.erasure.portions import Erasure, Renew, erase, removed
from convoke.messaging.dead_letters.store import DeadLetters
from convoke.vault import Vault
from meeting_service.domain.at_zoom import Condemned
from meeting_service.portions import Portions
from meeting_service.ports import Refused
from meeting_service.scan.scans import ZoomUser
from tests.integration.meeting_service.world import Crash, Dying, World

GUEST = "Gus@Guest.example"
ORGANIZATION = "org_2h5jx7c4nq8wv3mz6rk9tb1pdf"


async def held() -> None:
    """Keep the lease."""


class Erasing:
    """Erases as the service's worker does."""

    def __init__(self, world: World) -> None:
        database: Any = world.meetings.collection.database
        vault = Vault({"k1": SecretBytes(b"v" * 32)})
        letters = DeadLetters(database, vault, (), world.clock)
        self._clock = world.clock
        self._portions = Portions(world.meetings, world.scans, letters, world.clock)

    async def __call__(
        self,
        scope: Any,
        organization_id: str,
        person: str | None = None,
        asked_at: datetime | None = None,
        meanwhile: Renew = held,
    ) -> tuple[Any, Any]:
        """Return what was removed, and what is left; `meanwhile` goes on between reading and writing."""
        erasure = Erasure("era_1", organization_id, scope, asked_at or utc_now(), person and person.lower())
        portions = self._portions.of(erasure)
        left = {portion.what: await erase(portion, erasure, meanwhile) for portion in portions}
        done = {portion.what: await removed(portion, erasure) for portion in portions}
        return {what: n for what, n in done.items() if n}, {what: n for what, n in left.items() if n}

    async def expire(self, older_than: timedelta) -> None:
        """Remove the links of what has ended, as the service's retention does."""
        portion = self._portions.expired_links(self._clock() - older_than)
        await erase(portion, Erasure("retention", "", "zoom_data", self._clock()), held)


@pytest.fixture
def erasing(world: World) -> Erasing:
    return Erasing(world)


async def test_f69_f76_zooms_data_go_what_is_at_zoom_stays_and_revisions_do_not_return(world: World, erasing: Erasing):
    session = await world.book()
    await world.work()
    before = await world.state(session)
    assert before.meeting
    assert await erasing("zoom_data", session.organization_id) == ({"meetings": 1, "zoom_scans": 1}, {})
    document = await world.meetings.find(session.id)
    assert document
    for gone in (str(before.meeting.id), before.meeting.zoom_user_id, before.meeting.way_in.host_email):
        assert gone not in str(document)
    assert before.meeting.zoom_user_id not in str(await world.scans.collection.find({}).to_list(None))
    after = await world.state(session)
    assert (after.meeting, after.generation, after.meeting_revision) == (None, 1, before.meeting_revision)
    assert len(await world.at_zoom()) == 1


async def test_f69_f63_the_number_of_a_meeting_that_was_deleted_before_an_end_goes_too(world: World, erasing: Erasing):
    session = await world.book()
    await world.work()
    meeting = (await world.state(session)).meeting
    assert meeting
    # What is left of a meeting that went with its connection.
    gone = {"meeting": None, "announced": None, "leaving": meeting.id}
    await world.meetings.collection.update_one({"_id": session.id}, {"$set": gone, "$unset": {"published": ""}})
    assert (await erasing("zoom_data", session.organization_id))[0]["meetings"] == 1
    assert str(meeting.id) not in str(await world.meetings.find(session.id))


async def test_f69_f68_what_is_ahead_gets_another_link_once_zoom_is_connected_again(world: World, erasing: Erasing):
    session = await world.book()
    await world.work()
    world.tokens.refusal = Refused("zoom_not_connected", "Zoom was disconnected")
    await erasing("zoom_data", session.organization_id)
    await world.told()
    await world.work()
    assert await world.told_types() == ["meeting.failed.v1"]
    world.tokens.refusal = None
    await world.nudges.make_due([session.id], world.clock())
    await world.work()
    [ready] = await world.told()
    assert (ready.data.change, ready.data.meeting.generation) == ("created", 2)
    assert len(await world.at_zoom()) == 2


async def test_f69_who_works_on_a_meeting_while_it_is_erased_does_not_store_it_again(world: World, erasing: Erasing):
    session = await world.book()
    await world.work()
    await world.reschedule(session)
    claim = await world.due().claim()
    assert claim
    await erasing("zoom_data", session.organization_id)
    await world.reconciler().reconcile(claim)
    document = await world.meetings.find(session.id)
    assert document
    assert document["meeting"] is None


class Reconnected:
    """A session's meeting was made, Zoom's data were to go, and its owner has connected again before they went."""

    def __init__(self, world: World, erasing: Erasing) -> None:
        self._world = world
        self._erasing = erasing
        self._asked_at = world.clock()

    async def begin(self) -> Session:
        self._world.tokens.connected_at = self._asked_at - timedelta(days=9)
        session = await self._world.book()
        await self._world.work()
        self._world.tokens.connected_at = self._asked_at + timedelta(minutes=1)
        return session

    async def replace(self, session: Session) -> None:
        """Ask for another link."""
        newer = session.model_copy(update={"revision": 2, "wanted_generation": session.wanted_generation + 1})
        assert await self._world.meetings.desire(newer, self._world.booking(2), self._world.clock())

    async def erase(self, meanwhile: Renew = held) -> Any:
        done, _ = await self._erasing("zoom_data", ORGANIZATION, asked_at=self._asked_at, meanwhile=meanwhile)
        return done.get("meetings", 0)


@pytest.fixture
def reconnected(world: World, erasing: Erasing) -> Reconnected:
    return Reconnected(world, erasing)


async def test_f69_f68_a_late_share_leaves_what_was_made_since_zoom_was_connected_again(
    world: World, reconnected: Reconnected
):
    before = await reconnected.begin()
    former = (await world.state(before)).meeting
    since = await world.book(id="ses_since")
    await world.work()
    kept = await world.state(since)
    assert await reconnected.erase() == 1
    assert await world.state(since) == kept
    assert former
    assert str(former.id) not in str(await world.meetings.find(before.id))
    await world.work()
    assert (await world.state(before)).generation == 2
    assert len(await world.at_zoom()) == 3


async def test_f69_f68_a_late_share_leaves_a_create_since_in_doubt_and_what_it_made_is_adopted(
    world: World, reconnected: Reconnected
):
    session = await reconnected.begin()
    former = (await world.state(session)).meeting
    await reconnected.replace(session)
    claim = await world.due().claim()
    assert claim
    with pytest.raises(Crash):
        await world.reconciler(Dying(world.zoom, after=True)).reconcile(claim)
    assert await reconnected.erase() == 1
    world.clock.advance(minutes=1)
    await world.work()
    meeting = (await world.state(session)).meeting
    assert former
    assert meeting
    assert {one["id"] for one in await world.at_zoom()} == {former.id, meeting.id}


async def test_f69_f68_a_late_share_forgets_what_is_out_of_reach_and_leaves_the_meeting_beside_it(
    world: World, reconnected: Reconnected
):
    session = await reconnected.begin()
    former = (await world.state(session)).meeting
    assert former
    await reconnected.replace(session)
    await world.work()
    of_another = {"condemned": [asdict(Condemned(former.id, "zcn_1", "host-9", former.connected_at))]}
    await world.meetings.collection.update_one({"_id": session.id}, {"$set": of_another})
    meeting = (await world.state(session)).meeting
    assert await reconnected.erase() == 1
    after = await world.state(session)
    assert (after.meeting, after.condemned) == (meeting, ())
    assert "host-9" not in str(await world.meetings.find(session.id))
    assert await reconnected.erase() == 1


async def test_f69_f68_what_is_made_while_a_late_share_looks_is_not_taken_for_what_it_has_read(
    world: World, reconnected: Reconnected
):
    session = await reconnected.begin()
    await reconnected.replace(session)

    async def make_another() -> None:
        await world.work()

    await reconnected.erase(make_another)
    meeting = (await world.state(session)).meeting
    assert meeting
    assert [one["id"] for one in await world.at_zoom()] == [meeting.id]


async def test_f69_a_session_that_is_moved_ahead_while_a_person_is_erased_is_left(world: World, erasing: Erasing):
    session = world.session()
    invitee = world.booking().invitee.model_copy(update={"email": GUEST})
    assert await world.meetings.desire(session, world.booking(invitee=invitee), world.clock())
    await world.work()
    world.clock.advance(days=3)

    async def move() -> None:
        moved = session.model_copy(update={"revision": 2, "ends_at": world.clock() + timedelta(days=1)})
        await world.meetings.desire(moved, world.booking(2, invitee=invitee), world.clock())

    assert await erasing("person", session.organization_id, GUEST, meanwhile=move) == ({}, {"meetings": 1})
    assert (await world.state(session)).session.revision == 2


async def test_f69_a_person_goes_once_the_session_is_over_and_not_before(world: World, erasing: Erasing):
    session = world.session()
    invitee = world.booking().invitee.model_copy(update={"email": GUEST})
    assert await world.meetings.desire(session, world.booking(invitee=invitee), world.clock())
    await world.work()
    assert await erasing("person", session.organization_id, GUEST) == ({}, {"meetings": 1})
    world.clock.advance(days=3)
    assert await erasing("person", session.organization_id, "somebody@else.example") == ({}, {})
    assert await erasing("person", session.organization_id, GUEST) == ({"meetings": 1}, {})
    document = await world.meetings.find(session.id)
    assert document
    assert set(document) == {"_id", "organization_id", "session_revision", "is_erased", "erased_by"}


LATE_WRITES: dict[str, Callable[[World, Any], Any]] = {
    "desire": lambda world, session: world.meetings.desire(session, world.booking(9), world.clock()),
    "nudge": lambda world, session: world.nudges.make_due([session.id], world.clock()),
    "look": lambda world, session: world.nudges.look_again_at(session.id, world.clock()),
    "look_later": lambda world, session: world.nudges.look_later([session.id], world.clock()),
    "include": lambda world, session: world.nudges.include([session.id]),
    "condemn": lambda world, session: world.meetings.condemn(session.id, Condemned(7, "zcn_1", "u"), world.clock()),
    "own_up": lambda world, session: world.meetings.own_up(session.id, Condemned(7, "zcn_1", "u"), world.clock()),
}


async def test_f70_an_organizations_tombstones_are_written_by_nobody(world: World, erasing: Erasing):
    session = await world.book()
    await world.work()
    assert await erasing("organization", session.organization_id) == ({"meetings": 1, "zoom_scans": 1}, {})
    tombstone = await world.meetings.find(session.id)
    newer = session.model_copy(update={"revision": 9, "starts_at": session.starts_at + timedelta(hours=1)})
    for what, write in LATE_WRITES.items():
        await write(world, newer)
        assert await world.meetings.find(session.id) == tombstone, what
    assert await world.meetings.states({session.id}) == {}
    assert await world.work() == 0
    assert await world.scan() == 0


async def test_b18_nothing_of_another_organization_is_touched(world: World, erasing: Erasing):
    session = await world.book()
    await world.work()
    assert await erasing("organization", "org_other") == ({}, {})
    assert (await world.state(session)).meeting


async def test_f68_a_zoom_user_whose_scan_was_erased_is_expected_again(world: World, erasing: Erasing):
    user = ZoomUser(ORGANIZATION, "zcn_1", "host-1")
    await world.scans.expect(user, world.clock())
    await erasing("zoom_data", ORGANIZATION)
    world.clock.advance(hours=2)
    await world.scans.expect(user, world.clock())
    assert [found for found, _ in await world.scans.results()] == [user]


async def test_f66_a_session_that_is_long_over_keeps_no_link(world: World, erasing: Erasing):
    session = await world.book()
    await world.work()
    for days, kept in ((20, True), (20, False)):
        world.clock.advance(days=days)
        await erasing.expire(older_than=timedelta(days=30))
        assert ((await world.state(session)).meeting is not None) is kept
    assert await world.work() == 0
