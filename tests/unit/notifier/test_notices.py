"""When a notice about a broken connection is due, whatever the order in which events come."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from convoke.messaging.cloudevents import Event
from notifier.domain.notices import Notices, Standing, notice_id, with_event
from tests.unit.notifier.connections import CONNECTED_AT, Link

DAY = timedelta(days=1)
BROKE_AT = CONNECTED_AT + 5 * DAY


def standing_after(*events: Event[Any]) -> Standing:
    standing: Standing | None = None
    for event in events:
        standing = with_event(standing, event.data, event.time)
    assert standing
    return standing


def broken(status: str = "reauthorization_required", reason: str = "reauthorization_required") -> Notices:
    link = Link()
    return Notices(standing_after(link.connected(), link.next(status).disconnected(BROKE_AT, reason)))


def days_told(notices: Notices, looks: list[float]) -> list[int]:
    """Return which days' notices leave if somebody looks so many days after the break."""
    told = []
    for look in looks:
        now = BROKE_AT + look * DAY
        if day := notices.day_due(now):
            notices = notices.settled(day, now)
            told.append(day)
    return told


def test_b14_notices_are_due_on_four_days_and_no_more():
    assert days_told(broken(), [hours / 24 for hours in range(30 * 24)]) == [1, 3, 7, 14]


def test_b14_the_next_one_is_due_when_it_says():
    notices = broken()
    for day in (1, 3, 7, 14):
        due_at = notices.due_at()
        assert due_at == BROKE_AT + day * DAY
        assert notices.day_due(due_at - timedelta(seconds=1)) is None
        assert notices.day_due(due_at) == day
        notices = notices.settled(day, due_at)
    assert notices.due_at() is None


def test_b14_after_an_outage_only_the_newest_is_sent():
    assert days_told(broken(), [8, 8.1, 13.9, 14]) == [7, 14]


def test_b14_what_is_learned_long_after_the_break_is_not_mailed():
    assert broken().day_due(BROKE_AT + 15 * DAY) is None


@pytest.mark.parametrize(
    ("status", "reason", "is_told"),
    [
        ("reauthorization_required", "reauthorization_required", True),
        ("disconnected", "deauthorized", True),
        ("disconnected", "user", False),
    ],
)
def test_f86_b14_a_removal_inside_zoom_is_told_and_what_the_owner_did_is_not(
    *, status: str, reason: str, is_told: bool
):
    assert bool(days_told(broken(status, reason), [1])) == is_told


def test_f86_b14_an_owner_who_disconnects_what_was_broken_is_left_in_peace():
    first = Link()
    refused = first.next("reauthorization_required")
    left = refused.next("disconnected")
    events = [
        first.connected(),
        refused.disconnected(BROKE_AT, "reauthorization_required"),
        left.disconnected(BROKE_AT + DAY, "user"),
    ]
    for order in permutations(events):
        standing = standing_after(*order)
        assert (standing.broken_by, standing.email) == (None, None)


def test_b14_a_removal_is_told_also_where_what_came_before_it_carries_the_same_snapshot():
    """As events do that waited for the broker."""
    removed = Link().next("disconnected").next("active").next("disconnected")
    events = [
        removed.disconnected(BROKE_AT, "user"),
        removed.connected(BROKE_AT + DAY),
        removed.disconnected(BROKE_AT + 2 * DAY, "deauthorized"),
    ]
    for order in permutations(events):
        assert standing_after(*order).email == removed.email


def test_b14_every_order_of_the_events_ends_in_the_same_knowledge():
    """Some carry the newest snapshot, as events that are told late do; each may come twice."""
    first = Link()
    refused = first.next("reauthorization_required")
    back = refused.next("active")
    removed = back.next("disconnected")
    history = [
        first.connected(),
        refused.disconnected(BROKE_AT, "reauthorization_required"),
        removed.connected(BROKE_AT + DAY),
        removed.paused(BROKE_AT + DAY),
        removed.disconnected(BROKE_AT + 2 * DAY, "deauthorized"),
    ]
    ends = {standing_after(*order, *order[:2]) for order in permutations(history)}
    assert len(ends) == 1
    [end] = ends
    assert end.broken_by
    assert (end.broken_by.time, end.broken_by.reason) == (BROKE_AT + 2 * DAY, "deauthorized")


def test_b14_a_reconnect_ends_them_also_where_the_break_is_heard_of_later():
    first = Link()
    refused = first.next("reauthorization_required")
    back = refused.next("active")
    events = [
        first.connected(),
        refused.disconnected(BROKE_AT, "reauthorization_required"),
        back.connected(BROKE_AT + DAY),
    ]
    for order in permutations(events):
        assert Notices(standing_after(*order)).due_at() is None


def test_b14_a_second_break_has_four_notices_of_its_own():
    first = Link()
    refused = first.next("reauthorization_required")
    again = refused.next("active").next("reauthorization_required")
    told = broken().settled(14, BROKE_AT + 14 * DAY)
    second = BROKE_AT + 20 * DAY
    standing = standing_after(
        first.connected(),
        refused.disconnected(BROKE_AT, "reauthorization_required"),
        again.connected(BROKE_AT + 15 * DAY),
        again.disconnected(second, "reauthorization_required"),
    )
    assert Notices(standing, settled_day=14, settled_at=told.settled_at).due_at() == second + DAY


def test_b14_each_connection_break_and_day_has_a_message_id_of_its_own():
    ids = {notice_id(one, at, day) for one in "ab" for at in (BROKE_AT, CONNECTED_AT) for day in (1, 3)}
    assert len(ids) == 8
    assert notice_id("a", BROKE_AT, 1) == notice_id("a", BROKE_AT, 1)


def test_b14_a_working_connections_address_is_not_kept():
    link = Link()
    assert standing_after(link.connected()).email is None
    assert broken().standing.email
