"""Meetings: their shape, their life, and Zoom's rules about time, passcodes, links and fields."""

import base64
import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.contract.zoom_sandbox.app_at_zoom import NOON, START, AppAtZoom, Host, refused


def _distance_from_now(written: str) -> timedelta:
    return abs(datetime.fromisoformat(written) - NOON)


async def test_a_meeting_is_created_read_changed_and_deleted(host: Host) -> None:
    meeting = await host.create(agenda="What we talk about")
    changed = await host.change(meeting["id"], topic="Another talk")
    assert (changed.status_code, changed.content) == (204, b"")
    read = await host.read(meeting["id"])
    assert (read["topic"], read["agenda"], read["status"]) == ("Another talk", "What we talk about", "waiting")
    deleted = await host.delete(meeting["id"])
    assert (deleted.status_code, deleted.content) == (204, b"")
    for answer in (await host.delete(meeting["id"]), await host.change(meeting["id"], topic="Late")):
        assert refused(answer) == (404, 3001, f"Meeting does not exist: {meeting['id']}.")


async def test_the_same_request_twice_makes_two_meetings(app: AppAtZoom, host: Host) -> None:
    first, second = await host.create(), await host.create()
    assert first["id"] != second["id"]
    assert [each["deleted"] for each in await app.meetings()] == [False, False]


async def test_ids_have_eleven_digits_and_some_uuids_need_double_encoding(app: AppAtZoom, host: Host) -> None:
    await app.turn(rate_limits=False)
    made = [await host.create() for _ in range(10)]
    assert all(10**10 <= each["id"] < 10**11 for each in made)
    assert len({each["id"] for each in made}) == 10
    assert all(len(base64.b64decode(each["uuid"])) == 16 for each in made)
    assert sum(each["uuid"].startswith("/") for each in made) >= 4
    assert sum(each["uuid"].startswith("//") for each in made) >= 2


async def test_the_link_carries_the_encrypted_passcode_and_moves_only_with_the_passcode(host: Host) -> None:
    meeting = await host.create()
    link = urlsplit(meeting["join_url"])
    assert (link.netloc, link.path) == ("us05web.zoom.us", f"/j/{meeting['id']}")
    assert parse_qs(link.query) == {"pwd": [meeting["encrypted_password"]]}
    await host.change(meeting["id"], start_time="2030-06-01T09:00:00Z", topic="Moved", duration=30)
    assert (await host.read(meeting["id"]))["join_url"] == meeting["join_url"]
    await host.change(meeting["id"], password="new-1")
    moved = await host.read(meeting["id"])
    assert moved["password"] == "new-1"
    assert moved["join_url"] != meeting["join_url"]


async def test_an_account_can_keep_the_passcode_out_of_the_link(app: AppAtZoom, host: Host) -> None:
    await app.turn(passcode_in_link=False)
    meeting = await host.create()
    assert meeting["password"]
    assert meeting["join_url"] == f"https://us05web.zoom.us/j/{meeting['id']}"


async def test_an_account_can_do_without_passcodes(app: AppAtZoom, host: Host) -> None:
    await app.turn(passcodes=False)
    meeting = await host.create(password="asked")
    assert meeting["join_url"] == f"https://us05web.zoom.us/j/{meeting['id']}"
    assert not [name for name in meeting if "password" in name]


async def test_phones_get_the_passcode_only_if_it_is_six_digits(host: Host) -> None:
    digits, letters = await host.create(password="123456"), await host.create(password="abc")
    assert (digits["h323_password"], digits["pstn_password"]) == ("123456", "123456")
    assert letters["pstn_password"].isdecimal()
    assert len(letters["pstn_password"]) == 6


async def test_the_start_url_is_new_at_each_read_and_good_for_two_hours(host: Host) -> None:
    meeting = await host.create()
    zaks = [
        parse_qs(urlsplit(url).query)["zak"][0]
        for url in [(await host.read(meeting["id"]))["start_url"], meeting["start_url"]]
    ]
    assert zaks[0] != zaks[1]
    claims = json.loads(base64.urlsafe_b64decode(zaks[0].split(".")[1] + "=="))
    assert claims["exp"] - claims["iat"] == 7200


async def test_dial_in_numbers_come_with_the_meeting(host: Host) -> None:
    meeting = await host.create()
    for settings in (meeting["settings"], (await host.read(meeting["id"]))["settings"]):
        numbers = settings["global_dial_in_numbers"]
        assert {each["type"] for each in numbers} == {"toll", "tollfree"}
        assert any("city" not in each for each in numbers)


async def test_the_invitation_tells_link_and_passcode(host: Host) -> None:
    meeting = await host.create()
    text = (await host.call("GET", f"/meetings/{meeting['id']}/invitation")).json()["invitation"]
    assert meeting["join_url"] in text
    assert f"Passcode: {meeting['password']}" in text


@pytest.mark.parametrize(
    ("asked", "start"),
    [
        ({"start_time": START, "timezone": "Asia/Tokyo"}, START),
        ({"start_time": "2030-07-01T10:00:00", "timezone": "America/New_York"}, "2030-07-01T14:00:00Z"),
        ({"start_time": "2030-12-01T10:00:00", "timezone": "America/New_York"}, "2030-12-01T15:00:00Z"),
        ({"start_time": "2030-12-01T10:00:00", "timezone": "UTC"}, "2030-12-01T10:00:00Z"),
    ],
)
async def test_z_means_gmt_and_everything_else_is_local_time(host: Host, asked: dict[str, str], start: str) -> None:
    meeting = await host.create(**asked)
    assert (meeting["start_time"], meeting["timezone"]) == (start, asked["timezone"])


async def test_local_time_without_a_zone_is_in_the_users_zone(app: AppAtZoom) -> None:
    await app.control("POST", "/users", json={"id": "host-2", "timezone": "Europe/Madrid"})
    host = await app.host("host-2")
    meeting = await host.create(start_time="2030-07-01T10:00:00")
    assert meeting["start_time"] == "2030-07-01T08:00:00Z"


async def test_a_new_meeting_with_a_past_or_missing_start_begins_now(host: Host) -> None:
    past = await host.create(start_time="2020-01-01T10:00:00Z")
    missing = (await host.call("POST", "/users/me/meetings", json={"topic": "Now"})).json()
    for meeting in (past, missing):
        assert _distance_from_now(meeting["start_time"]) < timedelta(minutes=5)


async def test_a_change_to_a_past_start_is_ignored_with_204(host: Host) -> None:
    meeting = await host.create()
    answer = await host.change(meeting["id"], start_time="2020-01-01T10:00:00Z", topic="Renamed")
    assert answer.status_code == 204
    read = await host.read(meeting["id"])
    assert (read["start_time"], read["topic"]) == (START, "Renamed")


async def test_an_instant_meeting_has_no_start_time(host: Host) -> None:
    assert "start_time" not in await host.create(type=1)


@pytest.mark.parametrize(
    ("fields", "broken"),
    [
        ({"topic": "x" * 201}, "topic"),
        ({"topic": 7}, "topic"),
        ({"agenda": "x" * 2001}, "agenda"),
        ({"password": "12345678901"}, "password"),
        ({"password": "pass word"}, "password"),
        ({"duration": 0}, "duration"),
        ({"duration": 1441}, "duration"),
        ({"duration": "60"}, "duration"),
        ({"duration": 60.5}, "duration"),
        ({"duration": True}, "duration"),
        ({"type": 4}, "type"),
        ({"type": "2"}, "type"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"start_time": "2030-05-06T10:00:00+00:00"}, "start_time"),
        ({"start_time": "2030-05-06T10:00:00.000000"}, "start_time"),
        ({"start_time": "2030-05-06 10:00:00"}, "start_time"),
        ({"start_time": "2030-02-30T10:00:00Z"}, "start_time"),
        ({"start_time": 1893456000}, "start_time"),
        ({"settings": "none"}, "settings"),
        ({"settings": {"jbh_time": 7}}, "settings.jbh_time"),
        ({"settings": {"audio": "radio"}}, "settings.audio"),
        ({"settings": {"waiting_room": "yes"}}, "settings.waiting_room"),
        ({"settings": {"auto_recording": "disk"}}, "settings.auto_recording"),
        ({"settings": {"meeting_invitees": ["a@example.com"]}}, "settings.meeting_invitees"),
    ],
)
async def test_a_broken_field_is_refused_by_name_on_create_and_change(
    app: AppAtZoom, host: Host, fields: dict[str, Any], broken: str
) -> None:
    meeting = await host.create()
    created = await host.call("POST", "/users/me/meetings", json={"start_time": START} | fields)
    for answer in (created, await host.change(meeting["id"], **fields)):
        assert refused(answer) == (400, 300, "Validation Failed.")
        assert [each["field"] for each in answer.json()["errors"]] == [broken]
    assert [each["updates"] for each in await app.meetings()] == [0]


async def test_the_longest_allowed_fields_are_kept_whole(host: Host) -> None:
    fields = {"topic": "t" * 200, "agenda": "ä" * 2000, "password": "0123456789", "duration": 1440}
    meeting = await host.create(**fields)
    assert {name: (await host.read(meeting["id"]))[name] for name in fields} == fields


async def test_null_counts_as_not_given(host: Host) -> None:
    meeting = await host.create(agenda=None, duration=None, settings={"jbh_time": None})
    assert "agenda" not in meeting
    assert (meeting["duration"], meeting["settings"]["jbh_time"]) == (60, 0)


async def test_every_broken_field_is_named_at_once(host: Host) -> None:
    body = {"topic": 1, "duration": 0, "settings": {"jbh_time": 1}}
    answer = await host.call("POST", "/users/me/meetings", json=body)
    assert answer.json()["errors"] == [
        {"field": "topic", "message": "Invalid field."},
        {"field": "duration", "message": "Invalid field."},
        {"field": "settings.jbh_time", "message": "Invalid parameter: jbh_time."},
    ]


@pytest.mark.parametrize("body", ["", "{", "[]", '"text"'])
async def test_a_body_that_is_no_json_object_is_refused(host: Host, body: str) -> None:
    answer = await host.call("POST", "/users/me/meetings", content=body)
    assert refused(answer) == (400, 300, "Request Body should be a valid JSON object.")


async def test_a_changed_passcode_may_hold_fewer_signs_than_a_new_one(host: Host) -> None:
    meeting = await host.create(password="a!#b")
    assert refused(await host.change(meeting["id"], password="a!#c"))[2] == "Validation Failed."
    assert (await host.change(meeting["id"], password="a-_*@c")).status_code == 204


async def test_a_waiting_room_ends_join_before_host(host: Host) -> None:
    meeting = await host.create(settings={"join_before_host": True})
    assert meeting["settings"]["join_before_host"] is True
    await host.change(meeting["id"], settings={"waiting_room": True})
    settings = (await host.read(meeting["id"]))["settings"]
    assert (settings["waiting_room"], settings["join_before_host"]) == (True, False)


async def test_what_the_account_cannot_do_is_dropped_silently(app: AppAtZoom, host: Host) -> None:
    asked = {"breakout_room": {"enable": True}, "no_such_setting": 1, "auto_recording": "cloud", "approval_type": 0}
    licensed = (await host.create(settings=asked))["settings"]
    basic = (await (await app.host("basic-1")).create(settings=asked))["settings"]
    assert {"breakout_room", "no_such_setting"}.isdisjoint(licensed)
    assert (licensed["auto_recording"], licensed["approval_type"]) == ("cloud", 0)
    assert (basic["auto_recording"], basic["approval_type"]) == ("none", 2)


async def test_a_one_off_meeting_is_gone_thirty_days_after_its_date(app: AppAtZoom, host: Host) -> None:
    soon = (NOON + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    meeting = await host.create(start_time=soon)
    await app.advance(days=30)
    assert (await (await app.host()).call("GET", f"/meetings/{meeting['id']}")).status_code == 200
    await app.advance(days=2)
    answer = await (await app.host()).call("GET", f"/meetings/{meeting['id']}")
    assert refused(answer) == (404, 3001, f"Meeting does not exist: {meeting['id']}.")


async def test_another_hosts_meeting_does_not_exist(app: AppAtZoom, host: Host) -> None:
    meeting = await host.create()
    answer = await (await app.host("host-2")).delete(meeting["id"])
    assert refused(answer) == (404, 3001, f"Meeting does not exist: {meeting['id']}.")


async def test_a_meeting_id_is_a_number(host: Host) -> None:
    assert refused(await host.call("GET", "/meetings/abc==")) == (400, 300, "Invalid meeting id.")


async def test_nobody_schedules_for_somebody_else_with_a_users_token(host: Host) -> None:
    body = {"schedule_for": "host-2@example.com"}
    answer = await host.call("POST", "/users/me/meetings", json=body)
    assert refused(answer) == (400, 3000, "You cannot schedule a meeting for host-2@example.com")
    assert (await host.create(schedule_for="host-1@example.com"))["host_id"] == "host-1"


async def test_a_recurring_meeting_with_fixed_times_needs_its_recurrence(host: Host) -> None:
    answer = await host.call("POST", "/users/me/meetings", json={"type": 8})
    assert answer.json()["errors"] == [{"field": "recurrence", "message": "Missing field."}]
    recurrence = {"type": 1, "repeat_interval": 1, "end_times": 3}
    assert (await host.create(type=8, recurrence=recurrence))["recurrence"] == recurrence
