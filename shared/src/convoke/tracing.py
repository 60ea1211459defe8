"""The W3C trace context (w3.org/TR/trace-context, section 3.2) of whatever is being handled just now.

It is stored with each outbox entry: a trace would otherwise end at the process that publishes.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def current_traceparent() -> str:
    """Return the traceparent of the work at hand, a new one where there is none."""
    return _current.get() or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def current_trace_id() -> str | None:
    """Return the id of the trace of the work at hand: it is the same in every service that has a part in it."""
    traceparent = _current.get()
    return traceparent.split("-")[1] if traceparent else None


@contextmanager
def traced(traceparent: str | None) -> Iterator[None]:
    """Handle something under the trace it came with; a new trace where it brought none or a malformed one."""
    known = traceparent if traceparent and _TRACEPARENT.fullmatch(traceparent) else None
    token = _current.set(known or current_traceparent())
    try:
        yield
    finally:
        _current.reset(token)
