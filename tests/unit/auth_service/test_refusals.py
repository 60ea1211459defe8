"""What Zoom's refusals mean: by number, by words, and what the owner reads."""

from typing import get_args

import pytest

from auth_service.domain.refusals import Reason, reason_of
from auth_service.http.outcomes import ERRORS, OUTCOMES, outcome_of
from auth_service.http.pages import Pages
from auth_service.zoom import AppRefused, GrantRefused


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Invalid redirect. (4,709)", "redirect-mismatch"),
        ("invalid_request Redirect URI mismatch", "redirect-mismatch"),
        ("4711 scopes changed", "permissions-changed"),
        ("App is disabled. (4,717)", "app-disabled"),
        ("The code has expired (4733)", "code-refused"),
        ("4734", "code-refused"),
        ("Token owner does not exist 4735", "user-gone"),
        ("Token has been disabled by your account admin. (4,738)", "disabled-by-admin"),
        ("You cannot authorize Convoke.", "waiting-for-admin"),
        ("Your administrator must pre-approve this app", "waiting-for-admin"),
        ("access_denied", "declined"),
        ("access_denied 4738", "disabled-by-admin"),
        ("14709 is no number of theirs", None),
        ("server_error", None),
        ("", None),
    ],
)
def test_f77_f82_zooms_refusals_are_told_apart(said: str, reason: Reason | None):
    assert reason_of(said) == reason


def test_f77_every_refusal_has_a_text_with_a_next_step():
    assert set(get_args(Reason)) <= OUTCOMES.keys()
    for outcome in OUTCOMES.values():
        assert outcome.title
        assert outcome.text
        assert outcome.next_step


@pytest.mark.parametrize("error", [one for one in ERRORS if one not in {GrantRefused, AppRefused}])
def test_every_error_that_can_be_told_is(error: type[Exception]):
    assert outcome_of(error()).status >= 400


def test_a_refusal_of_the_grant_or_of_the_app_is_told_by_its_reason():
    assert outcome_of(GrantRefused("invalid_grant")).reason == "code-refused"
    assert outcome_of(GrantRefused("x", "disabled-by-admin")).reason == "disabled-by-admin"
    assert outcome_of(AppRefused("x")).reason == "app-refused"
    assert outcome_of(AppRefused("x", "redirect-mismatch")).reason == "redirect-mismatch"


@pytest.mark.parametrize(
    ("support_url", "shown"),
    [
        ("https://help.example/zoom", '<a href="https://help.example/zoom" rel="noopener noreferrer">Get help</a>'),
        ("mailto:help@ok.example", ">help@ok.example</a>"),
    ],
)
def test_f80_f87_every_page_names_the_support_where_there_is_one(support_url: str, shown: str):
    for outcome in OUTCOMES.values():
        page = bytes(Pages(None, support_url).ended(outcome).body).decode()
        assert shown in page
    assert "Still stuck" not in bytes(Pages(None, None).ended(outcome).body).decode()
