"""Lists of meetings: what is in them, what is not, and page after page."""

from datetime import timedelta
from typing import Any

import pytest

from tests.contract.zoom_sandbox.app_at_zoom import NOON, START, AppAtZoom, Host, Json, refused

BAD_TOKEN = (400, 300, "The next page token is either invalid or has expired.")


async def _list(host: Host, **query: Any) -> Json:
    answer = await host.call("GET", "/users/me/meetings", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _in_days(days: float) -> str:
    return (NOON + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_an_entry_has_no_start_url_no_passcode_and_a_cut_agenda(host: Host) -> None:
    meeting = await host.create(agenda="a" * 251)
    plain = await host.create(start_time="2030-05-07T10:00:00Z")
    entries = (await _list(host))["meetings"]
    assert [each["id"] for each in entries] == [meeting["id"], plain["id"]]
    assert entries[0]["agenda"] == "a" * 250
    assert "agenda" not in entries[1]
    assert {"start_url", "password", "settings", "pmi"}.isdisjoint(entries[0])
    assert (entries[0]["join_url"], entries[0]["start_time"]) == (meeting["join_url"], START)


async def test_a_list_tells_its_pages(app: AppAtZoom, host: Host) -> None:
    await app.turn(rate_limits=False)
    made = {(await host.create())["id"] for _ in range(5)}
    first = await _list(host, page_size=2)
    assert (first["page_count"], first["page_number"], first["page_size"]) == (3, 1, 2)
    assert first["total_records"] == 5
    second = await _list(host, next_page_token=first["next_page_token"])
    third = await _list(host, next_page_token=second["next_page_token"])
    assert third["next_page_token"] == ""
    found = [each["id"] for page in (first, second, third) for each in page["meetings"]]
    assert len(found) == 5
    assert set(found) == made
    assert (await _list(host, page_size=2, page_number=3))["meetings"] == third["meetings"]


async def test_a_page_token_lives_fifteen_minutes(app: AppAtZoom, host: Host) -> None:
    for _ in range(2):
        await host.create()
    token = (await _list(host, page_size=1))["next_page_token"]
    await app.advance(minutes=14)
    assert len((await _list(host, next_page_token=token))["meetings"]) == 1
    await app.advance(minutes=1)
    assert refused(await host.call("GET", "/users/me/meetings", params={"next_page_token": token})) == BAD_TOKEN


async def test_a_page_token_is_good_for_its_own_host_only(app: AppAtZoom, host: Host) -> None:
    for _ in range(2):
        await host.create()
    token = (await _list(host, page_size=1))["next_page_token"]
    other = await app.host("host-2")
    for who, given in ((other, token), (host, "made-up")):
        answer = await who.call("GET", "/users/me/meetings", params={"next_page_token": given})
        assert refused(answer) == BAD_TOKEN


async def test_instant_deleted_and_other_hosts_meetings_are_not_listed(app: AppAtZoom, host: Host) -> None:
    kept, gone = await host.create(), await host.create()
    await host.create(type=1)
    await host.delete(gone["id"])
    await (await app.host("host-2")).create()
    assert [each["id"] for each in (await _list(host))["meetings"]] == [kept["id"]]


async def test_expired_meetings_are_not_listed(app: AppAtZoom, host: Host) -> None:
    await host.create(start_time=_in_days(1))
    await app.advance(days=30)
    assert (await _list(await app.host()))["total_records"] == 1
    await app.advance(days=2)
    assert (await _list(await app.host()))["total_records"] == 0


async def test_the_type_filter_tells_past_from_coming(app: AppAtZoom, host: Host) -> None:
    past, coming = await host.create(start_time=_in_days(1)), await host.create(start_time=_in_days(9))
    await app.advance(days=2)
    host = await app.host()
    expected = {
        "scheduled": [past["id"], coming["id"]],
        "previous_meetings": [past["id"]],
        "upcoming": [coming["id"]],
        "upcoming_meetings": [coming["id"]],
        "live": [],
    }
    found = {kind: [each["id"] for each in (await _list(host, type=kind))["meetings"]] for kind in expected}
    assert found == expected


async def test_from_and_to_limit_the_days(host: Host) -> None:
    early = await host.create(start_time="2030-01-01T10:00:00Z")
    late = await host.create(start_time="2030-01-02T10:00:00Z")
    assert [each["id"] for each in (await _list(host, to="2030-01-01"))["meetings"]] == [early["id"]]
    query = {"from": "2030-01-02", "to": "2030-01-02"}
    assert [each["id"] for each in (await _list(host, **query))["meetings"]] == [late["id"]]


@pytest.mark.parametrize(
    ("name", "value"),
    [("page_size", "301"), ("page_size", "0"), ("page_size", "x"), ("type", "all"), ("from", "monday")],
)
async def test_a_query_out_of_bounds_is_refused_by_name(host: Host, name: str, value: str) -> None:
    answer = await host.call("GET", "/users/me/meetings", params={name: value})
    assert refused(answer) == (400, 300, "Validation Failed.")
    assert [each["field"] for each in answer.json()["errors"]] == [name]


async def test_three_hundred_to_a_page_is_allowed(host: Host) -> None:
    assert (await _list(host, page_size=300))["page_size"] == 300
