"""The help for the people who use Zoom with Convoke says what is true, and everything that it promises to say."""

import re
from pathlib import Path

import pytest

from auth_service.domain.connections import Connection, ZoomUser
from auth_service.domain.scopes import ASKED_SCOPES
from auth_service.http.outcomes import OUTCOMES

REPOSITORY = Path(__file__).parents[2]
HELP = (REPOSITORY / "docs/help/zoom.md").read_text()
README = (REPOSITORY / "services/auth-service/README.md").read_text()


def section(title: str) -> str:
    return HELP.split(f"\n## {title}")[1].split("\n## ")[0]


def test_f8_f75_the_help_lists_every_permission_with_the_purpose_that_the_pages_show():
    listed = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|$", section("What you allow"), re.MULTILINE)
    assert listed == [(scope.name, scope.purpose) for scope in ASKED_SCOPES]


@pytest.mark.parametrize("row", ["F14", "F15"])
def test_f14_f15_the_help_says_how_an_administrator_approves_the_app(row: str):
    words = {"F14": ("Request Access", "does not send you back"), "F15": ("Pre-Approve", "Manage, Apps on Account")}
    assert all(word in section("Your company's administrator") for word in words[row])


def test_f59_f63_f65_f76_the_help_says_how_to_remove_the_app_at_zoom_and_what_stays():
    text = section("Disconnect")
    assert all(word in text for word in ("Manage, then Added Apps", "Remove", "stay in Zoom", "history stay"))


def test_f71_the_help_lists_what_is_stored_of_a_zoom_account():
    """Whoever stores something more of a connection must say so here."""
    of_user = {"id": "user id", "account_id": "account id", "email": "mail address", "plan": "plan"}
    assert of_user.keys() == ZoomUser.__dataclass_fields__.keys()
    assert all(words in section("What is stored") for words in of_user.values())
    assert {"sealed_access_token", "sealed_refresh_token", "scopes"} <= Connection.__dataclass_fields__.keys()
    assert "the permissions that you allowed, and two tokens, encrypted" in section("What is stored")
    assert "what its last check-up has found" in section("What is stored")


def test_f72_no_permission_reaches_recordings_chats_contacts_or_participants():
    promised = ("recordings", "chats", "contacts", "participants")
    assert all(word in HELP.lower() for word in promised)
    touched = {scope.name.partition(":")[0] for scope in ASKED_SCOPES}
    assert touched == {"meeting", "user"}
    assert not [scope.name for scope in ASKED_SCOPES if re.search("recording|chat|contact|participant", scope.name)]


def test_f74_f87_the_help_says_that_nothing_is_shared_and_where_support_is():
    assert "not shared with third parties" in section("What is stored")
    assert "support of your product" in section("If connecting does not work")


@pytest.mark.parametrize(
    "word", ["wrong Zoom account", "allow every permission", "private window", "(4,709)", "cookies"]
)
def test_f77_f78_f79_f83_the_help_says_what_to_do_when_connecting_does_not_work(word: str):
    assert word in section("If connecting does not work")


def test_every_code_of_a_result_is_listed_in_the_readme():
    listed = set(re.findall(r"^\| `(?:kept|declined|expired|failed)` \| `([a-z-]+)` \|", README, re.MULTILINE))
    assert listed == OUTCOMES.keys()
