"""A request whose neighbour is away ends soon, and its answer says what is known of the outcome."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, StreamingResponse
from pymongo.errors import AutoReconnect
from structlog.testing import capture_logs

from convoke import mongo
from convoke.lifecycle import Lifecycle
from convoke.messaging.connections import Connections
from convoke.serving import http_app

ANSWER_WITHIN = 0.2


def impatient_app() -> FastAPI:
    lifecycle = Lifecycle(mongo.connect("mongodb://127.0.0.1:9"), Connections("amqp://127.0.0.1:9"))
    app = http_app("test-service", lifecycle, answer_within=ANSWER_WITHIN)

    @app.get("/things/{trouble}")
    @app.post("/things/{trouble}")
    @app.get("/pages/{trouble}", response_class=HTMLResponse)
    async def get_into(trouble: str) -> None:
        if trouble == "hangs":
            await asyncio.Event().wait()
        raise {"no-primary": AutoReconnect("connection to 10.0.0.1 closed"), "unforeseen": KeyError("canary")}[trouble]

    @app.get("/slow")
    async def slow() -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            yield b"begun "
            await asyncio.sleep(2 * ANSWER_WITHIN)
            yield b"and whole"

        return StreamingResponse(body())

    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(impatient_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=10) as client:
        yield client


@pytest.mark.parametrize("trouble", ["no-primary", "hangs"])
@pytest.mark.parametrize(
    ("method", "headers", "outcome"),
    [
        ("GET", {}, "Nothing was changed. Send it again in a few seconds."),
        ("GET", {"Idempotency-Key": "k"}, "Nothing was changed. Send it again in a few seconds."),
        (
            "POST",
            {},
            "Whether the change was made is not known. Look whether it was before you send it again.",
        ),
        (
            "POST",
            {"Idempotency-Key": "k"},
            "Whether the change was made is not known. Send it again with the same Idempotency-Key.",
        ),
    ],
)
async def test_what_is_known_of_the_outcome_is_told(
    client: httpx.AsyncClient, trouble: str, method: str, headers: dict[str, str], outcome: str
):
    answer = await client.request(method, f"/things/{trouble}", headers=headers)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["type"]) == (503, "temporarily-unavailable")
    assert answer.json()["detail"] == outcome
    assert int(answer.headers["retry-after"]) > 0


async def test_no_key_is_spoken_of_where_a_question_fails_unforeseen(client: httpx.AsyncClient):
    asked, changed = await client.get("/things/unforeseen"), await client.post("/things/unforeseen")
    assert asked.status_code == changed.status_code == 500
    assert "Idempotency-Key" not in asked.text + changed.text


@pytest.mark.parametrize(("trouble", "status"), [("no-primary", 503), ("hangs", 503), ("unforeseen", 500)])
async def test_a_person_is_shown_a_page(client: httpx.AsyncClient, trouble: str, status: int):
    answer = await client.get(f"/pages/{trouble}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert "<h1>This page cannot be shown just now</h1>" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers.get("retry-after") == ("2" if status == 503 else None)


async def test_a_request_that_takes_too_long_is_told_in_the_log(client: httpx.AsyncClient):
    with capture_logs() as lines:
        await client.post("/things/hangs")
    assert lines == [
        {"event": "request.timed_out", "method": "POST", "route": "/things/{trouble}", "log_level": "warning"}
    ]


async def test_an_answer_that_has_begun_may_take_its_time(client: httpx.AsyncClient):
    assert (await client.get("/slow")).text == "begun and whole"
