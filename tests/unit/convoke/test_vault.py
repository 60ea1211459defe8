"""A secret is readable with its key, in its row and unchanged; otherwise the refusal says which of them failed."""

import base64
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes

from convoke.vault import CannotDecrypt, Vault

OLD, NEW = {"old": SecretBytes(b"o" * 32)}, {"new": SecretBytes(b"n" * 32)}
ROW = ("org_a", "con_1", "refresh_token")


@pytest.fixture
def vault() -> Vault:
    return Vault(OLD)


@given(st.text(), st.lists(st.text(), max_size=4))
def test_what_is_encrypted_is_read_back_in_its_row(secret: str, row: list[str]):
    vault = Vault(OLD)
    assert vault.decrypt(vault.encrypt(secret, *row), *row) == secret


@pytest.mark.parametrize(
    "row",
    [("org_b", *ROW[1:]), ("org_a", "con_2", "refresh_token"), (*ROW[:2], "access_token"), ROW[:2], (*ROW, ""), ()],
)
def test_a_secret_moved_to_another_organization_document_or_field_is_unreadable(vault: Vault, row: Sequence[str]):
    with pytest.raises(CannotDecrypt, match="does not belong to"):
        vault.decrypt(vault.encrypt("secret", *ROW), *row)


@given(st.lists(st.text("ab:|1", max_size=3), max_size=3), st.lists(st.text("ab:|1", max_size=3), max_size=3))
def test_no_two_rows_are_taken_for_each_other(row: list[str], other: list[str]):
    stored = Vault(OLD).encrypt("secret", *row)
    if row == other:
        return
    with pytest.raises(CannotDecrypt):
        Vault(OLD).decrypt(stored, *other)


@pytest.mark.parametrize(
    ("row", "other"), [(("ab", "c"), ("a", "bc")), (("a|b", "c"), ("a", "b|c")), (("a|1:b",), ("a", "b"))]
)
def test_parts_of_a_row_do_not_run_into_each_other(vault: Vault, row: Sequence[str], other: Sequence[str]):
    with pytest.raises(CannotDecrypt):
        vault.decrypt(vault.encrypt("secret", *row), *other)


def test_a_removed_key_is_named(vault: Vault):
    with pytest.raises(CannotDecrypt, match="the key 'old' is not in ENCRYPTION_KEYS"):
        Vault(NEW).decrypt(vault.encrypt("secret", *ROW), *ROW)


def test_the_first_key_writes_and_an_old_one_still_reads(vault: Vault):
    rotated = Vault(NEW | OLD)
    assert rotated.decrypt(vault.encrypt("secret", *ROW), *ROW) == "secret"
    assert Vault(NEW).decrypt(rotated.encrypt("secret", *ROW), *ROW) == "secret"


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_one_flipped_bit_makes_a_secret_unreadable(at: int, bit: int):
    version, kid, *sealed = Vault(OLD).encrypt("secret", *ROW).split(".")
    nonce, content = (bytearray(base64.urlsafe_b64decode(part)) for part in sealed)
    target = (nonce, content)[at % 2]
    target[at % len(target)] ^= 1 << bit
    changed = ".".join((version, kid, *(base64.urlsafe_b64encode(part).decode() for part in (nonce, content))))
    with pytest.raises(CannotDecrypt, match="was changed"):
        Vault(OLD).decrypt(changed, *ROW)


@pytest.mark.parametrize(
    "stored", ["", "secret", "v1.old", "v1.old.a.b", "v1.old.AAAA.", "v1.old.?.AAAA", "v1.old..a.b"]
)
def test_what_is_no_encrypted_secret_is_refused_as_such(vault: Vault, stored: str):
    with pytest.raises(CannotDecrypt):
        vault.decrypt(stored, *ROW)


def test_a_format_from_the_future_is_refused_by_name(vault: Vault):
    with pytest.raises(CannotDecrypt, match="format 'v2'"):
        vault.decrypt(vault.encrypt("secret", *ROW).replace("v1.", "v2.", 1), *ROW)


def test_the_same_secret_is_stored_differently_each_time_and_never_in_clear(vault: Vault):
    stored = [vault.encrypt("secret", *ROW) for _ in range(2)]
    assert stored[0] != stored[1]
    assert not any("secret" in base64.urlsafe_b64decode(text.split(".")[3]).decode("latin-1") for text in stored)
