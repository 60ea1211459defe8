"""The whole way of a booking, on all processes together: from the request to Zoom, the mailbox and the join page."""

import statistics
import time
from collections.abc import Iterator

import httpx
import pytest

from local_stack import demo as demo_module
from local_stack.demo import demo
from local_stack.installation import OnProcesses
from local_stack.mailbox import Mail
from local_stack.tenant import Tenant
from tests.e2e.checker import at_rest, orphans, settled
from tests.e2e.story import Story
from tests.e2e.waiting import until
from tests.e2e.world import World

# The first test also starts the whole system.
pytestmark = pytest.mark.timeout(180)

WITHIN = 30.0


@pytest.fixture(scope="module")
def told(shared_world: World) -> Story:
    """Tell one whole story, waiting for its mails at every step."""
    shared_world.heal()
    story = Story(shared_world, "the whole story").connected()
    for act in (story.book, story.reschedule, story.cancel):
        act()
        settled(shared_world, [story.expected], within=WITHIN)
    return story


def test_the_demo_finds_everything_as_it_promises(world: World, monkeypatch: pytest.MonkeyPatch):
    """The link's second is measured by another test, which a busy machine does not fail."""
    monkeypatch.setattr(demo_module, "READY_WITHIN", WITHIN)
    demo(OnProcesses(world.system))


def test_the_link_is_there_within_a_second(world: World):
    """The middle of nine bookings is what counts: one of them may meet a busy machine."""
    stories = [Story(world, f"in a second {n}").connected() for n in range(9)]
    took = [_seconds_until_ready(story) for story in stories]
    assert statistics.median(took) < 1.0, took


def test_f45_f46_f48_a_reschedule_keeps_the_link_and_a_cancel_deletes_the_meeting(world: World):
    story = Story(world, "keeps its link").connected()
    story.book()
    settled(world, [story.expected], within=WITHIN)
    booked = story.now()["meeting"]
    story.reschedule()
    settled(world, [story.expected], within=WITHIN)
    assert story.now()["meeting"] == booked
    [meeting] = world.zoom.meetings_of(story.booking["session_id"])
    assert meeting["updates"] == 1
    story.cancel()
    settled(world, [story.expected], within=WITHIN)
    [meeting] = world.zoom.meetings_of(story.booking["session_id"])
    assert meeting["deleted"]
    assert "join_url" not in story.now()["meeting"]


def test_each_side_gets_three_mails_of_one_calendar_entry(told: Story, world: World):
    for person in (told.host_mail, told.guest_mail):
        mails = world.mails.mails(person)
        assert [mail.method for mail in mails] == ["REQUEST", "REQUEST", "CANCEL"]
        assert len({mail.uid for mail in mails}) == 1
        sequences = [mail.sequence or 0 for mail in mails]
        assert sequences == sorted(set(sequences))
        assert len({mail.message_id for mail in mails}) == 3
        assert [_status(mail) for mail in mails] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]


def test_f34_f36_f37_the_mails_hold_every_way_into_the_meeting(told: Story, world: World):
    """Join link, meeting id, passcode and dial-in; the cancellation has none of them."""
    [meeting] = world.zoom.meetings_of(told.booking["session_id"])
    confirmation, moved, cancellation = world.mails.mails(told.guest_mail)
    for mail in (confirmation, moved):
        assert meeting["join_url"] in mail.text
        assert str(meeting["id"]) in mail.text.replace(" ", "")
        lines = [line.strip() for line in mail.text.splitlines()]
        assert lines[lines.index("Passcode:") + 1] == meeting["password"]
        assert lines[lines.index("By phone:") + 1] == "+1 646 555 0100 (US, toll)"
        assert told.booking["join_address"] in mail.text
    assert meeting["join_url"] not in cancellation.raw.decode()
    assert "start_url" not in "".join(mail.raw.decode() for mail in (confirmation, moved, cancellation))


def test_b7_the_timeline_tells_the_whole_story(told: Story):
    happened = [line["what"] for line in told.timeline()]
    assert [what for what in happened if not what.startswith("mail_")] == [
        *("booked", "meeting_ready", "rescheduled", "meeting_ready", "canceled", "meeting_canceled")
    ]
    assert happened.count("mail_accepted") == 6


def test_f21_f22_f25_a_phone_booking_mails_without_a_call_to_zoom(world: World):
    story = Story(world, "by phone", location={"kind": "phone", "detail": "+49 30 123456"})
    calls = len(world.zoom.calls())
    for act in (story.book, story.reschedule, story.cancel):
        act()
        settled(world, [story.expected], within=WITHIN)
    assert story.now()["meeting"]["status"] == "none"
    assert all("+49 30 123456" in mail.text for mail in world.mails.mails(story.guest_mail)[:2])
    assert len(world.zoom.calls()) == calls


def test_a_hosts_own_connection_wins_over_the_organizations(world: World, others: Tenant):
    """And a host without one is served by the organization's."""
    world.zoom.add_user("the-organization")
    assert "connected" in others.connect_zoom("the-organization")
    own = Story(world, "own connection", tenant=others).connected()
    shared = Story(world, "shared connection", tenant=others)
    for story in (own, shared):
        story.book()
    settled(world, [own.expected, shared.expected], within=WITHIN)
    [of_own] = world.zoom.meetings_of(own.booking["session_id"])
    [of_shared] = world.zoom.meetings_of(shared.booking["session_id"])
    assert (of_own["host_id"], of_shared["host_id"]) == (own.zoom_user, "the-organization")


def test_b6_the_join_page_leads_to_zoom_while_there_is_a_meeting(world: World):
    story = Story(world, "join page").connected()
    address = story.book()["join_address"]
    settled(world, [story.expected], within=WITHIN)
    join_url = story.now()["meeting"]["join_url"]
    button = f'<a class="join" href="{join_url}" rel="noopener noreferrer">Join Zoom meeting</a>'
    assert button in _page(address)
    story.cancel()
    assert join_url not in _page(address)
    assert "cancelled" in _page(address)


def test_two_organizations_do_not_see_each_other(world: World, others: Tenant):
    story = Story(world, "not yours").connected()
    story.book()
    settled(world, [story.expected], within=WITHIN)
    path = f"/v1/bookings/{story.booking['id']}"
    for service, listing in (
        ("booking-service", "/v1/bookings"),
        ("booking-service", "/v1/hosts"),
        ("booking-service", "/v1/event-types"),
        ("auth-service", "/v1/zoom/connections"),
    ):
        ours, theirs = (_ids(tenant, service, listing) for tenant in (world.tenant, others))
        assert ours
        assert not ours & theirs
    for method, below, body in (
        ("GET", "", None),
        ("GET", "/timeline", None),
        ("POST", "/reschedule", {"starts_at": "2030-01-01T09:00:00Z"}),
        ("POST", "/cancel", {}),
    ):
        with pytest.raises(httpx.HTTPStatusError) as refused:
            others.call("booking-service", method, f"{path}{below}", body)
        assert refused.value.response.status_code == 404
    settled(world, [story.expected], within=WITHIN)


def test_nothing_is_left_waiting_and_no_meeting_is_nobodys(world: World):
    """Last of the file: after all these stories the system is at rest."""
    at_rest(world)
    assert orphans(world) == []


@pytest.fixture(scope="module")
def others(shared_world: World) -> Iterator[Tenant]:
    """Return another organization."""
    with shared_world.another_tenant("The others") as tenant:
        yield tenant


def _ids(tenant: Tenant, service: str, listing: str) -> set[str]:
    return {item["id"] for item in tenant.call(service, "GET", listing)["items"]}


def _seconds_until_ready(story: Story) -> float:
    started = time.monotonic()
    story.book()
    until("the link", lambda: story.now()["meeting"]["status"] == "ready", within=WITHIN, every=0.01)
    return time.monotonic() - started


def _status(mail: Mail) -> str:
    return str(mail.event["STATUS"]) if mail.event else ""


def _page(address: str) -> str:
    return httpx.get(address, trust_env=False).raise_for_status().text
