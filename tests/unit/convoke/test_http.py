"""Every answer that is no success is a problem document, and the paths for operators say what is wrong."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, field_validator
from pymongo.errors import AutoReconnect, ServerSelectionTimeoutError
from structlog.testing import capture_logs

from convoke import mongo
from convoke.health import health_router
from convoke.lifecycle import Lifecycle
from convoke.messaging.connections import Connections
from convoke.problems import FieldError, Problem
from convoke.serving import LARGEST_REQUEST, http_app, server_config
from convoke.settings import ServiceSettings, load
from convoke.tracing import current_traceparent
from tests.unit.convoke.test_settings import VALID

NOWHERE = "127.0.0.1:9"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Thing(BaseModel):
    name: str
    size: int

    @field_validator("size")
    @classmethod
    def _is_something(cls, size: int) -> int:
        if size < 0:
            raise ValueError("is less than nothing")
        return size


def app_of_a_service() -> FastAPI:
    lifecycle = Lifecycle(mongo.connect(f"mongodb://{NOWHERE}"), Connections(f"amqp://{NOWHERE}"))
    app = http_app("test-service", lifecycle)

    @app.post("/things/{number}")
    async def make(number: int, thing: Thing) -> Thing:
        return Thing(name=thing.name, size=number)

    @app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    @app.get("/errors/{kind}")
    async def fail(kind: str) -> None:
        raise {
            "typed": Problem(
                409,
                "taken",
                "Taken",
                "Choose another.",
                errors=[FieldError(field="x", message="y")],
                headers={"X-A": "b"},
            ),
            "no-primary": AutoReconnect("connection to 10.0.0.1 closed"),
            "not-found-in-time": ServerSelectionTimeoutError("10.0.0.1: refused"),
            "unforeseen": KeyError("s3cr3t-canary"),
        }[kind]

    @app.get("/breaks-off")
    async def break_off() -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            yield b"begun"
            raise KeyError("s3cr3t-canary")

        return StreamingResponse(body())

    @app.get("/trace")
    async def trace() -> str:
        return current_traceparent()

    return app


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app_of_a_service()) as client:
        yield client


def problem_of(answer: httpx.Response, status: int, slug: str) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, object] = answer.json()
    assert (answer.status_code, document["status"], document["type"]) == (status, status, slug)
    assert document["title"]
    assert document["detail"]
    return document


async def test_a_typed_problem_is_answered_with_its_headers(client: httpx.AsyncClient):
    answer = await client.get("/errors/typed")
    assert problem_of(answer, 409, "taken")["errors"] == [{"field": "x", "message": "y"}]
    assert answer.headers["x-a"] == "b"


async def test_wrong_fields_are_named(client: httpx.AsyncClient):
    document = problem_of(await client.post("/things/x", json={"size": "big"}), 422, "invalid-request")
    assert isinstance(document["errors"], list)
    assert {error["field"] for error in document["errors"]} == {"path.number", "body.name", "body.size"}


@pytest.mark.parametrize("body", [b"{", b"\xff", b"", b"[" * 90_000, b'{"name": "\\ud800", "size": 1'])
async def test_a_body_that_is_no_json_is_a_fault_of_the_caller(client: httpx.AsyncClient, body: bytes):
    answer = await client.post("/things/1", content=body, headers={"content-type": "application/json"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code in {400, 422}


async def test_a_body_that_is_broken_json_is_400(client: httpx.AsyncClient):
    answer = await client.post("/things/1", content=b'{"name": ', headers={"content-type": "application/json"})
    problem_of(answer, 400, "invalid-json")


@pytest.mark.parametrize("content_type", [{}, {"content-type": "text/plain"}])
async def test_who_does_not_say_that_it_is_json_is_told_to(client: httpx.AsyncClient, content_type: dict[str, str]):
    answer = await client.post("/things/1", content=b'{"name": "x", "size": 1}', headers=content_type)
    detail = problem_of(answer, 422, "invalid-request")["detail"]
    assert detail == "Send the body as JSON, with the header 'Content-Type: application/json'."


async def test_bytes_that_are_no_text_are_told_so(client: httpx.AsyncClient):
    answer = await client.post("/things/1", content=b'"\xff"', headers={"content-type": "application/json"})
    assert str(problem_of(answer, 400, "invalid-json")["detail"]).endswith("Send JSON in UTF-8.")


async def test_our_own_words_about_a_field_come_without_those_of_a_library(client: httpx.AsyncClient):
    document = problem_of(await client.post("/things/1", json={"name": "x", "size": -1}), 422, "invalid-request")
    assert document["errors"] == [{"field": "body.size", "message": "is less than nothing"}]


async def test_an_unknown_path_is_404(client: httpx.AsyncClient):
    problem_of(await client.get("/nothing"), 404, "not-found")


async def test_a_wrong_method_is_405_and_says_which_are_right(client: httpx.AsyncClient):
    answer = await client.put("/things/1")
    problem_of(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


def in_chunks(size: int) -> AsyncIterator[bytes]:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(size // 1_000):
            yield b" " * 1_000
        yield b" " * (size % 1_000)

    return chunks()


@pytest.mark.parametrize("path", ["/things/1", "/raw"])
@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
async def test_api4_a_body_that_is_too_large_is_413(client: httpx.AsyncClient, path: str, *, chunked: bool):
    size = LARGEST_REQUEST + 1
    answer = await client.post(path, content=in_chunks(size) if chunked else b" " * size)
    assert ("content-length" in answer.request.headers) is not chunked
    assert "/docs" not in str(problem_of(answer, 413, "too-large")["detail"])


async def test_reading_stops_where_a_body_becomes_too_large():
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while taken < 100 * LARGEST_REQUEST:
            taken += 1_000
            yield b" " * 1_000

    async with client_of(app_of_a_service()) as client:
        problem_of(await client.post("/raw", content=endless()), 413, "too-large")
    assert taken <= LARGEST_REQUEST + 1_000


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
async def test_the_largest_body_is_taken(client: httpx.AsyncClient, *, chunked: bool):
    body = in_chunks(LARGEST_REQUEST) if chunked else b" " * LARGEST_REQUEST
    assert (await client.post("/raw", content=body)).json() == LARGEST_REQUEST


@pytest.mark.parametrize("kind", ["no-primary", "not-found-in-time"])
async def test_a_database_that_is_away_is_503_and_when_to_come_again(client: httpx.AsyncClient, kind: str):
    answer = await client.get(f"/errors/{kind}")
    problem_of(answer, 503, "temporarily-unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert "10.0.0.1" not in answer.text


async def test_api8_what_nobody_foresaw_is_500_without_a_word_of_it_and_logged_once(client: httpx.AsyncClient):
    with capture_logs() as lines:
        answer = await client.get("/errors/unforeseen")
    problem_of(answer, 500, "internal-error")
    assert not any(word in answer.text for word in ("canary", "KeyError", "Traceback"))
    assert lines == [
        {
            "event": "request.failed",
            "method": "GET",
            "route": "/errors/{kind}",
            "log_level": "error",
            "exc_info": True,
        }
    ]


async def test_an_answer_that_breaks_off_is_not_passed_off_as_whole(client: httpx.AsyncClient):
    with pytest.raises(KeyError):
        await client.get("/breaks-off")


async def test_a_request_runs_under_the_trace_of_its_caller(client: httpx.AsyncClient):
    assert (await client.get("/trace", headers={"traceparent": TRACEPARENT})).json() == TRACEPARENT
    traces = [(await client.get("/trace", headers={"traceparent": "00-nonsense"})).json() for _ in range(2)]
    assert len({*traces, TRACEPARENT}) == 3


async def test_a_service_without_neighbours_lives_but_is_not_ready(client: httpx.AsyncClient):
    live, ready = await client.get("/health/live"), await client.get("/health/ready")
    assert (live.status_code, live.json()) == (200, {"status": "live"})
    assert ready.status_code == 503
    assert ready.json() == {"started": False, "rabbitmq": False, "mongodb": False}


async def test_liveness_asks_no_neighbour_and_readiness_names_who_fails():
    asked = 0

    async def readiness() -> dict[str, bool]:
        nonlocal asked
        asked += 1
        return {"rabbitmq": asked > 1, "mongodb": True}

    async def measure() -> None:
        """Nothing is counted here."""

    app = FastAPI()
    app.include_router(health_router(readiness, measure))
    async with client_of(app) as client:
        assert (await client.get("/health/live")).status_code == 200
        assert asked == 0
        first, second = await client.get("/health/ready"), await client.get("/health/ready")
    assert (first.status_code, first.json()) == (503, {"rabbitmq": False, "mongodb": True})
    assert (second.status_code, second.json()) == (200, {"rabbitmq": True, "mongodb": True})


async def test_metrics_are_in_the_form_that_prometheus_reads(client: httpx.AsyncClient):
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "process_cpu_seconds_total" in answer.text


async def test_the_description_of_the_paths_tells_of_the_problems(client: httpx.AsyncClient):
    description = (await client.get("/openapi.json")).json()
    answers = description["paths"]["/things/{number}"]["post"]["responses"]
    told = {status: answer for status, answer in answers.items() if status != "200"}
    assert set(told) == {"400", "413", "422", "503"}
    schema = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
    assert all(answer["content"] == {"application/problem+json": schema} for answer in told.values())
    assert {"ProblemDocument", "FieldError"} <= set(description["components"]["schemas"])


def test_an_idle_connection_is_left_open_longer_than_a_caller_would_use_it_again():
    """Else the server closes it just as the next request is sent, and that request is lost."""
    served = server_config(FastAPI(), load(ServiceSettings, VALID))
    assert served.timeout_keep_alive > (httpx.Limits().keepalive_expiry or 0)
