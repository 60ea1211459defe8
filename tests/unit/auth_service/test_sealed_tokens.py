"""Which stored tokens open, and that no two of them can be taken for each other."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from pydantic import SecretBytes

from auth_service.domain.connections import Connection, Owner, Tokens, ZoomUser
from auth_service.mongo.sealed_tokens import SealedTokens, secrets_of
from convoke.vault import CannotDecrypt, Vault

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
OLD, NEW = {"old": SecretBytes(b"o" * 32)}, {"new": SecretBytes(b"n" * 32)}
TOKENS = Tokens("the-access-token", "the-refresh-token", NOON, ("meeting:write",), "https://api.zoom.us")
SEALED = SealedTokens(Vault(OLD))


def connection(owner: Owner, connection_id: str, tokens: dict[str, Any]) -> Connection:
    return Connection(
        id=connection_id,
        revision=1,
        owner=owner,
        status="active",
        user=ZoomUser("u", "a", "u@example.com", "licensed"),
        scopes=(),
        api_url="https://api.zoom.us",
        enabled_for_new_bookings=True,
        connected_at=NOON,
        connected_since=NOON,
        token_version=tokens["version"],
        sealed_data_key=tokens.get("data_key", ""),
        sealed_access_token=tokens["access"],
        sealed_refresh_token=tokens["refresh"],
        expires_at=NOON,
        due_at=None,
        refresh_failures=0,
        refresh_failed_at=None,
    )


def connected(organization_id: str = "org_1", connection_id: str = "zc_1", version: int = 1) -> Connection:
    owner = Owner(organization_id)
    return connection(owner, connection_id, SEALED.connected(owner, connection_id, version, TOKENS))


def both_open(sealed: SealedTokens, stored: Connection) -> None:
    opened = sealed.access_token(stored), sealed.refresh_token(stored)
    assert opened == ("the-access-token", "the-refresh-token")


def test_f73_both_tokens_open_in_their_row():
    both_open(SEALED, connected())


def test_f73_no_two_sealed_fields_can_be_swapped_between_fields_rows_tenants_and_versions():
    """And neither can data keys, alone or with what they sealed."""
    one = connected()
    others = [connected("org_2"), connected(connection_id="zc_2"), connected(version=2), connected()]
    next_pair = SEALED.refreshed(one, TOKENS)
    others.append(connection(one.owner, one.id, next_pair))
    fields = ("sealed_access_token", "sealed_refresh_token", "sealed_data_key")
    swaps = [
        (mine, value)
        for other, mine, theirs in product([one, *others], fields, fields)
        if (value := getattr(other, theirs)) != getattr(one, mine)
    ]
    assert len(swaps) == 50
    for mine, value in swaps:
        with pytest.raises(CannotDecrypt):
            both_open(SEALED, replace(one, **{mine: value}))
    with_its_key = {name: getattr(others[1], name) for name in fields}
    with pytest.raises(CannotDecrypt, match="does not belong to"):
        both_open(SEALED, replace(one, **with_its_key))


def test_f73_each_connect_has_a_data_key_of_its_own_and_a_refresh_keeps_it():
    first, second = connected(), connected()
    assert first.sealed_data_key != second.sealed_data_key
    refreshed = connection(first.owner, first.id, SEALED.refreshed(first, TOKENS))
    assert refreshed.sealed_data_key == first.sealed_data_key
    assert refreshed.token_version == 2
    both_open(SEALED, refreshed)


def test_f57_without_its_data_key_no_copy_of_a_token_opens():
    one = connected()
    with pytest.raises(CannotDecrypt, match="format 'v2'"):
        SEALED.access_token(replace(one, sealed_data_key=""))
    with pytest.raises(CannotDecrypt, match="does not belong to"):
        SEALED.access_token(replace(one, sealed_data_key=connected().sealed_data_key))


def test_f73_a_refresh_brings_no_old_key_of_the_ring_back():
    one = connected()
    refreshed = SealedTokens(Vault(NEW | OLD)).refreshed(one, TOKENS)
    both_open(SealedTokens(Vault(NEW)), connection(one.owner, one.id, refreshed))


def of_format_1() -> Connection:
    """Return a connection as it was stored before there were data keys."""
    row = ("org_1", "zc_1")
    sealed = {
        kind: Vault(OLD).encrypt(f"the-{kind}-token", *row, f"tokens.{kind}", "7") for kind in ("access", "refresh")
    }
    return connection(Owner("org_1"), "zc_1", {"version": 7, **sealed})


def test_f73_tokens_of_the_old_format_open_and_get_a_data_key_with_the_next_pair():
    both_open(SEALED, of_format_1())
    refreshed = SEALED.refreshed(of_format_1(), TOKENS)
    assert refreshed["access"].startswith("v2.")
    both_open(SEALED, connection(Owner("org_1"), "zc_1", refreshed))


def test_f73_what_the_ring_sealed_itself_is_named():
    """The data key where there is one, both tokens of the old format, and nothing once they are erased."""
    one, old = connected(), of_format_1()
    row = {"_id": "zc_1", "organization_id": "org_1"}
    new = {"version": 1, "data_key": one.sealed_data_key, "access": "v2...", "refresh": "v2..."}
    assert [secret.path for secret in secrets_of({**row, "tokens": new})] == ["tokens.data_key"]
    found = list(
        secrets_of(
            {**row, "tokens": {"version": 7, "access": old.sealed_access_token, "refresh": old.sealed_refresh_token}}
        )
    )
    assert [secret.path for secret in found] == ["tokens.access", "tokens.refresh"]
    assert Vault(OLD).decrypt(old.sealed_access_token, *found[0].row) == "the-access-token"
    assert list(secrets_of({**row, "tokens": {"version": 8, "access": "", "refresh": "", "data_key": ""}})) == []
