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


def test_f73_a_removed_key_is_named(vault: Vault):
    with pytest.raises(CannotDecrypt, match="the key 'old' is not in ENCRYPTION_KEYS"):
        Vault(NEW).decrypt(vault.encrypt("secret", *ROW), *ROW)


def test_the_first_key_writes_and_an_old_one_still_reads(vault: Vault):
    rotated = Vault(NEW | OLD)
    assert rotated.decrypt(vault.encrypt("secret", *ROW), *ROW) == "secret"
    assert Vault(NEW).decrypt(rotated.encrypt("secret", *ROW), *ROW) == "secret"


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_asvs_11_3_3_one_flipped_bit_makes_a_secret_unreadable(at: int, bit: int):
    version, kid, *sealed = Vault(OLD).encrypt("secret", *ROW).split(".")
    nonce, content = (bytearray(base64.urlsafe_b64decode(part)) for part in sealed)
    target = (nonce, content)[at % 2]
    target[at % len(target)] ^= 1 << bit
    changed = ".".join((version, kid, *(base64.urlsafe_b64encode(part).decode() for part in (nonce, content))))
    with pytest.raises(CannotDecrypt, match="was changed"):
        Vault(OLD).decrypt(changed, *ROW)


@pytest.mark.parametrize(
    "stored", ["", "secret", "v1.old", "v1.old.a.b", "v1.old.AAAA.", "v1.old.?.AAAA", "v1.old..a.b", "sekrit.old.a.b"]
)
def test_what_is_no_encrypted_secret_is_refused_as_such(vault: Vault, stored: str):
    """And what is stored, perhaps a secret in clear, is not in the text."""
    with pytest.raises(CannotDecrypt) as refused:
        vault.decrypt(stored, *ROW)
    assert "sekrit" not in str(refused.value)


def test_a_format_from_the_future_is_refused_by_name(vault: Vault):
    with pytest.raises(CannotDecrypt, match="format 'v2'"):
        vault.decrypt(vault.encrypt("secret", *ROW).replace("v1.", "v2.", 1), *ROW)


def test_asvs_11_3_4_the_same_secret_is_stored_differently_each_time_and_never_in_clear(vault: Vault):
    stored = [vault.encrypt("secret", *ROW) for _ in range(2)]
    assert stored[0] != stored[1]
    assert not any("secret" in base64.urlsafe_b64decode(text.split(".")[3]).decode("latin-1") for text in stored)


def test_f73_a_data_key_seals_and_opens_and_names_no_key_of_the_ring(vault: Vault):
    key = vault.data_key(vault.new_data_key(*ROW), *ROW)
    stored = key.encrypt("secret", *ROW)
    assert stored.startswith("v2.")
    assert key.decrypt(stored, *ROW) == "secret"


def test_f73_what_a_data_key_sealed_opens_with_no_other_data_key_and_not_with_the_ring(vault: Vault):
    one, other = (vault.data_key(vault.new_data_key(*ROW), *ROW) for _ in range(2))
    stored = one.encrypt("secret", *ROW)
    with pytest.raises(CannotDecrypt, match="does not belong to"):
        other.decrypt(stored, *ROW)
    with pytest.raises(CannotDecrypt, match="format 'v2'"):
        vault.decrypt(stored, *ROW)
    with pytest.raises(CannotDecrypt, match="format 'v1'"):
        one.decrypt(vault.encrypt("secret", *ROW), *ROW)


def test_f73_a_data_key_of_another_row_does_not_open(vault: Vault):
    wrapped = vault.new_data_key("org_a", "con_1", "data_key")
    with pytest.raises(CannotDecrypt, match="does not belong to org_a/con_2/data_key"):
        vault.data_key(wrapped, "org_a", "con_2", "data_key")


def test_f73_reencrypting_changes_the_key_and_not_the_secret_and_happens_once(vault: Vault):
    stored, rotated = vault.encrypt("secret", *ROW), Vault(NEW | OLD)
    anew = rotated.reencrypt(stored, *ROW)
    assert Vault(NEW).decrypt(anew, *ROW) == "secret"
    assert rotated.reencrypt(anew, *ROW) == anew
    assert (rotated.is_current(stored), rotated.is_current(anew)) == (False, True)


def test_f73_a_data_key_that_was_sealed_anew_opens_what_it_sealed_before(vault: Vault):
    wrapped = vault.new_data_key(*ROW)
    stored = vault.data_key(wrapped, *ROW).encrypt("secret", *ROW)
    anew = Vault(NEW | OLD).reencrypt(wrapped, *ROW)
    assert Vault(NEW).data_key(anew, *ROW).decrypt(stored, *ROW) == "secret"
