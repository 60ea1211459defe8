"""What Zoom users have granted the app: authorization codes, access tokens and refresh tokens."""

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from zoom_sandbox.answers import oauth_refusal, refusal
from zoom_sandbox.tokens import ACCESS_LIFE, REFRESH_LIFE, oauth_token
from zoom_sandbox.users import User

CODE_LIFE = timedelta(minutes=5)
ChallengeMethod = Literal["plain", "S256"]


@dataclass
class Grant:
    """One consent of one user; ended by a revoke, a removal of the app or a newer consent."""

    user_id: str
    account_id: str
    scopes: tuple[str, ...]
    ended: bool = False


@dataclass(frozen=True)
class Code:
    grant: Grant
    redirect_uri: str
    expires_at: datetime
    challenge: str | None
    method: ChallengeMethod


@dataclass
class Token:
    value: str
    grant: Grant
    expires_at: datetime
    spent: bool = False


@dataclass(frozen=True)
class Issued:
    access: Token
    refresh: Token


@dataclass
class Grants:
    """Issues and checks tokens (Zoom: OAuth 2.0; OAuth error messages)."""

    now: Callable[[], datetime]
    codes: dict[str, Code] = field(default_factory=dict)
    access: dict[str, Token] = field(default_factory=dict)
    refresh: dict[str, Token] = field(default_factory=dict)
    installed: set[str] = field(default_factory=set)
    codes_given: list[str] = field(default_factory=list)
    states_heard: list[str] = field(default_factory=list)
    verifiers_heard: list[str] = field(default_factory=list)

    def authorize(self, user: User, redirect_uri: str, challenge: str | None, method: ChallengeMethod) -> str:
        """Record a consent and return its code: five minutes, one use."""
        code = secrets.token_urlsafe(24)
        grant = Grant(user.id, user.account_id, user.scopes)
        self.codes[code] = Code(grant, redirect_uri, self.now() + CODE_LIFE, challenge, method)
        self.codes_given.append(code)
        self.installed.add(user.id)
        return code

    def exchange(self, code: str, redirect_uri: str, verifier: str) -> Issued:
        """Trade a code for tokens; the user's earlier tokens end here (OAuth error 4741)."""
        self.verifiers_heard.append(verifier)
        known = self.codes.get(code)
        if known is None or known.grant.ended or known.expires_at <= self.now():
            raise oauth_refusal(400, "Invalid authorization code", "invalid_grant")
        if known.redirect_uri != redirect_uri:
            raise oauth_refusal(400, "Redirect URI mismatch", "invalid_request")
        if known.challenge is not None and _challenge_of(verifier, known.method) != known.challenge:
            raise oauth_refusal(400, "Invalid code verifier", "invalid_grant")
        del self.codes[code]
        self._end_tokens_of(known.grant.user_id)
        return self._issue(known.grant)

    def rotate(self, refresh_token: str, *, grace: bool, end_access: bool) -> Issued:
        """Trade a refresh token for a new pair; a spent one is refused, unless in grace mode."""
        known = self.refresh.get(refresh_token)
        dead = known is None or known.grant.ended or known.expires_at <= self.now()
        if known is None or dead or (known.spent and not grace):
            raise oauth_refusal(400, "Invalid Token!", "invalid_grant")
        known.spent = True
        if end_access:
            for token in self.access.values():
                token.spent = token.spent or token.grant is known.grant
        return self._issue(known.grant)

    def revoke(self, token: str) -> None:
        known = self.access.get(token) or self.refresh.get(token)
        if known is None or known.grant.ended:
            raise oauth_refusal(400, "Invalid Token!", "invalid_grant")
        known.grant.ended = True

    def admit(self, token: str) -> Grant:
        """Return the grant of a living access token, or refuse as Zoom does (codes 124)."""
        known = self.access.get(token)
        if known is None or known.spent or known.grant.ended:
            raise refusal(401, 124, "Invalid access token.")
        if known.expires_at <= self.now():
            raise refusal(401, 124, "Access token is expired.")
        return known.grant

    def owner_of(self, credential: str) -> str | None:
        """Tell whose code or token this is, dead or alive."""
        known = self.access.get(credential) or self.refresh.get(credential) or self.codes.get(credential)
        return known.grant.user_id if known else None

    def uninstall(self, user_id: str) -> None:
        self._end_tokens_of(user_id)
        self.codes = {code: known for code, known in self.codes.items() if known.grant.user_id != user_id}
        self.installed.discard(user_id)

    def _end_tokens_of(self, user_id: str) -> None:
        for token in [*self.access.values(), *self.refresh.values()]:
            if token.grant.user_id == user_id:
                token.grant.ended = True

    def _issue(self, grant: Grant) -> Issued:
        access = self._token(grant, "access_token", ACCESS_LIFE)
        refresh = self._token(grant, "refresh_token", REFRESH_LIFE)
        self.access[access.value], self.refresh[refresh.value] = access, refresh
        return Issued(access, refresh)

    def _token(self, grant: Grant, kind: str, life: timedelta) -> Token:
        now = self.now()
        return Token(oauth_token(grant.user_id, grant.account_id, kind, now, life), grant, now + life)


def _challenge_of(verifier: str, method: ChallengeMethod) -> str:
    if method == "plain":
        return verifier
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
