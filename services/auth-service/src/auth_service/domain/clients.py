"""Who may ask for tokens: API clients of organizations, and the services themselves."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

AUDIENCES = ("auth-service", "booking-service", "meeting-service", "notifier")
TENANT_SCOPES = (
    "zoom.connect",
    "zoom.administer",
    "hosts.manage",
    "bookings.read",
    "bookings.write",
    "privacy.erase",
)
"""What an organization's client may hold: `zoom.connect` is for hosts' own connections, `zoom.administer` for the
organization's too; `zoom.access-tokens` is for meeting-service alone."""


class UnknownScope(Exception):
    """A scope that an API client cannot have; the text names those that it can."""


@dataclass(frozen=True)
class Client:
    """`organization_id` is None for a service."""

    id: str
    name: str
    organization_id: str | None
    scopes: tuple[str, ...]
    secret_hash: str = field(repr=False)
    is_revoked: bool = False

    def accepts(self, secret: str) -> bool:
        return not self.is_revoked and hmac.compare_digest(self.secret_hash, hash_of(secret))


NOBODY = Client("", "", None, (), secret_hash="")


def new_secret() -> str:
    """Return 256 random bits as text."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """Return what is stored of a client's secret.

    A plain SHA-256 is right here, where it would be wrong for a password: nobody can guess 256 random bits, so a
    slow hash would protect nothing and would make every token request expensive.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def check_tenant_scopes(scopes: tuple[str, ...]) -> None:
    """Raise UnknownScope where an API client asks for something that it cannot have."""
    unknown = sorted(set(scopes) - set(TENANT_SCOPES))
    if unknown or not scopes:
        raise UnknownScope(f"{' '.join(unknown) or 'no scope'}: choose from {' '.join(TENANT_SCOPES)}")
