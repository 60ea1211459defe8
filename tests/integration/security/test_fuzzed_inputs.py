"""Whatever comes to the webhooks and to the callback: no crash, no 5xx, and nothing stored that was not signed.

Few examples here, many more with `make fuzz`.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from local_stack import environment
from tests.integration.security.system import System
from tests.integration.security.tenants import Tenants

EXAMPLES = int(environment.given("FUZZ_CASES") or 300) // 5
BRIEFLY = settings(
    max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
IN_A_THREAD = pytest.mark.filterwarnings("ignore:Do not use the `random` module")
LONG = pytest.mark.timeout(60 + EXAMPLES)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
)
EVENTS = ("meeting.updated", "meeting.deleted", "app_deauthorized", "endpoint.url_validation", "user.updated")
MEETINGS = st.fixed_dictionaries(
    {}, optional={"id": ANYTHING, "uuid": ANYTHING, "host_id": ANYTHING, "start_time": ANYTHING}
)
PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        "account_id": ANYTHING,
        "object": MEETINGS | ANYTHING,
        "plainToken": ANYTHING,
        "user_id": ANYTHING,
        "client_id": ANYTHING,
        "deauthorization_time": ANYTHING,
        "signature": ANYTHING,
    },
)
MESSAGES = st.fixed_dictionaries(
    {"event": st.sampled_from(EVENTS) | ANYTHING},
    optional={"event_ts": ANYTHING, "payload": PAYLOADS | ANYTHING},
)
BODIES = MESSAGES.map(lambda message: json.dumps(message).encode()) | st.binary(max_size=300)
TIMESTAMPS = st.sampled_from(["", "0", "-1", "x", "9" * 40, "1e9"]) | st.integers(-(10**12), 10**12).map(str)


FORGED = st.text("0123456789abcdefv=", max_size=70) | st.text(st.sampled_from("v0=!~\xa1\xff"), max_size=70)


@pytest.fixture(scope="module")
def http(system: System) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=system.urls["auth-service"], trust_env=False, timeout=30) as http:
        yield http


def stored(tenants: Tenants) -> dict[str, int]:
    """Return how many documents each collection of auth-service holds."""
    database = tenants.databases[tenants.system.settings["auth-service"].mongodb_database]
    return {name: database[name].count_documents({}) for name in database.list_collection_names()}


def signature(tenants: Tenants, timestamp: str, body: bytes) -> str:
    [secret, *_] = tenants.system.settings["auth-service"].zoom_webhook_secret_token
    message = f"v0:{timestamp}:".encode() + body
    return "v0=" + hmac.new(secret.get_secret_value().encode(), message, hashlib.sha256).hexdigest()


@IN_A_THREAD
@LONG
@BRIEFLY
@given(body=BODIES, timestamp=TIMESTAMPS, now=st.booleans())
@example(body=b'{"event": "meeting.updated", "payload": ' + b"[" * 5_000, timestamp="1", now=True)
@example(body=b'{"event": "endpoint.url_validation", "payload": {"plainToken": "\\ud800"}}', timestamp="1", now=True)
def test_api10_whatever_is_signed_is_acknowledged(
    tenants: Tenants, http: httpx.Client, body: bytes, timestamp: str, *, now: bool
):
    told = str(int(time.time())) if now else timestamp
    headers = {"x-zm-request-timestamp": told, "x-zm-signature": signature(tenants, told, body)}
    answer = http.post("/v1/zoom/webhooks", content=body, headers=headers)
    assert answer.status_code in (200, 204), (answer.text, body, told)


@IN_A_THREAD
@LONG
@BRIEFLY
@given(body=BODIES, timestamp=TIMESTAMPS, forged=FORGED)
def test_api10_nothing_is_stored_of_what_is_not_signed(
    tenants: Tenants, http: httpx.Client, body: bytes, timestamp: str, forged: str
):
    before = stored(tenants)
    headers = {b"x-zm-request-timestamp": timestamp.encode(), b"x-zm-signature": forged.encode("latin-1")}
    answer = http.post("/v1/zoom/webhooks", content=body, headers=headers)
    assert answer.status_code in (400, 401), answer.text
    assert stored(tenants) == before


QUERIES = st.dictionaries(
    st.sampled_from(["code", "state", "error", "error_description", "return_to", "x"]) | st.text(max_size=5),
    st.text(max_size=60)
    | st.sampled_from(["access_denied", "'\"><script>alert(1)</script>", "%00", "\r\nset-cookie: a=b"]),
    max_size=5,
)


@IN_A_THREAD
@LONG
@BRIEFLY
@given(query=QUERIES)
@example(query={"code": "c", "state": "s" * 50_000})
def test_api10_whatever_comes_back_from_zoom_gets_a_page(tenants: Tenants, http: httpx.Client, query: dict[str, str]):
    before = stored(tenants)
    try:
        answer = http.get("/v1/zoom/callback", params=query)
    except UnicodeEncodeError:  # a lone surrogate, which no browser can send
        return
    assert answer.status_code in (200, 400, 403, 404, 409, 410), answer.text
    assert "<script>" not in answer.text
    assert "set-cookie" not in answer.headers or "a=b" not in answer.headers["set-cookie"]
    assert stored(tenants) == before
