"""Chance that falls the same way in every run: one that failed can be repeated, and equal worlds write equal mails."""

import random
import secrets
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def repeatable_chance() -> Iterator[None]:
    """Let jitter, ids and tokens begin anew; how random they really are, `test_ids_and_clock` shows."""
    before = random.getstate()
    random.seed(0)
    try:
        with pytest.MonkeyPatch.context() as patch:
            _foresee_secrets(patch)
            yield
    finally:
        random.setstate(before)


def _foresee_secrets(patch: pytest.MonkeyPatch) -> None:
    # One source for each length: a trace that is begun anew after a crash gives no other id to the next booking.
    sources = defaultdict[int, random.Random](lambda: random.Random(0))  # noqa: S311 - repeatable, no secret
    patch.setattr(secrets, "token_bytes", lambda size: sources[size].randbytes(size))
    patch.setattr(secrets, "randbelow", random.Random(0).randrange)  # noqa: S311
    patch.setattr(secrets, "choice", random.Random(0).choice)  # noqa: S311
