"""An erasure as whoever asked for it sees it: what is to go, and what each service has said so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Scope = Literal["zoom_data", "person", "organization"]
Status = Literal["running", "done"]

OWN = "auth-service"

_AT_ZOOM = "Meetings that are at Zoom stay there: they belong to the Zoom account. Delete them in Zoom."
NOTES: Mapping[Scope, tuple[str, ...]] = {
    "zoom_data": (_AT_ZOOM, "Bookings and their history stay, without links."),
    "person": (
        "Bookings that are ahead are left until they are over or cancelled: cancel them to have them erased sooner.",
    ),
    "organization": (
        _AT_ZOOM,
        "The client that asked can read this receipt for 30 days, and do nothing else; all others are gone.",
    ),
}
"""What nobody should read out of a receipt."""


class ErasureKeyReused(Exception):
    """The idempotency key was used for another request."""


@dataclass(frozen=True)
class ErasureRequest:
    """`person` is a mail address where the scope is one person. `key` is a hash, None where none was sent."""

    organization_id: str
    requested_by: str
    scope: Scope
    person: str | None
    key: bytes | None


@dataclass(frozen=True)
class ShareOfService:
    """What a service has removed so far, and what is left, as it is still needed or cannot be read.

    `at` is None before it answered.
    """

    service: str
    removed: Mapping[str, int]
    left: Mapping[str, int]
    at: datetime | None

    @property
    def is_done(self) -> bool:
        return self.at is not None and not self.left


@dataclass(frozen=True)
class Receipt:
    """The answers of all services that hold data."""

    id: str
    scope: Scope
    requested_at: datetime
    shares: tuple[ShareOfService, ...]

    @property
    def status(self) -> Status:
        return "done" if all(share.is_done for share in self.shares) else "running"

    @property
    def done_at(self) -> datetime | None:
        times = [share.at for share in self.shares if share.at]
        return max(times) if self.status == "done" else None
