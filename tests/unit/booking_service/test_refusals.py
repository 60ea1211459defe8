"""Every refusal has words of its own, or those of its kind."""

from collections.abc import Iterator

import pytest

from booking_service.domain.refusals import Refused
from booking_service.http.refusals import wording_of


def leaves(refusal: type[Refused]) -> Iterator[type[Refused]]:
    below = refusal.__subclasses__()
    yield from [refusal] if not below else [leaf for each in below for leaf in leaves(each)]


@pytest.mark.parametrize("refusal", [*leaves(Refused)])
def test_a_refusal_is_worded(refusal: type[Refused]) -> None:
    wording = wording_of(refusal)

    assert 400 <= wording.status < 600
    assert wording.advice
