"""Every error answer of Zoom means exactly one thing to do."""

from datetime import UTC, datetime, timedelta

import pytest

from meeting_service.ports import InDoubt, MeetingGone, Refused, TokenRefused
from meeting_service.zoom.answers import UnusableAnswer, meeting_details
from meeting_service.zoom.client import JOIN_HOSTS
from meeting_service.zoom.errors import HostLimitReached, error_of

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
SECOND = "You have reached the maximum per-second rate limit for this API. Try again later."
DAY = (
    "You have reached the maximum daily rate limit for this API. "
    "Refer to the response header for details on when you can make another request."
)
HOST = (
    "You have exceeded the daily rate limit (100) of Meeting Create/Update API requests permitted for this "
    "particular user. You may resume these requests at GMT 00:00:00."
)
CONCURRENT = "Too many concurrent requests. A request to disassociate this user has already been made."
SCOPES = "Invalid access token, does not contain scopes:[meeting:write:meeting, meeting:write:meeting:admin]."


@pytest.mark.parametrize(
    ("status", "code", "message", "meaning"),
    [
        (500, 0, "", InDoubt),
        (504, None, "", InDoubt),
        (404, 3001, "Meeting does not exist: 1.", MeetingGone),
        (404, 1001, "User does not exist: x.", "zoom_rejected"),
        (404, None, "", "zoom_rejected"),
        (401, 124, "Access token is expired.", TokenRefused),
        (401, 124, "Invalid access token.", TokenRefused),
        (400, 4711, SCOPES, "zoom_scope_missing"),
        (401, 4700, SCOPES, "zoom_scope_missing"),
        (403, 4711, SCOPES, "zoom_scope_missing"),
        (400, 3161, "Your user account is not allowed meeting hosting.", "zoom_host_not_allowed"),
        (429, 429, SECOND, "zoom_rate_limited"),
        (429, 4001, DAY, "zoom_daily_limit"),
        (429, 429, HOST, "zoom_daily_limit"),
        (400, 300, "Validation Failed.", "zoom_rejected"),
        (400, "strange", "", "zoom_rejected"),
    ],
)
def test_an_error_answer_means_one_thing(status: int, code: object, message: str, meaning: object):
    error = error_of(status, {"code": code, "message": message}, NOW)
    assert error.code == meaning if isinstance(error, Refused) else type(error) is meaning


@pytest.mark.parametrize("message", [DAY, HOST])
def test_a_daily_limit_ends_at_the_next_midnight_utc(message: str):
    error = error_of(429, {"code": 429, "message": message}, NOW)
    assert isinstance(error, Refused)
    assert error.retry_at
    assert timedelta(0) <= error.retry_at - MIDNIGHT <= timedelta(seconds=30)


@pytest.mark.parametrize(
    ("message", "cause", "kind"),
    [
        (SECOND, "zoom_rate_limited", Refused),
        (CONCURRENT, "zoom_rate_limited", Refused),
        (DAY, "zoom_account_limit", Refused),
        (HOST, "zoom_daily_limit", HostLimitReached),
    ],
)
def test_the_four_texts_of_429_are_told_apart(message: str, cause: str, kind: type[Refused]):
    error = error_of(429, {"code": 429, "message": message}, NOW)
    assert isinstance(error, Refused)
    assert (error.cause, type(error)) == (cause, kind)


def test_the_fields_that_zoom_refused_are_named():
    body = {"code": 300, "message": "Validation Failed.", "errors": [{"field": "topic", "message": "Too long."}]}
    assert "topic: Too long." in str(error_of(400, body, NOW))


@pytest.mark.parametrize("body", [None, [], "<result/>", {"errors": "x"}, {"errors": [1]}])
def test_a_body_that_cannot_be_read_is_no_crash(body: object):
    assert isinstance(error_of(400, body, NOW), Refused)


@pytest.mark.parametrize(
    "link",
    [
        "http://zoom.us/j/1",
        "https://zoom.us.evil.example/j/1",
        "https://evilzoom.us/j/1",
        "https://zoom.us@evil.example/j/1",
        "javascript:alert(1)",
        "",
    ],
)
def test_api10_a_join_link_that_does_not_lead_to_zoom_is_refused(link: str):
    with pytest.raises(UnusableAnswer):
        meeting_details({"id": 1, "join_url": link}, JOIN_HOSTS)


@pytest.mark.parametrize(
    "settings",
    [None, [], {"global_dial_in_numbers": None}, {"global_dial_in_numbers": [{"country": "US"}, "x"]}],
)
def test_what_varies_in_practice_may_be_absent(settings: object):
    answer = {"id": 1, "join_url": "https://company.zoom.us/j/1", "settings": settings, "host_email": None}
    details = meeting_details(answer, JOIN_HOSTS)
    assert (details.way_in.passcode, details.way_in.dial_in, details.way_in.host_email) == (None, (), "")
