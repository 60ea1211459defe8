"""The rules of auth-service: permissions, schedules, secrets and pages."""

from datetime import UTC, datetime, timedelta

import pytest

from auth_service.domain.authorizations import code_challenge, new_code_verifier, new_state
from auth_service.domain.clients import NOBODY, Client, UnknownScope, check_tenant_scopes, hash_of, new_secret
from auth_service.domain.connections import ahead_of, retry_at, while_idle
from auth_service.domain.scopes import NEEDED_SCOPES, missing_scopes
from auth_service.http.outcomes import Outcome
from auth_service.http.pages import Pages

NOW = datetime(2030, 5, 6, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        ([scope.name for scope in NEEDED_SCOPES], 0),
        ([f"{scope.name}:admin" for scope in NEEDED_SCOPES], 0),
        (["meeting:write", "meeting:read", "user_info:read"], 0),
        (["meeting:write:admin", "meeting:read:admin", "user:read:admin"], 0),
        (["meeting:write:meeting"], 5),
        (["meeting:read"], 4),
        ([], 6),
        (["meeting", "user:read:settings", "meeting:write:registrant"], 6),
    ],
)
def test_granular_classic_and_admin_scopes_count(granted: list[str], missing: int):
    assert len(missing_scopes(granted)) == missing


def test_tokens_in_use_are_renewed_ten_to_fifteen_minutes_ahead():
    moments = {ahead_of(NOW) for _ in range(100)}
    assert len(moments) > 1
    assert all(timedelta(minutes=10) <= NOW - moment <= timedelta(minutes=15) for moment in moments)


def test_idle_tokens_are_renewed_within_a_week():
    moments = {while_idle(NOW) for _ in range(100)}
    assert all(timedelta(days=6) <= moment - NOW <= timedelta(days=7) for moment in moments)


def test_retries_back_off_to_minutes_and_stay_there():
    pauses = [(retry_at(NOW, failures) - NOW).total_seconds() for failures in (1, 2, 5, 50, 10_000)]
    assert 1 <= pauses[0] <= 3
    assert pauses == sorted(pauses[:3]) + pauses[3:]
    assert all(200 <= pause <= 400 for pause in pauses[3:])


def test_the_challenge_is_the_one_of_the_rfc():
    # RFC 7636, appendix B.
    assert (
        code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )
    assert 43 <= len(new_code_verifier()) <= 128
    assert len({new_state() for _ in range(100)}) == 100


def test_a_client_accepts_its_own_secret_and_nobody_accepts_anything():
    secret = new_secret()
    client = Client("c", "n", "o", (), hash_of(secret))
    assert client.accepts(secret)
    assert not client.accepts("")
    assert not NOBODY.accepts("")
    assert not Client("c", "n", "o", (), hash_of(secret), is_revoked=True).accepts(secret)
    assert hash_of(secret) not in repr(client)


@pytest.mark.parametrize(
    "scopes",
    [
        (),
        ("zoom.access-tokens",),
        ("meetings.read",),
        ("meetings.write",),
        ("notifier.read",),
        ("bookings.read", "everything"),
    ],
)
def test_asvs_10_2_3_an_api_client_gets_no_scope_that_is_not_for_tenants(scopes: tuple[str, ...]):
    with pytest.raises(UnknownScope):
        check_tenant_scopes(scopes)


def test_asvs_1_3_7_a_page_shows_what_it_is_given_as_text():
    outcome = Outcome("failed", "x", 400, "<script>", "a & b", "<i>")
    body = bytes(Pages(None, None).ended(outcome).body).decode()
    assert "<script>" not in body
    assert "&lt;script&gt;" in body
    assert "a &amp; b" in body
    assert "&lt;i&gt;" in body
