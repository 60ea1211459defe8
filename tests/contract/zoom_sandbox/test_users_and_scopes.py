"""Who may call what: granular scopes, `me`, user types and the right to schedule."""

import pytest

from tests.contract.zoom_sandbox.app_at_zoom import AppAtZoom, Host, refused
from zoom_sandbox.users import APP_SCOPES

CALLS = [
    ("GET", "/users/me", "user:read:user"),
    ("GET", "/users/me/settings", "user:read:settings"),
    ("POST", "/users/me/meetings", "meeting:write:meeting"),
    ("GET", "/users/me/meetings", "meeting:read:list_meetings"),
    ("GET", "/meetings/81234567890", "meeting:read:meeting"),
    ("PATCH", "/meetings/81234567890", "meeting:update:meeting"),
    ("DELETE", "/meetings/81234567890", "meeting:delete:meeting"),
    ("GET", "/meetings/81234567890/invitation", "meeting:read:invitation"),
]


async def _host_with(app: AppAtZoom, scopes: list[str]) -> Host:
    await app.control("POST", "/users", json={"id": "host-2", "scopes": scopes})
    return await app.host("host-2")


@pytest.mark.parametrize(("method", "path", "scope"), CALLS)
async def test_a_call_without_its_scope_is_refused_with_the_scopes_name(
    app: AppAtZoom, method: str, path: str, scope: str
) -> None:
    host = await _host_with(app, [each for each in APP_SCOPES if each != scope])
    answer = await host.call(method, path)
    text = f"Invalid access token, does not contain scopes:[{scope}, {scope}:admin]."
    assert refused(answer) == (400, 4711, text)


@pytest.mark.parametrize(("method", "path", "scope"), CALLS)
async def test_a_calls_own_scope_is_enough(app: AppAtZoom, method: str, path: str, scope: str) -> None:
    answer = await (await _host_with(app, [scope])).call(method, path)
    assert answer.status_code in (200, 400, 404)
    assert "4711" not in answer.text


async def test_a_classic_scope_still_opens_its_calls(app: AppAtZoom) -> None:
    host = await _host_with(app, ["meeting:write"])
    meeting = await host.create()
    assert (await host.change(meeting["id"], topic="x")).status_code == 204
    assert refused(await host.call("GET", f"/meetings/{meeting['id']}"))[1] == 4711


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_the_status_of_a_missing_scope_is_a_switch(app: AppAtZoom, status: int) -> None:
    await app.turn(scope_refusal_status=status)
    answer = await (await _host_with(app, [])).call("GET", "/users/me")
    assert refused(answer)[:2] == (status, 4711)


async def test_new_scopes_need_a_new_consent(app: AppAtZoom) -> None:
    host = await _host_with(app, [])
    await app.control("POST", "/users", json={"id": "host-2", "scopes": ["user:read:user"]})
    assert refused(await host.call("GET", "/users/me"))[1] == 4711
    assert (await (await app.host("host-2")).call("GET", "/users/me")).status_code == 200


async def test_me_tells_type_account_and_zone(app: AppAtZoom, host: Host) -> None:
    me = (await host.call("GET", "/users/me")).json()
    assert (me["id"], me["type"], me["email"], me["timezone"]) == ("host-1", 2, "host-1@example.com", "UTC")
    basic = (await (await app.host("basic-1")).call("GET", "/users/me")).json()
    assert basic["type"] == 1
    assert basic["account_id"] != me["account_id"]


async def test_settings_tell_the_rules_for_passcodes(app: AppAtZoom, host: Host) -> None:
    await app.turn(passcode_in_link=False)
    settings = (await host.call("GET", "/users/me/settings")).json()["schedule_meeting"]
    assert settings["embed_password_in_join_link"] is False
    assert "length" in settings["meeting_password_requirement"]


async def test_a_user_is_told_as_the_account_has_set_it(app: AppAtZoom, host: Host) -> None:
    user = {"id": "host-1", "type": 4, "status": "inactive", "waiting_room": True}
    await app.control("POST", "/users", json=user)
    me = (await host.call("GET", "/users/me")).json()
    assert (me["type"], me["status"]) == (4, "inactive")
    settings = (await host.call("GET", "/users/me/settings")).json()
    assert settings["in_meeting"]["waiting_room"] is True
    assert refused(await host.call("POST", "/users/me/meetings", json={}))[:2] == (400, 3161)


async def test_a_users_waiting_room_holds_for_a_meeting_that_does_not_say_otherwise(app: AppAtZoom, host: Host) -> None:
    await app.control("POST", "/users", json={"id": "host-1", "waiting_room": True})
    wanted = {"join_before_host": True}
    assert (await host.create(settings=wanted))["settings"]["join_before_host"] is False
    open_to_all = await host.create(settings=wanted | {"waiting_room": False})
    assert open_to_all["settings"]["join_before_host"] is True


@pytest.mark.parametrize("path", ["/users/{}", "/users/{}/settings", "/users/{}/meetings"])
@pytest.mark.parametrize("user", ["host-1", "host-2", "host-2@example.com"])
async def test_a_users_token_must_say_me(host: Host, path: str, user: str) -> None:
    answer = await host.call("GET", path.format(user))
    assert refused(answer)[:2] == (400, 4711)
    assert answer.json()["message"].endswith(":admin].")


async def test_an_unknown_user_does_not_exist(host: Host) -> None:
    assert refused(await host.call("GET", "/users/nobody")) == (404, 1001, "User does not exist: nobody.")


async def test_a_user_who_may_not_schedule_is_told_so_in_zooms_two_wordings(app: AppAtZoom, host: Host) -> None:
    meeting = await host.create()
    await app.control("POST", "/users", json={"id": "host-1", "may_schedule": False})
    first = "Your user account is not allowed meeting hosting and scheduling capabilities."
    second = "Meeting hosting and scheduling capabilities are not allowed for your user account."
    one = f"/meetings/{meeting['id']}"
    for method, path in (("POST", "/users/me/meetings"), ("GET", one), ("PATCH", one)):
        assert refused(await host.call(method, path, json={})) == (400, 3161, first)
    for method, path in (("GET", "/users/me/meetings"), ("DELETE", one)):
        assert refused(await host.call(method, path)) == (400, 3161, second)
