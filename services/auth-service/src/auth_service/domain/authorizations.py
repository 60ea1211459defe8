"""One attempt to connect Zoom: the link that begins it, the one-time state, and the PKCE secret that only we know.

RFC 7636, RFC 9700; docs/adr/0022-an-attempt-belongs-to-one-browser.md says what binds it to the browser.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from auth_service.domain.connections import Connection, Owner, ZoomUser

LINK_LIVES = timedelta(minutes=10)
STATE_LIVES = timedelta(minutes=10)
CHOICE_LIVES = timedelta(minutes=15)
REVOKE_WITHIN = CHOICE_LIVES + timedelta(hours=1)
"""From when a choice was shown: an hour after its owner could last decide, as where a connection ends."""


class StateUnknown(Exception):
    """No authorization of ours has this state, or this link."""


class AnotherBrowser(Exception):
    """The attempt belongs to another browser, or this one keeps no cookies."""


class StateReused(Exception):
    """The state was used before; a second use may be an attack, or a reload of the page."""

    def __init__(self, return_to: str | None = None) -> None:
        super().__init__()
        self.return_to = return_to


class StateExpired(Exception):
    """The owner took longer than LINK_LIVES to begin, or than STATE_LIVES at Zoom."""

    def __init__(self, return_to: str | None = None) -> None:
        super().__init__()
        self.return_to = return_to


class AttemptOvertaken(Exception):
    """While the code was exchanged, the owner disconnected or connected another Zoom user."""


class ChoiceUnknown(Exception):
    """This browser has no such choice to make."""


class ChoiceExpired(Exception):
    """The owner took longer than CHOICE_LIVES: the Zoom user of before stays."""

    def __init__(self, return_to: str | None = None) -> None:
        super().__init__()
        self.return_to = return_to


class ChoiceMade(Exception):
    """The owner has decided already, perhaps by a button that was pressed twice."""

    def __init__(self, return_to: str | None = None) -> None:
        super().__init__()
        self.return_to = return_to


class AnotherZoomUser(Exception):
    """Another Zoom user was connected before, and nobody has accepted yet what comes of that."""

    def __init__(self, former: Connection) -> None:
        super().__init__()
        self.former = former


@dataclass(frozen=True)
class Authorization:
    """`requested_by` is the API client that began it, `came_back_at` when its owner came back from Zoom.

    `accepted_former_user` is the Zoom user whom the owner has agreed to leave behind, in the choice `choice_id`.
    """

    owner: Owner
    requested_by: str
    code_verifier: str = field(default="", repr=False)
    came_back_at: datetime | None = None
    return_to: str | None = None
    accepted_former_user: str | None = None
    choice_id: str | None = None


@dataclass(frozen=True)
class Link:
    """What begins an attempt: its id and a secret, in an address that is good once."""

    attempt_id: str
    secret: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.attempt_id}.{self.secret}"

    @classmethod
    def read(cls, text: str) -> "Link":
        attempt_id, _, secret = text.partition(".")
        return cls(attempt_id, secret)


@dataclass(frozen=True)
class Choice:
    """A Zoom user who wants to take another one's place, with sealed tokens that wait for the owner's word.

    `former` had the connection when the owner came back.
    """

    id: str
    attempt: Authorization
    connection_id: str
    former: ZoomUser
    user: ZoomUser
    sealed_access_token: str = field(repr=False)
    sealed_refresh_token: str = field(repr=False)
    expires_at: datetime
    scopes: tuple[str, ...]
    api_url: str


def new_state() -> str:
    """Return 256 random bits (ASVS 5.0, 11.5.1 asks for 128)."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """Return what is stored of a state, a link or a browser: nobody can finish another's attempt with it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_code_verifier() -> str:
    """Return 64 characters (RFC 7636, 4.1 wants 43 to 128)."""
    return secrets.token_urlsafe(48)


def code_challenge(verifier: str) -> str:
    """Return the S256 challenge (RFC 7636, 4.2); Zoom takes `plain` where no method is named."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
