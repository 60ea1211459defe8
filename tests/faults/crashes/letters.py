"""A mail as its reader's calendar sees it, as far as the invariants ask: whole parsers would take most of the time."""

import email
import functools
import re
from dataclasses import dataclass
from datetime import UTC, datetime

_FIELD = re.compile(r"^(METHOD|SEQUENCE|UID|DTSTART)(?:;[^:\r\n]*)?:([^\r\n]*)", re.MULTILINE)


@dataclass(frozen=True)
class Letter:
    recipient: str
    message_id: str
    raw: bytes
    text: str
    method: str | None
    sequence: int | None
    uid: str | None
    starts_at: datetime | None


@functools.lru_cache(maxsize=1_000)
def read(raw: bytes, recipient: str) -> Letter:
    """Return what a mail says; raises KeyError where its calendar part lacks what every one has."""
    message = email.message_from_bytes(raw)
    parts = {
        part.get_content_type(): part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()
    }
    text, calendar = (_decoded(parts.get(kind)) for kind in ("text/plain", "text/calendar"))
    message_id = str(message["Message-ID"])
    if not calendar:
        return Letter(recipient, message_id, raw, text, None, None, None, None)
    fields = dict(_FIELD.findall(calendar.replace("\r\n ", "")))
    starts_at = datetime.strptime(fields["DTSTART"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    sequence = int(fields.get("SEQUENCE", "0"))
    return Letter(recipient, message_id, raw, text, fields["METHOD"], sequence, fields["UID"], starts_at)


def _decoded(payload: object) -> str:
    return payload.decode() if isinstance(payload, bytes) else ""
