"""Clients that others published for the real Zoom work against the sandbox, and know nothing of it."""

import asyncio
import warnings
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import pytest

from tests.contract.zoom_sandbox.app_at_zoom import CLIENT_ID, CLIENT_SECRET, START, AppAtZoom, Host

Result = TypeVar("Result")


async def _blocking(work: Callable[[], Result]) -> Result:
    """Run a client that blocks beside the sandbox; its own deprecated spellings are not ours to fail on."""

    def quietly() -> Result:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return work()

    return await asyncio.to_thread(quietly)


@pytest.fixture
async def zoomus(sandbox_address: str, host: Host) -> Any:
    def build() -> Any:
        import zoomus  # noqa: PLC0415 - its import warns

        client = zoomus.ZoomClient(
            CLIENT_ID,
            CLIENT_SECRET,
            "no-account",
            base_uri=f"{sandbox_address}/v2",
            oauth_uri=f"{sandbox_address}/oauth/token",
        )
        client.config["token"] = host.access_token
        return client

    return await _blocking(build)


@pytest.fixture
async def pyzoom(sandbox_address: str, host: Host) -> Any:
    def build() -> Any:
        import pyzoom  # noqa: PLC0415 - its import warns

        return pyzoom.ZoomClient(host.access_token, base_url=f"{sandbox_address}/v2")

    return await _blocking(build)


async def test_zoomus_creates_reads_changes_lists_and_deletes(app: AppAtZoom, zoomus: Any) -> None:
    def scenario() -> tuple[list[int], dict[str, Any], dict[str, Any]]:
        start = datetime.fromisoformat(START)
        created = zoomus.meeting.create(user_id="me", topic="Talk", type=2, start_time=start, duration=45)
        meeting_id = created.json()["id"]
        changed = zoomus.meeting.update(id=meeting_id, topic="Another talk")
        read = zoomus.meeting.get(id=meeting_id)
        listed = zoomus.meeting.list(user_id="me")
        deleted = zoomus.meeting.delete(id=meeting_id)
        gone = zoomus.meeting.get(id=meeting_id)
        answers = [created, changed, read, listed, deleted, gone]
        return [each.status_code for each in answers], read.json(), listed.json()

    statuses, read, listed = await _blocking(scenario)
    assert statuses == [201, 204, 200, 200, 204, 404]
    assert (read["topic"], read["start_time"], read["duration"]) == ("Another talk", START, 45)
    assert [each["topic"] for each in listed["meetings"]] == ["Another talk"]
    assert [each["deleted"] for each in await app.meetings()] == [True]


async def test_zoomus_reads_the_user(zoomus: Any) -> None:
    me = await _blocking(lambda: zoomus.user.get(id="me"))
    assert (me.status_code, me.json()["email"]) == (200, "host-1@example.com")


async def test_pyzoom_creates_reads_changes_lists_and_deletes(app: AppAtZoom, pyzoom: Any) -> None:
    def scenario() -> tuple[Any, Any, Any, bool]:
        created = pyzoom.meetings.create_meeting("Talk", start_time=START, duration_min=45, password="abc123")
        pyzoom.meetings.update_meeting(
            "Another talk", start_time=START, duration_min=30, password="abc123", meeting_id=created.id
        )
        read = pyzoom.meetings.get_meeting(created.id)
        listed = pyzoom.meetings.list_meetings()
        return created, read, listed, pyzoom.meetings.delete_meeting(created.id)

    created, read, listed, deleted = await _blocking(scenario)
    assert (created.topic, read.topic, read.duration) == ("Talk", "Another talk", 30)
    assert read.join_url == created.join_url
    assert [each.id for each in listed.filter_by_topic("another")] == [created.id]
    assert deleted
    assert [each["deleted"] for each in await app.meetings()] == [True]


async def test_pyzoom_recognises_a_meeting_that_does_not_exist(pyzoom: Any) -> None:
    from pyzoom.err import NotFound  # noqa: PLC0415 - its import warns

    with pytest.raises(NotFound, match=r"Meeting does not exist: 81234567890\."):
        await _blocking(lambda: pyzoom.meetings.get_meeting(81234567890))


async def test_pyzoom_pages_through_a_list(pyzoom: Any, host: Host) -> None:
    made = [(await host.create())["id"] for _ in range(3)]
    pages = await _blocking(lambda: pyzoom.raw.get_all_pages("/users/me/meetings", query={"page_size": 1}))
    assert sorted(each["id"] for each in pages["meetings"]) == sorted(made)
