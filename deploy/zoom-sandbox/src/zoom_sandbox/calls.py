"""The log of received API calls. Never a token, a code or a body."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from zoom_sandbox.answers import Json

LONGEST_LOG = 100_000


@dataclass
class ReceivedCall:
    """One call: `status` is what Zoom did with it, `answered` whether the client was told."""

    time: datetime
    operation: str
    user_id: str | None
    path: str
    status: int | None = None
    answered: bool = False
    fault: str | None = None

    def as_json(self) -> Json:
        return vars(self) | {"time": self.time.isoformat(timespec="milliseconds")}


@dataclass
class CallLog:
    now: Callable[[], datetime]
    calls: deque[ReceivedCall] = field(default_factory=lambda: deque(maxlen=LONGEST_LOG))

    def received(self, operation: str, user_id: str | None, path: str) -> ReceivedCall:
        call = ReceivedCall(self.now(), operation, user_id, path)
        self.calls.append(call)
        return call
