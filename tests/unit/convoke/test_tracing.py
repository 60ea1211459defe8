"""What is handled runs under the trace that it came with, or under a new one; afterwards the former is back."""

import asyncio
import re

import pytest

from convoke.clock import utc_now
from convoke.contracts import BookingCreated
from convoke.messaging.outbox import entry
from convoke.tracing import current_traceparent, traced

# The example of w3.org/TR/trace-context, section 3.2.
GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
FORM = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@pytest.mark.parametrize("traceparent", [GIVEN, OTHER])
def test_a_valid_trace_is_kept(traceparent: str):
    with traced(traceparent):
        assert current_traceparent() == current_traceparent() == traceparent


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        "",
        "nonsense",
        GIVEN.upper(),
        GIVEN[:-1],
        f"{GIVEN}-",
        f"{GIVEN}\n",
        GIVEN.replace("00-", "ff-", 1),
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
    ],
)
def test_a_missing_or_malformed_trace_is_replaced_by_a_new_one(traceparent: str | None):
    with traced(traceparent):
        first = current_traceparent()
        assert current_traceparent() == first != traceparent
        assert FORM.fullmatch(first)
    with traced(traceparent):
        assert current_traceparent() != first


def test_the_outer_trace_is_back_after_the_inner_one_even_when_that_failed():
    with traced(GIVEN):
        with pytest.raises(KeyError), traced(OTHER):
            raise KeyError
        assert current_traceparent() == GIVEN


def test_what_brings_no_trace_goes_on_with_the_one_around_it():
    with traced(GIVEN), traced(None):
        assert current_traceparent() == GIVEN


async def test_two_that_run_at_once_keep_their_traces_apart():
    async def work(traceparent: str) -> str:
        with traced(traceparent):
            await asyncio.sleep(0)
            return current_traceparent()

    first, second = await asyncio.gather(work(GIVEN), work(OTHER))
    assert (first, second) == (GIVEN, OTHER)


def test_an_outbox_entry_carries_the_trace_to_whoever_publishes_it():
    with traced(GIVEN):
        assert entry(BookingCreated, utc_now())["traceparent"] == GIVEN
