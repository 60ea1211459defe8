"""After a reconnect as another Zoom user (B1, B16): what the first one made is out of reach, until that one returns."""

from dataclasses import dataclass, replace
from datetime import timedelta

from convoke.contracts import Session, ZoomConnected
from convoke.messaging.cloudevents import Event
from meeting_service.auth import CACHED_FOR
from meeting_service.ports import Access, Refused
from tests.contract.zoom_sandbox.app_at_zoom import Host
from tests.integration.convoke.conftest import sample
from tests.integration.meeting_service.world import TokensOfHost, World, at


async def connect(world: World, host: Host) -> None:
    """Have this Zoom user connected from now on, and the reconciler told."""
    before, world.tokens.host = world.tokens.host, host
    event: Event[ZoomConnected] = sample("zoom.connected.v1")
    connection = event.data.connection.model_copy(
        update={"id": "zcn_1", "zoom_user_id": host.user_id, "organization_id": world.session().organization_id}
    )
    data = ZoomConnected(connection=connection, previous_zoom_user_id=before.user_id)
    told = Event(**vars(event) | {"data": data, "organization_id": connection.organization_id})
    await world.handlers().resume_on_zoom_connected(told)
    world.clock.advance(seconds=CACHED_FOR)


async def of(world: World, user_id: str) -> list[dict[str, object]]:
    return [meeting for meeting in await world.app.meetings(user_id) if not meeting["deleted"]]


async def book(world: World) -> tuple[Session, Host, Host]:
    first, second = world.tokens.host, await world.app.host("host-2")
    session = await world.book()
    await world.work()
    await world.told()
    return session, first, second


async def test_each_meeting_ahead_is_made_anew_for_the_new_user_and_told_once(world: World):
    session, _, second = await book(world)
    await connect(world, second)
    await world.work()
    (old,), (new,) = await of(world, "host-1"), await of(world, "host-2")
    assert (new["start_time"], new["duration"]) == at(session)
    (ready,) = await world.told()
    assert (ready.data.change, ready.data.meeting.id) == ("replaced", new["id"])
    await connect(world, second)
    await world.work()
    assert await world.told() == []
    assert [old["id"]] == [one["id"] for one in await of(world, "host-1")]


async def test_what_was_left_behind_is_deleted_when_its_user_returns(world: World):
    session, first, second = await book(world)
    await connect(world, second)
    await world.work()
    await world.cancel(session)
    await world.work()
    assert await of(world, "host-2") == []
    assert (await world.told_types())[-1] == "meeting.canceled.v1"
    assert len(await of(world, "host-1")) == 1
    calls = await world.calls("delete_meeting")
    world.clock.advance(minutes=30)
    await world.work()
    assert await world.calls("delete_meeting") == calls, "what is out of reach is not tried again and again"
    await connect(world, first)
    await world.work()
    assert await of(world, "host-1") == []


async def test_what_is_out_of_reach_keeps_nothing_else_from_being_deleted(world: World):
    session, first, second = await book(world)
    await connect(world, second)
    await world.work()
    await world.app.fault("delete_meeting", "status", status=400)
    await world.book(revision=2, wanted_generation=session.wanted_generation + 1)
    await world.work()
    assert len(await of(world, "host-2")) == 2, "the replaced one could not be deleted"
    await connect(world, first)
    for _ in range(3):
        await world.work()
        world.clock.advance(hours=1)
    meeting = (await world.state(session)).meeting
    assert meeting is not None
    assert [one["id"] for one in await of(world, "host-1")] == [meeting.id]


async def test_a_cancel_needs_nobody_to_reach_what_was_left_behind(world: World):
    session, _, second = await book(world)
    world.tokens.host = second
    await world.cancel(session)
    await world.work()
    assert await world.told_types() == ["meeting.canceled.v1"]


async def test_a_create_in_doubt_of_the_first_user_does_not_keep_the_second_from_a_meeting(world: World):
    first, second = world.tokens.host, await world.app.host("host-2")
    await world.app.fault("create_meeting", "answer_lost")
    await world.book()
    await world.work()
    world.clock.advance(seconds=16)
    await connect(world, second)
    await world.work()
    (new,) = await of(world, "host-2")
    assert (await world.told())[-1].data.meeting.id == new["id"]
    assert len(await of(world, first.user_id)) == 1, "left for a scan of that user's meetings"


@dataclass
class TokensOfStandIn(TokensOfHost):
    """The host's own connection, through which all was made so far, was ended: the organization's stands in."""

    async def to_make(self, organization_id: str, host_id: str) -> Access:
        return replace(await super().to_make(organization_id, host_id), connection_id="zcn_2")

    async def to_change(self, organization_id: str, connection_id: str) -> Access:
        if connection_id != "zcn_2":
            raise Refused("zoom_not_connected", "Its owner must connect Zoom again.")
        return await self.to_make(organization_id, "")


async def test_a_create_in_doubt_of_an_ended_connection_does_not_keep_its_host_from_a_meeting(world: World):
    first = world.tokens
    await world.app.fault("create_meeting", "answer_lost")
    session = await world.book()
    await world.work()
    world.tokens = TokensOfStandIn(world.app, await world.app.host("host-2"))
    world.clock.advance(seconds=16)
    await world.work()
    assert (await world.told_types())[-1] == "meeting.ready.v1"
    assert len(await of(world, "host-2")) == 1
    world.tokens = first
    world.clock.advance(minutes=2)
    await world.scan()
    await world.work()
    assert await of(world, "host-1") == [], "what the doubt had left is swept when its owner is back"
    assert (await world.state(session)).condemned == ()


async def test_what_another_replica_still_makes_with_a_token_of_the_former_user_is_made_anew_soon(world: World):
    """It keeps tokens for half a minute: neither the nudge nor the look that came of it knew of this meeting."""
    _, first, second = await book(world)
    keeps_the_former_token = TokensOfHost(world.app, first)
    await connect(world, second)
    session = await world.book(id="ses_booked0since")
    claim = await world.due().claim()
    while claim:
        await world.reconciler(tokens=keeps_the_former_token).reconcile(claim)
        claim = await world.due().claim()
    assert {meeting["start_time"] for meeting in await of(world, "host-1")} == {at(session)[0]}
    assert await of(world, "host-2") == []
    assert await world.scan() == 1
    world.clock.advance(seconds=CACHED_FOR)
    await world.work()
    assert len(await of(world, "host-2")) == 2


async def test_a_meeting_that_has_begun_keeps_those_who_are_in_it(world: World):
    session, _, second = await book(world)
    world.clock.advance(seconds=(session.starts_at - world.clock.now + timedelta(minutes=5)).total_seconds())
    await connect(world, second)
    await world.work()
    assert await of(world, "host-2") == []
    assert await world.told() == []
