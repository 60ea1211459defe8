"""Zoom's webhooks: who signed one, and what it reports: a hint to look at Zoom, never believed for its content."""

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Change = Literal["updated", "deleted"]

_CHANGES: dict[str, Change] = {"meeting.updated": "updated", "meeting.deleted": "deleted"}

KNOWN_EVENTS = frozenset({*_CHANGES, "app_deauthorized", "endpoint.url_validation"})

_NUMBER = re.compile("[0-9]{1,18}")


@dataclass(frozen=True)
class MeetingChange:
    """One of host and account is there; Zoom does not always say whose meeting it is.

    `digest` is the same for every copy.
    """

    digest: str
    zoom_account_id: str | None
    host_id: str | None
    zoom_meeting_id: int
    change: Change


@dataclass(frozen=True)
class Removal:
    """A Zoom user has removed the app that `client_id` names. `digest` is the same for every copy."""

    digest: str
    client_id: str
    zoom_user_id: str


def signer_of(secrets: Sequence[str], signature: str, timestamp: str, body: bytes) -> str | None:
    """Return which of the secrets signed these bytes (zoom.md 4); None where none of them did.

    All are compared, in constant time. How old the timestamp is does not count: it is not known whether Zoom's
    retries, up to 85 minutes later, carry the first one, and a copy changes nothing.
    """
    message = b"v0:" + timestamp.encode() + b":" + body
    given = signature.encode()
    signers = [secret for secret in secrets if hmac.compare_digest(b"v0=" + _hmac(secret, message).encode(), given)]
    return signers[0] if signers else None


def proof_of(secret: str, plain_token: str) -> str:
    """Return the answer to `endpoint.url_validation` (zoom.md 4)."""
    return _hmac(secret, plain_token.encode())


def meeting_change_of(message: dict[str, Any]) -> MeetingChange | None:
    """Return what a webhook says of a meeting; None where it does not say of which, or is about other things."""
    change = _CHANGES.get(str(message.get("event")))
    payload = _object(message.get("payload"))
    meeting = _object(payload.get("object"))
    zoom_meeting_id = meeting.get("id")
    # Some of Zoom's events have the id as text.
    if change is None or not _NUMBER.fullmatch(str(zoom_meeting_id)):
        return None
    host_id, account_id = _id(meeting.get("host_id")), _id(payload.get("account_id"))
    if host_id is None and account_id is None:
        return None
    return MeetingChange(
        digest=_digest(message, meeting),
        zoom_account_id=account_id,
        host_id=host_id,
        zoom_meeting_id=int(str(zoom_meeting_id)),
        change=change,
    )


def removal_of(message: dict[str, Any]) -> Removal | None:
    """Return what an `app_deauthorized` says (zoom.md 5); None for any other event, or where it names nobody.

    Its `event_ts` has been seen inside the payload and outside, as a number and as text: nothing depends on it.
    """
    payload = _object(message.get("payload"))
    client_id, user_id = _id(payload.get("client_id")), _id(payload.get("user_id"))
    if message.get("event") != "app_deauthorized" or client_id is None or user_id is None:
        return None
    return Removal(_digest(message, payload), client_id, user_id)


def kind_of(message: dict[str, Any]) -> str:
    """Return the event's name where it is one that we know, else `other`: anybody may make up a name."""
    event = message.get("event")
    return event if isinstance(event, str) and event in KNOWN_EVENTS else "other"


def _digest(message: dict[str, Any], about: dict[str, Any]) -> str:
    same = json.dumps([message["event"], message.get("event_ts"), about], sort_keys=True)
    return hashlib.sha256(same.encode()).hexdigest()


def _id(value: Any) -> str | None:
    return value if isinstance(value, str) and value and value.isascii() else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _hmac(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
