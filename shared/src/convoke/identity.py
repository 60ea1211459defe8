"""Who calls: bearer tokens of auth-service, checked against its published keys, and a service's own token.

RFC 9068 claims; the algorithm and the place of the keys are pinned (ASVS 5.0, 9.1.2 and 9.1.3).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import httpx
import jwt
from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from structlog.stdlib import BoundLogger, get_logger

from convoke.problems import Problem

log: BoundLogger = get_logger(__name__)

ISSUER = "auth-service"
ALGORITHM = "EdDSA"
LEEWAY = 30
"""Seconds that two machines' clocks may differ."""

KEYS_ARE_FRESH_FOR = 300.0
LOOK_FOR_NEW_KEY_AFTER = 5.0
"""Seconds between two looks for a key id that is not known, so that made-up ids cost nothing."""

ASK_AGAIN_AFTER = 0.5
"""Seconds between two looks for the first keys, so that requests do not queue behind an auth-service that is away."""

RENEW_BEFORE = 60.0

_BEARER = HTTPBearer(
    bearerFormat="JWT",
    scheme_name="token",
    description="A token from auth-service's `/oauth/token`, with this service as its audience",
    auto_error=False,
)


@dataclass(frozen=True)
class Caller:
    """An API client of one organization, or a service (`organization_id` is empty then)."""

    client_id: str
    organization_id: str
    scopes: frozenset[str]


class KeysUnavailable(Exception):
    """auth-service did not give its keys and none are cached."""


class Verifier(Protocol):
    """Tells who holds a token for one audience."""

    async def verify(self, token: str) -> Caller:
        """Return who holds the token. Raises jwt.InvalidTokenError or KeysUnavailable."""
        ...


def caller_of(token: str, key: Any, audience: str) -> Caller:
    """Return who holds a token that `key` signed for `audience`. Raises jwt.InvalidTokenError."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=ISSUER,
            leeway=LEEWAY,
            options={"require": ["exp", "aud", "iss", "sub"]},
        )
    except jwt.InvalidAudienceError:
        raise jwt.InvalidAudienceError(_of_another_audience(token, audience)) from None
    return Caller(claims["sub"], claims.get("organization_id", ""), frozenset(claims.get("scope", "").split()))


def _of_another_audience(token: str, audience: str) -> str:
    given = jwt.decode(token, options={"verify_signature": False})["aud"]  # the signature has been checked
    return f"The token is for the audience {given!r}; ask auth-service's /oauth/token for one with audience={audience}."


class TokenVerifier:
    """Checks tokens for one audience against the keys that auth-service publishes."""

    def __init__(self, http: httpx.AsyncClient, auth_service_url: str, audience: str) -> None:
        self._http = http
        self._jwks_url = f"{auth_service_url.rstrip('/')}/.well-known/jwks.json"
        self._audience = audience
        self._keys: dict[str, jwt.PyJWK] = {}
        self._asked_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def verify(self, token: str) -> Caller:
        """Return who holds the token. Raises jwt.InvalidTokenError or KeysUnavailable."""
        kid = str(jwt.get_unverified_header(token).get("kid"))
        key = await self._key(kid)
        if key is None:
            raise jwt.InvalidTokenError(f"no key '{kid[:40]}' is published")
        return caller_of(token, key.key, self._audience)

    async def _key(self, kid: str) -> jwt.PyJWK | None:
        if time.monotonic() - self._asked_at > self._fresh_for(kid):
            await self._fetch(self._asked_at)
        if not self._keys:
            raise KeysUnavailable(self._jwks_url)
        return self._keys.get(kid)

    def _fresh_for(self, kid: str) -> float:
        if not self._keys:
            return ASK_AGAIN_AFTER
        return KEYS_ARE_FRESH_FOR if kid in self._keys else LOOK_FOR_NEW_KEY_AFTER

    async def _fetch(self, seen_at: float) -> None:
        async with self._fetching:
            if self._asked_at != seen_at:
                return
            try:
                answer = await self._http.get(self._jwks_url)
                answer.raise_for_status()
                self._keys = {key.key_id or "": key for key in jwt.PyJWKSet.from_dict(answer.json()).keys}
            except (httpx.HTTPError, jwt.PyJWTError, ValueError) as error:
                log.warning("keys.not_fetched", error=type(error).__name__, cached=len(self._keys))
            self._asked_at = time.monotonic()


def requires(verifier: Verifier, *scopes: str) -> Callable[..., Awaitable[Caller]]:
    """Return a FastAPI dependency that gives a Caller with any of the scopes, or answers 401, 403 or 503."""
    wanted = " or ".join(f"'{scope}'" for scope in scopes)
    in_description = Security(_BEARER, scopes=scopes)

    async def caller(bearer: Annotated[HTTPAuthorizationCredentials | None, in_description]) -> Caller:
        found = await _verified(verifier, _token_in(bearer))
        if found.scopes.isdisjoint(scopes):
            raise Problem(
                403,
                "missing-scope",
                "The token lacks a scope",
                f"Ask /oauth/token for a token with the scope {wanted}.",
            )
        return found

    return caller


def _token_in(bearer: HTTPAuthorizationCredentials | None) -> str:
    if bearer is None:
        raise _unauthorized("Send 'Authorization: Bearer <token>' with a token from auth-service's /oauth/token.")
    return bearer.credentials


async def _verified(verifier: Verifier, token: str) -> Caller:
    try:
        return await verifier.verify(token)
    except jwt.ExpiredSignatureError:
        raise _unauthorized("The token has expired; fetch a new one from auth-service's /oauth/token.") from None
    except jwt.InvalidAudienceError as error:
        raise _unauthorized(str(error)) from None
    except jwt.InvalidTokenError as error:
        raise _unauthorized(f"The token is not valid here ({type(error).__name__}).") from None
    except KeysUnavailable:
        raise Problem(
            503,
            "keys-unavailable",
            "Tokens cannot be checked just now",
            "auth-service does not answer; send the request again shortly.",
            headers={"Retry-After": "2"},
        ) from None


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "unauthorized", "No valid token", detail, headers={"WWW-Authenticate": "Bearer"})


class ServiceToken:
    """This service's own token for one audience, fetched when needed and renewed ahead of its end."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        auth_service_url: str,
        client_id: str,
        client_secret: str,
        audience: str,
    ) -> None:
        self._http = http
        self._url = f"{auth_service_url.rstrip('/')}/oauth/token"
        self._credentials = httpx.BasicAuth(client_id, client_secret)
        self._audience = audience
        self._token = ""
        self._renew_at = float("-inf")
        self._failure: Exception | None = None
        self._fetching = asyncio.Lock()

    async def get(self) -> str:
        """Return a valid token. Raises httpx.HTTPError.

        There is one fetch at a time, and who waited for one that failed does not begin another: with an auth-service
        that hangs, the last in a queue of workers would learn of it only after as many time-outs.
        """
        failure_before = self._failure
        async with self._fetching:
            if time.monotonic() >= self._renew_at:
                if self._failure is not None and self._failure is not failure_before:
                    raise self._failure
                await self._fetch()
            return self._token

    def forget(self) -> None:
        """Fetch anew at the next `get`: the last one was refused."""
        self._renew_at = float("-inf")

    async def _fetch(self) -> None:
        try:
            body = await self._asked()
            self._token = body["access_token"]
            self._renew_at = time.monotonic() + max(body["expires_in"] - RENEW_BEFORE, 1.0)
        except Exception as failure:
            self._failure = failure
            raise
        self._failure = None

    async def _asked(self) -> dict[str, Any]:
        form = {"grant_type": "client_credentials", "audience": self._audience}
        answer = await self._http.post(self._url, data=form, auth=self._credentials)
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body
