"""One dead letter, and how it is read off a message that may be anything at all."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from faststream.rabbit.annotations import RabbitMessage

State = Literal["waiting", "replayed", "discarded"]

_EVENT_TYPE = re.compile(r"[a-z0-9_.]{1,64}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BY_THE_BROKER = {
    "rejected": "nobody could say why: the log has message.dead_lettering_failed",
    "delivery_limit": "it was delivered too often: it may kill every process that takes it",
}


@dataclass(frozen=True)
class Decision:
    """What became of a letter. `by` and `note` are there where it was discarded."""

    state: State
    at: datetime
    by: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Letter:
    """A message that died in `queue`. `deaths` counts how often; `body` is there while it waits and was asked for.

    `event_type`, `subject` and `organization_id` are what the message says of itself, None where that makes no sense.
    """

    id: str
    queue: str
    reason_code: str
    reason: str
    event_type: str | None
    subject: str | None
    message_id: str | None
    content_type: str | None
    first_died_at: datetime
    died_at: datetime
    organization_id: str | None = None
    deaths: int = 1
    state: State = "waiting"
    decisions: tuple[Decision, ...] = ()
    body: bytes | None = field(default=None, repr=False)

    @property
    def cause(self) -> str:
        """The reason code and the event type: what one mend is likely to cure."""
        return f"{self.reason_code}:{self.event_type}" if self.event_type else self.reason_code


def letter_of(queue: str, message: RabbitMessage, now: datetime) -> Letter:
    """Return the letter in a message of the dead-letter queue of `queue`; never raises."""
    said = _said(message.body)
    code, reason, died_at = _reason(message.headers, now)
    return Letter(
        id=_id(queue, message.body),
        queue=queue,
        reason_code=code,
        reason=reason,
        event_type=_fitting(_EVENT_TYPE, said.get("type")),
        subject=_fitting(_ID, said.get("subject")),
        organization_id=_fitting(_ID, said.get("organizationid")),
        message_id=message.message_id,
        content_type=message.content_type,
        first_died_at=died_at,
        died_at=died_at,
        body=message.body,
    )


def _id(queue: str, body: bytes) -> str:
    """Return the same id for every copy: handlers see nothing of a message but its body, which names its event."""
    digest = hashlib.sha256(queue.encode() + b"\n" + body).digest()
    return f"dl_{base64.b32encode(digest[:10]).decode().lower()}"


def _said(body: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _fitting(pattern: re.Pattern[str], value: Any) -> str | None:
    # What is not of our form may be anything, a mail address too, and is shown in lists.
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _reason(headers: Mapping[str, Any], now: datetime) -> tuple[str, str, datetime]:
    """Return code, text and time: by our consumer where it could say them, else by RabbitMQ's `x-death` headers."""
    if code := headers.get("x-reason-code"):
        return str(code), str(headers.get("x-reason", "")), _instant(headers.get("x-dead-lettered-at"), now)
    code = str(headers.get("x-first-death-reason", "unknown"))
    return code, _BY_THE_BROKER.get(code, "it came here without a reason"), now


def _instant(text: Any, now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return now
    return at if at.tzinfo else now
