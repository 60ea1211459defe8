"""Whatever is sent, the answer is a problem document of ours and never a failure of the server."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.booking_service.tenant import EVENT_TYPE, HOST, INVITEE, Tenant

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["\ud800", "\x00", "9999-12-31T23:55:00-23:59", "0001-01-01T00:00:00+23:59", "1" * 5000])
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
ORDER = {"event_type_id": "ety_x", "host_id": "hst_x", "starts_at": "2031-01-01T00:00:00Z", "invitee": INVITEE}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/hosts": HOST,
    "/v1/event-types": EVENT_TYPE,
    "/v1/bookings": ORDER,
    "/v1/bookings/bkg_x/reschedule": {"starts_at": "2031-01-01T00:00:00Z", "reason": "none"},
    "/v1/bookings/bkg_x/cancel": {"reason": "none"},
}
FUZZED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@st.composite
def broken(draw: st.DrawFn, body: dict[str, Any]) -> Any:
    """Return a body with one field replaced, one field added, or another body altogether."""
    field = draw(st.sampled_from([*body, *(f"invitee.{name}" for name in INVITEE), "", "extra"]))
    value = draw(JSON)
    if not field:
        return value
    outer, _, inner = field.partition(".")
    return body | {outer: {**INVITEE, inner: value} if inner else value}


def is_an_answer_of_ours(answer: httpx.Response) -> bool:
    if answer.status_code < 400:
        return answer.headers["content-type"] == "application/json"
    return answer.status_code < 500 and answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", BODIES)
@FUZZED
@given(data=st.data())
async def test_no_body_breaks_the_service(tenant: Tenant, path: str, data: st.DataObject) -> None:
    body = data.draw(broken(BODIES[path]))

    answer = await tenant.call("POST", path, content=json.dumps(body).encode())

    assert is_an_answer_of_ours(answer), answer.text


@pytest.mark.parametrize("path", ["/v1/hosts", "/v1/bookings", "/v1/event-types"])
@FUZZED
@given(cursor=st.text(), limit=st.text(max_size=5), host_id=st.text(), start=st.text() | st.datetimes().map(str))
async def test_no_question_breaks_the_service(
    tenant: Tenant, path: str, *, cursor: str, limit: str, host_id: str, start: str
) -> None:
    parameters = {"cursor": cursor, "limit": limit, "host_id": host_id, "from": start}
    for name, value in parameters.items():
        answer = await tenant.call("GET", path, params={name: value.encode(errors="replace")})
        assert is_an_answer_of_ours(answer), answer.text


@pytest.mark.parametrize("path", ["/v1/hosts/", "/v1/event-types/", "/v1/bookings/", "/j/", "/manage/"])
@FUZZED
@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
async def test_no_name_in_a_path_breaks_the_service(tenant: Tenant, path: str, name: str) -> None:
    answer = await tenant.call("GET", path + quote(name, safe=""))

    assert answer.status_code < 500


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[" * 50_000, b"NaN", b'{"starts_at": 1e999}', b"1" * 5_000])
@pytest.mark.parametrize("path", BODIES)
async def test_no_bytes_break_the_service(tenant: Tenant, path: str, content: bytes) -> None:
    answer = await tenant.call("POST", path, content=content)

    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_that_is_too_large_is_refused(tenant: Tenant) -> None:
    answer = await tenant.call("POST", "/v1/bookings", content=b'"' + b"x" * 200_000 + b'"')

    assert 400 <= answer.status_code < 500
