"""The control API: users, meetings behind Zoom's back, the call log, switches and the reset."""

from tests.contract.zoom_sandbox.app_at_zoom import AppAtZoom, Host


async def test_there_are_twenty_licensed_hosts_and_a_basic_user(app: AppAtZoom) -> None:
    users = await app.control("GET", "/users")
    licensed = [each["id"] for each in users if each["type"] == 2 and each["plan"] == "pro"]
    assert licensed == [f"host-{n}" for n in range(1, 21)]
    assert [each["id"] for each in users if each["type"] == 1] == ["basic-1"]


async def test_a_user_is_added_and_edited(app: AppAtZoom) -> None:
    await app.control("POST", "/users", json={"id": "zoe", "email": "zoe@example.com", "plan": "business"})
    edited = await app.control("POST", "/users", json={"id": "zoe", "timezone": "Asia/Tokyo"})
    assert (edited["email"], edited["plan"], edited["timezone"]) == ("zoe@example.com", "business", "Asia/Tokyo")
    assert (await (await app.host("zoe")).create())["timezone"] == "Asia/Tokyo"
    assert (await app.http.post("/sandbox/users", json={"id": "x", "plan": "gold"})).status_code == 422


async def test_meetings_are_shown_whole_with_their_history(app: AppAtZoom, host: Host) -> None:
    meeting = await host.create(agenda="a" * 300)
    await host.change(meeting["id"], duration=30)
    await host.delete(meeting["id"])
    await (await app.host("host-2")).create()
    (shown,) = await app.meetings("host-1")
    assert (shown["agenda"], shown["duration"]) == ("a" * 300, 30)
    assert (shown["updates"], shown["deleted"]) == (1, True)
    assert (shown["created_at"], shown["join_url"]) == (meeting["created_at"], meeting["join_url"])
    assert len(await app.control("GET", "/meetings")) == 2


async def test_a_host_edits_and_deletes_inside_zoom(app: AppAtZoom, host: Host) -> None:
    meeting = await host.create()
    await app.turn(host_daily_limit=0)
    await app.control("PATCH", f"/meetings/{meeting['id']}", json={"password": "inside"})
    read = await host.read(meeting["id"])
    assert read["password"] == "inside"
    assert read["join_url"] != meeting["join_url"]
    await app.control("DELETE", f"/meetings/{meeting['id']}")
    assert (await host.call("GET", f"/meetings/{meeting['id']}")).status_code == 404


async def test_the_call_log_tells_operation_status_and_user_and_never_a_token(app: AppAtZoom, host: Host) -> None:
    await host.call("GET", "/users/me")
    await host.call("GET", "/meetings/1")
    calls = await app.control("GET", "/calls")
    assert [(each["operation"], each["status"], each["user_id"]) for each in calls] == [
        ("token", 200, "host-1"),
        ("get_user", 200, "host-1"),
        ("get_meeting", 404, "host-1"),
    ]
    assert host.access_token not in str(calls)
    assert len(await app.control("GET", "/calls", params={"operation": "get_user"})) == 1
    await app.control("DELETE", "/calls")
    assert await app.control("GET", "/calls") == []


async def test_a_reset_brings_everything_back(app: AppAtZoom, host: Host) -> None:
    await host.create()
    await app.turn(passcodes=False)
    await app.fault("*", "down")
    await app.advance(days=3)
    before = (await app.control("GET", "/health"))["now"]
    await app.control("POST", "/reset")
    assert await app.control("GET", "/meetings") == []
    assert await app.control("GET", "/faults") == []
    assert (await app.control("GET", "/switches"))["passcodes"] is True
    assert (await app.control("GET", "/health"))["now"] < before
    assert (await host.call("GET", "/users/me")).status_code == 401


async def test_an_unknown_switch_is_refused(app: AppAtZoom) -> None:
    assert (await app.http.patch("/sandbox/switches", json={"gravity": False})).status_code == 422


async def test_a_scripted_consent_is_refused_where_the_page_would_be(app: AppAtZoom) -> None:
    await app.turn(pre_approval_required=True)
    body = {"user_id": "host-1", "redirect_uri": "https://convoke.test/callback"}
    answer = await app.http.post("/sandbox/consents", json=body)
    assert (answer.status_code, "You cannot authorize" in answer.text) == (409, True)


async def test_every_secret_there_has_been_can_be_looked_for(app: AppAtZoom, host: Host) -> None:
    meeting = await host.create(password="s3cret")
    secrets = await app.control("GET", "/secrets")
    assert secrets["passcode"] == ["s3cret"]
    assert meeting["join_url"].endswith(f"pwd={secrets['passcode_in_link'][0]}")
    assert (secrets["access_token"], secrets["refresh_token"]) == ([host.access_token], [host.refresh_token])
    assert len(secrets["code"]) == 1
