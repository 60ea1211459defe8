"""`outbox replay` of each service, as an operator uses it after the broker lost its disk."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from convoke.contracts import ZoomMeetingChanged
from convoke.contracts.topology import MEETING_SERVICE_ZOOM
from convoke.messaging.outbox import entry
from tests.integration.commands.conftest import DATABASES, Programs

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def webhook(name: str, told_at: datetime, **fields: Any) -> dict[str, Any]:
    """Return what auth-service has stored of a webhook that it relayed to one organization."""
    told = entry(ZoomMeetingChanged, told_at, organization_id="org_1", connection_ids=["zcn_1"])
    return {"_id": name, "zoom_meeting_id": 1, "change": "updated", "outbox": [], "published": [told], **fields}


async def replay(programs: Programs, *arguments: str) -> tuple[int, str, str]:
    done = await programs.run("auth_service", "outbox", "replay", *arguments)
    return done.status, done.output, done.errors


@pytest.mark.parametrize("program", DATABASES)
async def test_where_nothing_was_told_since_then_nothing_is_told_again(program: str, programs: Programs):
    done = await programs.run_as_process(program, "outbox", "replay", "--since", "2026-11-21T12:00:00Z")
    said = "0 events told again; who knows them already changes nothing\n"
    assert (done.status, done.output, done.errors) == (0, said, "")


async def test_it_says_what_it_will_tell_and_tells_it_however_often_it_is_run(programs: Programs):
    webhooks = [webhook(f"w{number}", NOON + timedelta(minutes=number)) for number in range(-1, 3)]
    await programs.database("auth_service")["webhooks"].insert_many(webhooks)
    said = (
        "zoom.meeting_changed.v1: 3 events to tell again\n3 events told again; who knows them already changes nothing\n"
    )
    for times in (1, 2):
        assert await replay(programs, "--since", "2026-11-21T13:00:00+01:00") == (0, said, "")
        assert await programs.depth(MEETING_SERVICE_ZOOM.queue) == 3 * times
    since_ever = ("--since", "2026-01-01T00:00:00Z")
    assert "4 events told" in (await replay(programs, *since_ever, "--type", "zoom.meeting_changed.v1"))[1]
    assert "0 events told" in (await replay(programs, *since_ever, "--type", "zoom.connected.v1"))[1]


async def test_a_document_of_which_nothing_can_be_told_is_named_and_the_rest_is_told(programs: Programs):
    documents = [webhook("broken", NOON, change="no change"), webhook("sound", NOON)]
    await programs.database("auth_service")["webhooks"].insert_many(documents)
    status, output, errors = await replay(programs, "--since", "2026-11-21T12:00:00Z")
    assert (status, output.splitlines()[-1].partition(";")[0]) == (1, "1 event told again")
    assert errors.startswith("nothing could be told of 'broken': ValidationError")
    assert await programs.depth(MEETING_SERVICE_ZOOM.queue) == 1


async def test_a_broker_that_is_away_is_named_and_nothing_was_told(programs: Programs):
    programs.environment |= {"RABBITMQ_URL": "amqp://guest:guest@127.0.0.1:9/"}
    await programs.database("auth_service")["webhooks"].insert_one(webhook("w", NOON))
    status, output, errors = await replay(programs, "--since", "2026-11-21T12:00:00Z")
    assert (status, output.splitlines()[-1].partition(";")[0]) == (1, "0 events told again")
    assert "RabbitMQ cannot be reached" in errors


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "Missing option '--since'"),
        (("--since", "yesterday"), "is no time"),
        (("--since", "2026-11-21T12:00:00"), "names no zone; add Z for UTC"),
        (
            ("--since", "2026-11-21T12:00:00Z", "--type", "booking.created.v1"),
            "this service publishes privacy.erasure_requested.v1",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_cannot_be_meant_is_refused(arguments: tuple[str, ...], why: str, programs: Programs):
    status, output, errors = await replay(programs, *arguments)
    assert (status, output) == (2, "")
    assert why in " ".join(errors.replace("│", " ").split())
