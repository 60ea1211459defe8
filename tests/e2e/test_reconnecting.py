"""What is booked, moved and cancelled while Zoom is disconnected is carried out on reconnecting, without a hand.

Each test has an organization of its own, with one connection that all its hosts share.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import httpx
import pytest

from local_stack.installation import CommandFailedError
from local_stack.tenant import Tenant
from tests.e2e.checker import at_rest, settled
from tests.e2e.story import Story
from tests.e2e.waiting import until
from tests.e2e.world import CommandsHere, World
from tests.e2e.zoom import Json

# Another Zoom user's meetings are replaced once no replica has a token of the former one any more: after 30 s.
pytestmark = pytest.mark.timeout(240)

WITHIN = 90.0


class Organization:
    """An organization whose Zoom connection is made, broken and made again, and whose repairs an operator looks at."""

    def __init__(self, world: World, tenant: Tenant) -> None:
        self._world = world
        self._tenant = tenant
        self.first_user, self.second_user = (f"org-{uuid.uuid4().hex[:8]}" for _ in range(2))
        for user in (self.first_user, self.second_user):
            world.zoom.add_user(user)

    def connect(self, zoom_user: str) -> None:
        assert "Zoom is connected" in self._tenant.connect_zoom(zoom_user)

    def disconnect(self) -> None:
        """Disconnect in the product, and wait until Zoom has heard of it."""
        revoked = self._revoked()
        [connection] = self._tenant.call("auth-service", "GET", "/v1/zoom/connections")["items"]
        self._tenant.call("auth-service", "DELETE", f"/v1/zoom/connections/{connection['id']}")
        until("the tokens revoked", lambda: self._revoked() > revoked)

    def _revoked(self) -> int:
        return len([call for call in self._world.zoom.calls("revoke") if call["status"]])

    def deauthorize(self) -> None:
        """Remove the app inside Zoom: every token is dead at once."""
        self._world.zoom.deauthorize(self.first_user)

    def story(self, name: str) -> Story:
        return Story(self._world, name, tenant=self._tenant)

    @property
    def id(self) -> str:
        users = {"$in": [self.first_user, self.second_user]}
        known = self._world.databases["auth"]["connections"].find_one({"zoom_user_id": users})
        assert known
        return str(known["organization_id"])

    def repair(self, *command: str) -> list[str]:
        """Return the lines that the operator's command says."""
        installation = CommandsHere(self._world.system)
        said = installation.command("meeting-service", "repair", *command, "--organization", self.id)
        return said.strip().splitlines()


@pytest.fixture
def organization(world: World) -> Iterator[Organization]:
    with world.another_tenant("Comes and goes") as tenant:
        yield Organization(world, tenant)


class Told:
    """Five bookings of one organization: one nobody touches, two that are moved, one cancelled, one made meanwhile."""

    def __init__(self, organization: Organization, world: World) -> None:
        self._world = world
        self.kept, self.moved, self.moved_twice, self.gone, self.new = (
            organization.story(name) for name in ("left as it is", "moved", "moved twice", "cancelled", "new")
        )
        for story in self.before:
            story.book()
        self.settled(self.before)
        self.links = {story.name: story.now()["meeting"]["join_url"] for story in self.before}

    @property
    def before(self) -> list[Story]:
        return [self.kept, self.moved, self.moved_twice, self.gone]

    @property
    def all(self) -> list[Story]:
        return [*self.before, self.new]

    def change_while_disconnected(self) -> None:
        """Change what is to be changed, and see that each waits and that nobody is told a time that Zoom lacks."""
        self.moved.reschedule()
        self.moved_twice.reschedule()
        until("the first move waiting", self.moved_twice.waits, within=WITHIN)
        self.moved_twice.methods = ("REQUEST",)  # the first of its two moves is never told
        self.moved_twice.reschedule()
        self.gone.cancel()
        self.new.book()
        for story in (self.moved, self.moved_twice, self.new):
            until(f"{story.name} waiting", story.waits, within=WITHIN)
            assert story.now()["meeting"]["reason"]["code"] in {"zoom_reauthorization_required", "zoom_not_connected"}
        until("the cancellation told", lambda: self._methods(self.gone) == ["REQUEST", "CANCEL"], within=WITHIN)
        assert [self._methods(story) for story in (self.moved, self.moved_twice)] == [["REQUEST"]] * 2
        assert self._methods(self.new) == []

    def settled(self, stories: Sequence[Story]) -> None:
        settled(self._world, [story.expected for story in stories], within=WITHIN)

    def at_zoom(self, zoom_user: str) -> dict[str, list[Json]]:
        """Return what a Zoom user has of each story that has been booked, by its name."""
        found = [meeting for meeting in self._world.zoom.meetings() if meeting["host_id"] == zoom_user]
        sessions = {story.name: story.booking["session_id"] for story in self.all if story.booking}
        return {
            name: [meeting for meeting in found if session in meeting["agenda"]] for name, session in sessions.items()
        }

    def are_deleted(self, meetings: dict[str, list[Json]]) -> bool:
        deleted = {meeting["id"] for meeting in self._world.zoom.meetings() if meeting["deleted"]}
        return {meeting["id"] for of_story in meetings.values() for meeting in of_story} <= deleted

    def _methods(self, story: Story) -> list[str | None]:
        return [mail.method for mail in self._world.mails.mails(story.guest_mail)]


@pytest.mark.parametrize("end", [Organization.disconnect, Organization.deauthorize])
def test_b1_f67_f68_f85_the_same_zoom_user_reconnects_and_all_that_is_owed_is_carried_out(
    organization: Organization, world: World, end: Callable[[Organization], None]
):
    """Links stay, each person is mailed once for each change, and nobody about the booking that was not touched."""
    organization.connect(organization.first_user)
    told = Told(organization, world)
    end(organization)
    told.change_while_disconnected()
    owed, people, waiting = organization.repair("plan")
    assert owed.startswith("1 link to add, 2 times to fix, 1 meeting to delete, 0 links to replace")
    assert people == "6 people would be mailed"
    assert waiting.startswith("waiting until it is mended: 4 sessions: zoom_")
    organization.connect(organization.first_user)
    told.settled(told.all)
    at_rest(world)
    told.settled(told.all)
    kept = [story for story in told.before if story is not told.gone]
    assert {story.name: story.now()["meeting"]["join_url"] for story in kept} == {
        story.name: told.links[story.name] for story in kept
    }
    [untouched] = world.zoom.meetings_of(told.kept.booking["session_id"])
    assert untouched["updates"] == 0
    assert organization.repair("plan")[0].startswith("0 links to add, 0 times to fix, 0 meetings to delete")


def test_another_zoom_user_connects_and_each_gets_a_new_link_once(organization: Organization, world: World):
    """What the first user made stays as it is, and is deleted when that one returns."""
    organization.connect(organization.first_user)
    told = Told(organization, world)
    before = told.at_zoom(organization.first_user)
    organization.disconnect()
    told.change_while_disconnected()
    organization.connect(organization.second_user)
    told.kept.told_anew()
    for story in told.all:
        story.left_behind_at(organization.first_user)
    told.settled(told.all)
    assert told.at_zoom(organization.first_user) == before | {told.new.name: []}
    assert told.at_zoom(organization.second_user)[told.gone.name] == []
    now = {story.name: story.now()["meeting"].get("join_url") for story in told.before}
    assert not set(now.values()) & set(told.links.values())
    assert "4 meetings are left at a Zoom user who is no longer connected" in organization.repair("plan")
    for story in told.all:
        if not story.is_canceled:
            story.cancel()
    told.settled(told.all)
    organization.connect(organization.first_user)
    until("the first user's meetings deleted", lambda: told.are_deleted(before), within=WITHIN)
    at_rest(world)


def test_b2_f84_bookings_from_before_the_first_connection_get_links_on_request(
    organization: Organization, world: World
):
    earlier, later = (organization.story(name) for name in ("earlier", "later"))
    earlier.book()
    until("the reason", earlier.waits, within=WITHIN)
    assert earlier.now()["meeting"]["reason"]["title"] == "Zoom was never connected"
    let_an_hour_pass_since_booking(earlier, world)
    organization.connect(organization.first_user)
    later.book()
    settled(world, [later.expected], within=WITHIN)
    title = "This booking is from before Zoom was connected"
    until("how to ask", lambda: earlier.now()["meeting"]["reason"]["title"] == title, within=WITHIN)
    assert world.mails.mails(earlier.guest_mail) == []
    planned = organization.repair("plan")
    assert (
        planned[2] == "from before Zoom was connected: 1 link to add with --include-earlier; 2 people would be mailed"
    )
    begun = organization.repair("run", "--include-earlier")
    assert begun == [*planned, "begun: 1 session, 1 of them from before Zoom was connected"]
    settled(world, [earlier.expected, later.expected], within=WITHIN)
    assert organization.repair("run", "--include-earlier")[-1].startswith("begun: 0 sessions")
    at_rest(world)


def let_an_hour_pass_since_booking(story: Story, world: World) -> None:
    """Move the booking back: what is booked within a minute of connecting counts as booked after it."""
    meetings = world.databases["meeting"]["meetings"]
    meeting = meetings.find_one({"_id": story.booking["session_id"]})
    assert meeting
    meetings.update_one({"_id": meeting["_id"]}, {"$set": {"desired_at": meeting["desired_at"] - timedelta(hours=1)}})


def test_an_operator_repairs_over_http_and_a_tenant_does_not(organization: Organization, world: World):
    organization.connect(organization.first_user)
    story = organization.story("repaired over HTTP")
    story.book()
    settled(world, [story.expected], within=WITHIN)
    asked = {"organization_id": organization.id, "host_id": story.host_id}
    url = f"{world.system.url('meeting-service')}/internal/v1/repairs"
    operator = {"Authorization": f"Bearer {_operator_token(world)}"}
    with httpx.Client(trust_env=False, headers=operator) as http:
        plan = http.get(f"{url}/plan", params=asked).raise_for_status().json()
        begun = http.post(url, json=asked | {"include_earlier": True})
        assert (begun.status_code, begun.json()) == (202, {"plan": plan, "nudged": 0, "included": 0})
        assert plan["links_to_add"] == 0
        assert http.post(url, json=asked | {"everything": True}).status_code == 422
    tenant = {"Authorization": f"Bearer {world.tenant.token('meeting-service')}"}
    assert httpx.post(url, json=asked, headers=tenant, trust_env=False).status_code == 403
    assert httpx.get(f"{url}/plan", params=asked, headers=tenant, trust_env=False).status_code == 403


def test_without_auth_service_nothing_is_planned_and_it_is_said_why(organization: Organization, world: World):
    organization.connect(organization.first_user)
    asked = {"organization_id": organization.id}
    url = f"{world.system.url('meeting-service')}/internal/v1/repairs/plan"
    operator = {"Authorization": f"Bearer {_operator_token(world)}"}
    with httpx.Client(trust_env=False, headers=operator) as http:
        assert http.get(url, params=asked).status_code == 200
        world.system.kill("auth-service")
        refused = http.get(url, params=asked)
        assert (refused.status_code, refused.json()["type"]) == (503, "auth-service-unavailable")
    with pytest.raises(CommandFailedError, match=r"auth-service does not answer .* try again when it runs"):
        organization.repair("plan")


def _operator_token(world: World) -> str:
    form = {"grant_type": "client_credentials", "audience": "meeting-service"}
    credentials = ("operator", "operator-for-development-only")
    url = f"{world.system.url('auth-service')}/oauth/token"
    return str(httpx.post(url, data=form, auth=credentials, trust_env=False).raise_for_status().json()["access_token"])
