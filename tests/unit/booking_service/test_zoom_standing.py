"""What an event type warns of: whose connection lacks what, and whom that concerns."""

from dataclasses import replace
from typing import Any

import pytest

from booking_service.domain.catalog import EventType, Location, LocationKind, ZoomOptions
from booking_service.domain.zoom import AT_MOST_NAMED, Problem, ZoomConnection, ZoomStanding

SHARED = ZoomConnection("zc_shared", "org_1", None, 1, "active", is_enabled=True, plan="licensed", missing_scopes=())
NOT_ALLOWED = Problem("zoom_host_not_allowed", "May not schedule", "Zoom says so.", "Ask your administrator.")


def own(host_id: str, **other: Any) -> ZoomConnection:
    return replace(SHARED, id=f"zc_{host_id}", host_id=host_id, **other)


def event_type(minutes: int = 30, kind: LocationKind = "zoom") -> EventType:
    return EventType("ety_1", "Talk", "", minutes, 0, 0, Location(kind), ZoomOptions())


def warned(standing: ZoomStanding, minutes: int = 30) -> dict[str, tuple[str, ...] | None]:
    """Return the codes, each with the hosts that it concerns: None for all."""
    found = standing.warnings(event_type(minutes))
    return {warning.problem.code: warning.hosts.ids if warning.hosts else None for warning in found}


@pytest.mark.parametrize(
    ("shared", "code"),
    [
        (None, "zoom_not_connected"),
        (replace(SHARED, status="disconnected"), "zoom_not_connected"),
        (replace(SHARED, status="reauthorization_required"), "zoom_reauthorization_required"),
        (replace(SHARED, is_enabled=False), "zoom_paused"),
        (replace(SHARED, missing_scopes=("meeting:delete:meeting",)), "zoom_scope_missing"),
        (replace(SHARED, found=(NOT_ALLOWED,)), "zoom_host_not_allowed"),
    ],
)
def test_f29_a_connection_that_does_not_work_is_warned_of_and_blocks(shared: ZoomConnection | None, code: str):
    standing = ZoomStanding([shared] if shared else [])
    assert warned(standing) == {code: None}
    problem = standing.nobody_gets_links(event_type())
    assert problem
    assert problem.code == code
    assert all((problem.title, problem.detail, problem.next_step))


@pytest.mark.parametrize("kind", ["phone", "in_person", "link"])
def test_f25_f29_an_event_type_without_zoom_warns_of_nothing(kind: LocationKind):
    assert ZoomStanding([]).warnings(event_type(90, kind)) == ()
    assert ZoomStanding([]).nobody_gets_links(event_type(90, kind)) is None


@pytest.mark.parametrize(
    ("plan", "minutes", "codes"),
    [("basic", 40, set()), ("basic", 45, {"zoom_basic_plan"}), ("licensed", 90, set()), ("unknown", 90, set())],
)
def test_f17_b9_a_basic_plan_is_warned_of_where_an_event_type_is_longer(plan: str, minutes: int, codes: set[str]):
    standing = ZoomStanding([replace(SHARED, plan=plan)])
    assert set(warned(standing, minutes)) == codes
    assert standing.nobody_gets_links(event_type(minutes)) is None


def test_f29_all_that_is_wrong_with_one_connection_is_told():
    broken = replace(SHARED, is_enabled=False, plan="basic", missing_scopes=("meeting:write:meeting",))
    assert set(warned(ZoomStanding([broken]), 60)) == {"zoom_paused", "zoom_scope_missing", "zoom_basic_plan"}


HOSTS = ("hst_1", "hst_2", "hst_3")


def test_f12_f29_hosts_with_a_connection_of_their_own_are_told_apart_from_the_others():
    assert warned(ZoomStanding([own("hst_1")], HOSTS)) == {"zoom_not_connected": ("hst_2", "hst_3")}
    assert warned(ZoomStanding([SHARED, own("hst_2", is_enabled=False)], HOSTS)) == {"zoom_paused": ("hst_2",)}
    everyone = [own(host_id) for host_id in HOSTS]
    assert warned(ZoomStanding(everyone, HOSTS)) == {}


def test_f12_a_broken_own_connection_never_falls_back_to_the_shared_one_but_an_ended_one_does():
    broken = own("hst_1", status="reauthorization_required")
    assert warned(ZoomStanding([SHARED, broken], HOSTS)) == {"zoom_reauthorization_required": ("hst_1",)}
    ended = own("hst_1", status="disconnected")
    assert warned(ZoomStanding([SHARED, ended], HOSTS)) == {}
    assert warned(ZoomStanding([ended], ("hst_1",))) == {"zoom_not_connected": None}


def test_f29_what_concerns_every_host_names_none():
    standing = ZoomStanding([replace(SHARED, is_enabled=False), own("hst_1", is_enabled=False)], HOSTS)
    assert warned(standing) == {"zoom_paused": None}


def test_f23_one_host_who_gets_links_is_enough():
    assert ZoomStanding([own("hst_1")], HOSTS).nobody_gets_links(event_type()) is None
    assert ZoomStanding([own("hst_1", is_enabled=False)], HOSTS).nobody_gets_links(event_type())


def test_f29_of_many_hosts_the_first_are_named_and_all_are_counted():
    many = [f"hst_{number:03}" for number in range(AT_MOST_NAMED + 50)]
    [warning] = ZoomStanding([own("hst_000")], many).warnings(event_type())
    assert warning.hosts
    assert (warning.hosts.count, warning.hosts.ids) == (AT_MOST_NAMED + 49, tuple(many[1 : AT_MOST_NAMED + 1]))
