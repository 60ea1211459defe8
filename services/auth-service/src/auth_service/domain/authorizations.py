"""One attempt to connect Zoom: the one-time state, and the PKCE secret that only we know (RFC 7636, RFC 9700)."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from auth_service.domain.connections import Owner

STATE_LIVES = timedelta(minutes=10)


class StateUnknown(Exception):
    """No authorization of ours has this state."""


class StateReused(Exception):
    """The state was used before; a second use may be an attack, or a reload of the page."""


class StateExpired(Exception):
    """The owner took longer than STATE_LIVES."""


class AttemptOvertaken(Exception):
    """While the code was exchanged, the owner disconnected or connected another Zoom user."""


@dataclass(frozen=True)
class Authorization:
    """`requested_by` is the API client that began it, `came_back_at` when its owner came back from Zoom."""

    owner: Owner
    requested_by: str
    code_verifier: str = field(repr=False)
    came_back_at: datetime | None = None


def new_state() -> str:
    """Return 256 random bits (ASVS 5.0, 11.5.1 asks for 128)."""
    return secrets.token_urlsafe(32)


def hash_of_state(state: str) -> str:
    """Return what is stored of a state: whoever reads the database cannot finish somebody's connecting."""
    return hashlib.sha256(state.encode()).hexdigest()


def new_code_verifier() -> str:
    """Return 64 characters (RFC 7636, 4.1 wants 43 to 128)."""
    return secrets.token_urlsafe(48)


def code_challenge(verifier: str) -> str:
    """Return the S256 challenge (RFC 7636, 4.2); Zoom takes `plain` where no method is named."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
