"""A request that is carried out once, however often it is sent, and the answer that it got."""

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True)
class Answer:
    """What a successful request was told; `body` is JSON."""

    status: int
    body: str


@dataclass(frozen=True)
class Request:
    """Who asked for what. `key` is a hash of the Idempotency-Key, None where none was sent."""

    organization_id: str
    key: bytes | None
    fingerprint: bytes

    @classmethod
    def of(cls, organization_id: str, key: str | None, path: str, body: str) -> "Request":
        """Return a request; two are the same request where path and body are."""
        hashed = sha256(key.encode()).digest() if key else None
        return cls(organization_id, hashed, sha256(f"{path}\n{body}".encode()).digest())
