"""Failed work waits, visible with its reason, and goes on by itself or after somebody mended the reason."""

from dataclasses import replace
from datetime import UTC, datetime

from convoke.contracts import ZoomConnected
from convoke.messaging.cloudevents import Event
from meeting_service.handlers import Handlers
from meeting_service.ports import Refused
from meeting_service.reconcile.reconciler import ASK_PEOPLE_AFTER
from tests.integration.convoke.conftest import sample
from tests.integration.meeting_service.test_overtaken import PAST_THE_LEASE
from tests.integration.meeting_service.world import World, at


def connected() -> Event[ZoomConnected]:
    return sample("zoom.connected.v1")


def handlers(world: World) -> Handlers:
    return world.handlers()


async def test_a_booking_before_zoom_is_connected_waits_and_gets_its_link_after_connecting(world: World):
    world.tokens.refusal = Refused("zoom_not_connected", "no connection")
    await world.book()
    await world.work()
    (failed,) = await world.told()
    assert (failed.data.event_type, failed.data.reason.code) == ("meeting.failed.v1", "zoom_not_connected")
    assert failed.data.reason.action
    assert await world.work() == 0
    world.tokens.refusal = None
    await handlers(world).resume_on_zoom_connected(connected())
    await world.work()
    assert await world.told_types() == ["meeting.ready.v1"]


async def test_connecting_while_the_refusal_is_on_its_way_is_not_missed(world: World):
    world.tokens.refusal, world.tokens.refusals_left = Refused("zoom_not_connected", "no connection"), 1
    await world.book()
    claim = await world.due().claim()
    assert claim
    await handlers(world).resume_on_zoom_connected(connected())
    await world.reconciler().reconcile(claim)
    await world.work()
    assert (await world.told_types())[-1] == "meeting.ready.v1"


async def test_another_organizations_connection_resumes_nothing(world: World):
    world.tokens.refusal = Refused("zoom_not_connected", "no connection")
    await world.book(organization_id="org_another")
    await world.work()
    await handlers(world).resume_on_zoom_connected(connected())
    assert await world.work() == 0


async def test_a_failure_is_told_once_however_often_it_repeats(world: World):
    await world.app.fault("create_meeting", "rate_limited_second", times=3)
    session = await world.book()
    for _ in range(4):
        await world.work()
        world.clock.advance(seconds=2)
    assert await world.told_types() == ["meeting.failed.v1", "meeting.ready.v1"]
    (meeting,) = await world.at_zoom()
    assert (meeting["start_time"], meeting["duration"]) == at(session)


async def test_b13_the_daily_limit_of_a_host_parks_until_midnight_utc(world: World):
    await world.app.fault("create_meeting", "rate_limited_host")
    await world.book()
    await world.work()
    (failed,) = await world.told()
    assert failed.data.reason.code == "zoom_daily_limit"
    retry_at: datetime = failed.data.reason.retry_at
    assert (retry_at.hour, retry_at.minute, retry_at.tzinfo) == (0, 0, UTC)
    assert 0 < (retry_at - world.clock()).total_seconds() <= 86_400
    world.clock.now = retry_at
    await world.work()
    assert await world.told_types() == ["meeting.ready.v1"]


async def test_a_token_that_zoom_refuses_is_replaced_once_and_the_work_goes_on(world: World):
    stale = world.tokens.host
    await world.app.host("host-1")
    assert world.tokens.host is stale
    await world.book()
    await world.work()
    assert world.tokens.replaced == 1
    assert await world.told_types() == ["meeting.ready.v1"]


async def test_two_tokens_overtaken_by_a_refresh_elsewhere_are_retried_without_asking_for_a_reconnect(world: World):
    await world.book()
    good = world.tokens.host
    world.tokens.host = replace(good, access_token="overtaken")
    world.tokens.replaces_with_better = False
    await world.work()
    (failed,) = await world.told()
    assert failed.data.reason.code == "zoom_unavailable"
    world.tokens.host = good
    world.clock.advance(seconds=60)
    await world.work()
    assert await world.told_types() == ["meeting.ready.v1"]


async def test_a_connection_whose_tokens_are_all_refused_asks_for_a_reconnect_and_stops(world: World):
    await world.book()
    await world.app.control("POST", "/deauthorize", json={"user_id": "host-1"})
    world.tokens.replaces_with_better = False
    for _ in range(ASK_PEOPLE_AFTER + 1):
        await world.work()
        world.clock.advance(seconds=90)
    codes = [failed.data.reason.code for failed in await world.told()]
    assert codes == ["zoom_unavailable", "zoom_reauthorization_required"]
    calls = await world.calls("create_meeting")
    assert calls == 2 * (ASK_PEOPLE_AFTER + 1)
    await world.work()
    assert await world.calls("create_meeting") == calls


async def test_a_missing_scope_is_a_named_state_with_a_next_step(world: World):
    await world.app.control("POST", "/users", json={"id": "host-1", "scopes": ["user:read:user"]})
    world.tokens.host = await world.app.host("host-1")
    await world.book()
    await world.work()
    (failed,) = await world.told()
    assert failed.data.reason.code == "zoom_scope_missing"
    assert "meeting:write:meeting" in failed.data.reason.detail


async def test_a_user_who_may_not_schedule_is_a_named_state(world: World):
    await world.app.control("POST", "/users", json={"id": "host-1", "may_schedule": False})
    await world.book()
    await world.work()
    (failed,) = await world.told()
    assert failed.data.reason.code == "zoom_host_not_allowed"


async def test_what_zoom_refuses_is_tried_again_when_the_booking_changes(world: World):
    session = await world.book(
        zoom=world.session().zoom.model_copy(update={"alternative_hosts": ("nobody@x.example",)})
    )
    await world.app.fault("create_meeting", "status", status=400)
    await world.work()
    (failed,) = await world.told()
    assert failed.data.reason.code == "zoom_rejected"
    assert await world.work() == 0
    await world.book(revision=session.revision + 1)
    await world.work()
    assert await world.told_types() == ["meeting.ready.v1"]


async def test_api10_an_xml_error_body_is_understood_by_its_status(world: World):
    await world.app.fault("create_meeting", "xml_error")
    await world.book()
    await world.work()
    (failed,) = await world.told()
    assert failed.data.reason.code == "zoom_rejected"


async def test_a_refused_delete_is_not_repeated_before_its_time(world: World):
    session = await world.book()
    await world.work()
    await world.app.fault("delete_meeting", "rate_limited_day", times=1000)
    await world.cancel(session)
    for _ in range(3):
        await world.work()
        world.clock.advance(seconds=PAST_THE_LEASE)
    assert await world.calls("delete_meeting") == 1
    assert (await world.told_types())[-1] == "meeting.failed.v1"


async def test_a_twin_that_may_not_be_deleted_holds_up_neither_a_reschedule_nor_a_reconnect(world: World):
    scopes = ["meeting:write:meeting", "meeting:update:meeting", "meeting:read:list_meetings", "meeting:read:meeting"]
    await world.app.control("POST", "/users", json={"id": "host-1", "scopes": scopes})
    world.tokens.host = await world.app.host("host-1")
    await world.app.fault("create_meeting", "answer_lost")
    session = await world.book()
    await world.work()
    (first,) = await world.at_zoom()
    await world.tokens.host.create(agenda=first["agenda"])
    world.clock.advance(seconds=16)
    await world.work()
    moved = await world.reschedule(session)
    world.clock.advance(seconds=6)
    await world.work()
    assert at(moved)[0] in [meeting["start_time"] for meeting in await world.at_zoom()]
    await world.app.control("POST", "/users", json={"id": "host-1", "scopes": [*scopes, "meeting:delete:meeting"]})
    world.tokens.host = await world.app.host("host-1")
    await handlers(world).resume_on_zoom_connected(connected())
    await world.work()
    assert len(await world.at_zoom()) == 1
