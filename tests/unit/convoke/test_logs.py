"""One JSON object per line, and nothing secret or personal in it, wherever it came from and however deep it lies."""

import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from convoke.logs import redact, set_up_logs
from convoke.tracing import traced
from tests.support.logs import logs_restored

Logged = Callable[[], list[str]]
CANARY = "s3cr3t-canary"
FIELDS = (
    "access_token refresh_token token code code_verifier client_secret password passcode join_url start_url email name "
    "phone url authorization Authorization host_email zoom_access_token join_address state mongodb_url zak "
    "ENCRYPTION_KEYS"
).split()
TEXTS = [
    f"Authorization: Bearer {CANARY}",
    f"'authorization': 'Bearer {CANARY}'",
    f"bearer {CANARY}.{CANARY}.{CANARY}",
    f"Basic {CANARY}",
    f"GET https://us05web.zoom.us/j/123?pwd={CANARY}&x=1 failed",
    f"https://us05web.zoom.us/s/123?zak={CANARY}",
    f"https://us05web.zoom.us/j/{CANARY}",
    f"http://127.0.0.1:8002/manage/{CANARY}",
    f"callback?code={CANARY}&state={CANARY}",
    f"grant_type=refresh_token&refresh_token={CANARY}",
    f"client_secret={CANARY}",
    f"amqp://user:{CANARY}@broker:5672/",
    f"mongodb://user:{CANARY}@{CANARY}@a:1,b:2/?x=1",
    f"{CANARY}@example.com",
    f"o'{CANARY}+tag@mail.example.co.uk: refused",
    f'{{"access_token": "{CANARY}", "expires_in": 3599}}',
    f"{{'refresh_token': '{CANARY} with a space'}}",
    f"passcode: {CANARY}",
    f"eyJhbGciOiJFZERTQSJ9.eyJz{CANARY}.{CANARY}",
]


class Strict(BaseModel):
    passcode: int


def line(fields: Mapping[str, Any]) -> str:
    return structlog.processors.JSONRenderer()(None, "", redact(None, "", dict(fields)))  # type: ignore[return-value]


@pytest.fixture
def logged() -> Iterator[Logged]:
    """Set logs up as a service does; calling it returns the lines that were written."""
    output = io.StringIO()
    with logs_restored():
        with redirect_stdout(output):
            set_up_logs("test-service", "INFO")
        yield lambda: output.getvalue().splitlines()


@pytest.mark.parametrize("field", FIELDS)
def test_asvs_16_2_5_a_secret_field_is_hidden_at_every_depth(field: str):
    hidden = {field: CANARY}
    text = line({"event": "x", **hidden, "deeper": {"list": [hidden, (hidden,)]}, "plain": "kept"})
    assert CANARY not in text
    assert json.loads(text)["plain"] == "kept"


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: text,
        lambda text: f"before {text} after",
        lambda text: {"deep": [{"er": (text,)}]},
        lambda text: {text: 1},
        lambda text: {text},
        RuntimeError,
        lambda text: [RuntimeError(text)],
    ],
    ids=["alone", "inside", "nested", "key", "set", "exception", "exceptions"],
)
def test_a_secret_inside_a_text_is_hidden(text: str, wrap: Any):
    assert CANARY not in line({"event": "x", "value": wrap(text)})
    assert CANARY not in line({"event": text})


def test_what_is_no_secret_stays_as_it_is():
    fields = {
        "event": "meeting.step_failed",
        "subject": "bkg_abc",
        "revision": 3,
        "late": 0.5,
        "none": None,
        "yes": True,
        "text": "status code: 404 Not Found, error 124 at http://127.0.0.1:8001/v1/bookings/bkg_1?limit=3",
        "steps": ["create", {"wait": 2}],
    }
    assert json.loads(line(fields)) == fields


def fail_with_secrets() -> None:
    try:
        raise_(ValueError(f"the answer was {{'access_token': '{CANARY}'}}"))
    except ValueError as cause:
        raise ConnectionError(f"amqp://guest:{CANARY}@broker/ went away") from cause


def raise_(error: Exception) -> None:
    raise error


def test_an_exception_with_a_secret_in_its_message_is_logged_without_it(logged: Logged):
    try:
        fail_with_secrets()
    except ConnectionError as error:
        structlog.get_logger().exception("connection.lost", error=error)
    [written] = map(json.loads, logged())
    assert "ConnectionError" in written["exception"]
    assert "ValueError" in written["exception"]
    assert CANARY not in str(written)


def test_a_refused_model_does_not_bring_its_input_into_the_log(logged: Logged):
    try:
        Strict.model_validate({"passcode": CANARY})
    except ValidationError:
        structlog.get_logger().exception("answer.malformed")
    [written] = map(json.loads, logged())
    assert "int_parsing" in written["exception"]
    assert CANARY not in str(written)


def test_a_line_says_when_where_and_how_grave(logged: Logged):
    structlog.get_logger().info("booking.created", booking="bkg_1")
    structlog.get_logger().debug("too.fine")
    [written] = map(json.loads, logged())
    assert written.pop("timestamp").endswith("Z")
    assert written == {"event": "booking.created", "booking": "bkg_1", "level": "info", "service": "test-service"}


def test_what_is_logged_on_the_way_of_one_thing_carries_its_trace(logged: Logged):
    with traced("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"):
        structlog.get_logger().info("booking.created")
        logging.getLogger("some.library").warning("slow")
    structlog.get_logger().info("service.ready")
    *on_the_way, afterwards = map(json.loads, logged())
    assert [line["trace_id"] for line in on_the_way] == ["0af7651916cd43dd8448eb211c80319c"] * 2
    assert "trace_id" not in afterwards


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\u2028", "\x85", "\x1b[2J"])
def test_asvs_16_4_1_nobody_can_forge_a_line(logged: Logged, newline: str):
    structlog.get_logger().info("x", subject=f'bkg_1{newline}{{"event": "forged"}}', **{f"key{newline}": 1})
    [raw] = logged()
    assert "\x1b" not in raw
    assert json.loads(raw)["event"] == "x"


def test_a_librarys_lines_are_json_and_redacted_too(logged: Logged):
    library = logging.getLogger("some.library")
    library.info("too fine")
    library.warning("connecting to %s", f"amqp://guest:{CANARY}@broker/")
    try:
        fail_with_secrets()
    except ConnectionError:
        library.exception("lost")
    first, second = map(json.loads, logged())
    assert (first["logger"], first["level"], first["event"]) == ("some.library", "warning", "library.message")
    assert first["message"] == "connecting to amqp://[redacted]broker/"
    assert "ConnectionError" in second["exception"]
    assert CANARY not in f"{first}{second}"


def test_a_librarys_mistake_in_logging_does_not_become_ours(logged: Logged):
    [ours] = (handler for handler in logging.getLogger().handlers if type(handler).__module__ == "convoke.logs")
    ours.handle(logging.LogRecord("some.library", logging.WARNING, "", 0, "%d of %d", (CANARY,), None))
    [written] = map(json.loads, logged())
    assert "'%d of %d'" in written["message"]


@given(
    st.recursive(
        st.none() | st.text() | st.binary() | st.floats(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_asvs_16_4_1_whatever_is_logged_becomes_one_line_of_json(value: Any):
    text = line({"event": "x", "value": value})
    assert json.loads(text)["event"] == "x"
    assert len(text.splitlines()) == 1
