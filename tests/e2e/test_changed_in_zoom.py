"""What a host does to a meeting inside Zoom comes back through its webhooks (B3), on all processes together."""

import subprocess

import pytest

from local_stack.installation import OnProcesses
from local_stack.tenant import Tenant
from tests.e2e.checker import settled
from tests.e2e.story import Story
from tests.e2e.waiting import until
from tests.e2e.world import World

# The first test also starts the whole system.
pytestmark = pytest.mark.timeout(180)

WITHIN = 30.0
"""Seconds; a scan, which would notice too, comes after two minutes."""


def booked(world: World, name: str, tenant: Tenant | None = None) -> Story:
    story = Story(world, name, tenant=tenant).connected()
    story.book()
    settled(world, [story.expected], within=WITHIN)
    return story


def test_f49_b3_a_passcode_changed_inside_zoom_reaches_the_booking(world: World):
    story = booked(world, "a new passcode")
    [meeting] = world.zoom.meetings_of(story.booking["session_id"])
    world.zoom.change(meeting["id"], password="n3wpass")

    def is_pulled() -> bool:
        return bool(story.now()["meeting"].get("passcode") == "n3wpass")

    assert until("the new passcode on the booking", is_pulled, within=WITHIN)


def test_f49_b3_a_meeting_deleted_inside_zoom_gets_a_new_link(world: World):
    story = booked(world, "deleted inside Zoom")
    before = story.now()["meeting"]["join_url"]
    [meeting] = world.zoom.meetings_of(story.booking["session_id"])
    world.zoom.delete(meeting["id"])

    assert until("another link on the booking", lambda: has_another_link(story, before), within=WITHIN)
    left = [each for each in world.zoom.meetings_of(story.booking["session_id"]) if not each["deleted"]]
    assert len(left) == 1


def has_another_link(story: Story, before: str) -> bool:
    now = story.now()["meeting"]
    return bool(now["status"] == "ready" and now["join_url"] != before)


def test_b21_an_operator_audits_and_repairs_what_no_webhook_told(world: World):
    # The other stories of the shared tenant leave differences of their own behind.
    with world.another_tenant("Audited") as tenant:
        story = booked(world, "audited", tenant)
        before = story.now()["meeting"]["join_url"]
        status, said = audit(world, story)
        assert status == 0, said
        with world.zoom.webhooks_held():
            [meeting] = world.zoom.meetings_of(story.booking["session_id"])
            world.zoom.delete(meeting["id"])
            for options in ((), ("--repair",)):
                status, said = audit(world, story, *options)
                assert status == 1
                assert f"meeting {meeting['id']} is this session's, but Zoom no longer lists it" in said
            # Asked over HTTP first: each look by the command takes 2 s of processor for its imports.
            assert until("another link on the booking", lambda: has_another_link(story, before), within=WITHIN)
            assert until("no difference", lambda: audit(world, story)[0] == 0, within=WITHIN)


def audit(world: World, story: Story, *options: str) -> tuple[int, str]:
    """Return the status and the words of the command for the organization of a story."""
    session = world.databases["booking"]["sessions"].find_one({"seats.id": story.booking["id"]})
    assert session
    audited = ("audit", "--organization", session["organization_id"], *options)
    program = OnProcesses(world.system).program("meeting-service", *audited)
    done = subprocess.run(  # noqa: S603 - a service's own command
        program.command_line, env=program.environment, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout
