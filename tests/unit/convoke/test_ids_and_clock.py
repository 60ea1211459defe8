"""Identifiers, tokens and the time have the form that the wire and MongoDB need."""

import re
from datetime import UTC, timedelta

import pytest
from pydantic import TypeAdapter

from convoke.clock import utc_now
from convoke.contracts.wire import Id
from convoke.ids import new_id, new_token


@pytest.mark.parametrize("prefix", ["bkg", "evt"])
def test_asvs_11_5_1_an_id_is_its_prefix_and_128_bits_in_base32(prefix: str):
    assert re.fullmatch(rf"{prefix}_[a-z2-7]{{26}}", new_id(prefix))


def test_an_id_is_one_on_the_wire():
    assert TypeAdapter(Id).validate_python(new_id("erasure"))


def test_asvs_11_5_1_a_token_is_192_bits_that_are_safe_in_an_address():
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", new_token())


def test_neither_ids_nor_tokens_repeat_themselves():
    assert len({new_id("x") for _ in range(1_000)} | {new_token() for _ in range(1_000)}) == 2_000


def test_the_time_is_in_utc_and_as_fine_as_mongodb_stores_it():
    times = [utc_now() for _ in range(100)]
    assert {time.utcoffset() for time in times} == {timedelta(0)}
    assert {time.tzinfo for time in times} == {UTC}
    assert not any(time.microsecond % 1_000 for time in times)
    assert times == sorted(times)
