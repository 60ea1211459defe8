"""A Zoom connection's whole life, on two replicas of each service that are asked in turn.

Connect, pause, check up, deauthorize inside Zoom, reconnect as another user, disconnect, erase.
"""

import itertools
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from local_stack.tenant import Tenant, new_tenant
from tests.e2e.checker import settled
from tests.e2e.story import Story
from tests.e2e.waiting import until
from tests.e2e.world import REPLICAS, CommandsHere, World

# Another Zoom user's meetings are replaced once no replica has a token of the former one any more: after 30 s.
pytestmark = pytest.mark.timeout(400)

Json = dict[str, Any]
WITHIN = 90.0


class InTurn:
    """The addresses of a system; of the services, those of each replica in turn."""

    def __init__(self, world: World) -> None:
        self._urls = world.system.urls
        self._turns = {
            service: itertools.cycle([world.system.url(service, replica) for replica in range(REPLICAS)])
            for service in ("auth-service", "booking-service")
        }

    def __getitem__(self, name: str) -> str:
        return next(self._turns[name]) if name in self._turns else self._urls[name]


class OnBoth:
    """An installation whose replicas are asked in turn."""

    def __init__(self, world: World) -> None:
        self._one = CommandsHere(world.system)
        self.urls: Any = InTurn(world)
        self.program, self.command = self._one.program, self._one.command


class Life:
    """One organization and its connection, as its administrator sees it."""

    def __init__(self, world: World, tenant: Tenant) -> None:
        self.world, self.tenant = world, tenant
        self.first_user, self.second_user = (f"life-{uuid.uuid4().hex[:8]}" for _ in range(2))
        world.zoom.add_user(self.first_user, type=2)
        world.zoom.add_user(self.second_user, type=2)

    def connection(self) -> Json:
        [connection] = self.tenant.call("auth-service", "GET", "/v1/zoom/connections")["items"]
        return dict(connection)

    def of_connection(self, method: str, after: str = "", body: Json | None = None) -> Json:
        path = f"/v1/zoom/connections/{self.connection()['id']}{after}"
        return self.tenant.call("auth-service", method, path, body)

    def warnings(self, story: Story) -> set[str]:
        """Return the codes of what an event type warns of."""
        event_type = self.tenant.call("booking-service", "GET", f"/v1/event-types/{story.event_type_id}")
        return {warning["code"] for warning in event_type["warnings"]}

    def settled(self, *stories: Story) -> None:
        settled(self.world, [story.expected for story in stories], within=WITHIN)

    def leave_nothing_behind(self) -> None:
        """End what would wait for Zoom for ever, and what is out of reach there: other tests look for both."""
        for booking in self.tenant.call("booking-service", "GET", "/v1/bookings")["items"]:
            if booking["status"] == "confirmed":
                self.tenant.cancel(booking["id"], "The test is over")
        for meeting in self.world.zoom.meetings():
            if meeting["host_id"] in (self.first_user, self.second_user) and not meeting["deleted"]:
                self.world.zoom.delete(meeting["id"])

    def calls(self) -> int:
        """Return how many calls Zoom has had of this organization's users."""
        users = {self.first_user, self.second_user}
        return len([call for call in self.world.zoom.calls() if call["user_id"] in users])


@pytest.fixture
def life(world: World) -> Iterator[Life]:
    installation = OnBoth(world)
    with world.system.two_of_each(), Tenant(installation, new_tenant(installation, "For life")) as tenant:
        life = Life(world, tenant)
        yield life
        life.leave_nothing_behind()


def test_the_whole_life_of_a_connection_f1_f10_f28_f54_f60_f67_b9_b16_b18(life: Life, world: World) -> None:
    kept, late = (Story(world, name, tenant=life.tenant) for name in ("from the beginning", "made while paused"))
    connect(life, kept)
    pause(life, kept, late)
    check_up(life, kept)
    deauthorize(life, kept)
    reconnect_as_another_user(life, kept, late)
    disconnect(life, kept, late)
    erase(life, kept, late)


def connect(life: Life, kept: Story) -> None:
    """Once connected, a booking has its meeting, and both people its link."""
    until("the warning of a missing connection", lambda: life.warnings(kept) == {"zoom_not_connected"})
    assert "Zoom is connected" in life.tenant.connect_zoom(life.first_user)
    connection = life.connection()
    assert (connection["status"], connection["zoom_user_id"]) == ("active", life.first_user)
    assert (connection["email"], connection["plan"]) == (f"{life.first_user}@example.com", "licensed")
    assert connection["missing_scopes"] == []
    kept.book()
    life.settled(kept)
    until("no warning any more", lambda: life.warnings(kept) == set())


def pause(life: Life, kept: Story, late: Story) -> None:
    """A pause stops creates only; what it held back is made by itself after it."""
    life.of_connection("PATCH", body={"enabled_for_new_bookings": False})
    late.book()
    until("the new booking waiting", late.waits)
    assert late.now()["meeting"]["reason"]["code"] == "zoom_paused"
    assert "zoom_paused" in until("the warning of a pause", lambda: life.warnings(late))
    kept.reschedule()
    life.settled(kept)
    life.of_connection("PATCH", body={"enabled_for_new_bookings": True})
    life.settled(kept, late)


def check_up(life: Life, kept: Story) -> None:
    """What has changed at Zoom is found, and the event types that it concerns warn of it."""
    life.world.zoom.add_user(life.first_user, type=1)
    found = life.of_connection("POST", "/checkup")
    assert found["plan"] == "basic"
    assert "zoom_basic_plan" in {finding["code"] for finding in found["findings"]}
    assert "zoom_basic_plan" in until("the warning of 40 minutes", lambda: life.warnings(kept))


def deauthorize(life: Life, kept: Story) -> None:
    """Removed inside Zoom, the connection is over on all replicas; a move waits and nobody hears a time Zoom lacks."""
    life.world.zoom.deauthorize(life.first_user)
    until("the connection over", lambda: life.connection()["status"] == "disconnected")
    kept.reschedule()
    until("the move waiting", kept.waits)
    assert life.connection()["history"][-1]["what"] == "deauthorized"


def reconnect_as_another_user(life: Life, kept: Story, late: Story) -> None:
    """The other account is shown with what it means, then accepted: each booking gets a new link, told once."""
    assert "Zoom is connected" in life.tenant.connect_zoom(life.second_user)
    assert life.connection()["zoom_user_id"] == life.second_user
    for story in (kept, late):
        story.left_behind_at(life.first_user)
    late.told_anew()
    life.settled(kept, late)


def disconnect(life: Life, kept: Story, late: Story) -> None:
    """Its future meetings are deleted first; then nothing reaches Zoom any more, whatever is asked."""
    meant = life.of_connection("GET", "/consequences")
    assert meant["future_meetings"] == 2
    life.of_connection("DELETE", "?future_meetings=delete")
    until("the connection over", lambda: life.connection()["status"] == "disconnected", within=WITHIN)
    left = [one for one in life.world.zoom.meetings() if one["host_id"] == life.second_user and not one["deleted"]]
    assert left == []
    until("the tokens revoked", lambda: life.world.zoom.calls("revoke", life.second_user))
    asked_before = life.calls()
    kept.reschedule()
    until("the move waiting", kept.waits)
    assert life.calls() == asked_before
    assert late.now()["status"] == "confirmed"


def erase(life: Life, kept: Story, late: Story) -> None:
    """The receipt has an answer of each service; the bookings stay, and of Zoom nothing is left anywhere."""
    begun = life.tenant.call("auth-service", "POST", "/v1/erasures", {"scope": "zoom_data"})
    address = f"/v1/erasures/{begun['id']}"
    receipt = until(
        "the receipt complete",
        lambda: (now := life.tenant.call("auth-service", "GET", address))["status"] == "done" and now,
        within=WITHIN,
    )
    assert {share["service"] for share in receipt["services"]} == {
        "auth-service",
        "booking-service",
        "meeting-service",
        "notifier",
    }
    assert kept.now()["status"] == late.now()["status"] == "confirmed"
    assert list(remembered(life, f"{life.first_user}@", f"{life.second_user}@")) == []


def remembered(life: Life, *traces: str) -> Iterator[str]:
    """Name the collections in which one of the traces stands."""
    for service in ("auth", "booking", "meeting", "notifier"):
        database = life.world.databases[service]
        for collection in database.list_collection_names():
            if any(trace in str(document) for document in database[collection].find() for trace in traces):
                yield f"{service}.{collection}"
