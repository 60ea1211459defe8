"""The tokens that all services trust: signed here, checked everywhere with the keys that are published here."""

import base64
import time
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretBytes

from auth_service.domain.clients import Client
from convoke.identity import ALGORITHM, ISSUER, Caller, caller_of
from convoke.ids import new_id

TOKEN_LIVES = 300
"""Seconds. A revoked client is out after that, at the latest."""


class SigningKeys:
    """Signs with the first key of the ring; all of them are published, so that one can be replaced in two steps."""

    def __init__(self, ring: Mapping[str, SecretBytes]) -> None:
        self._keys = {kid: Ed25519PrivateKey.from_private_bytes(seed.get_secret_value()) for kid, seed in ring.items()}
        self._signing_kid = next(iter(ring))

    def issue(self, client: Client, audience: str, scopes: tuple[str, ...]) -> str:
        """Return a JWT that is good for TOKEN_LIVES seconds (RFC 9068)."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": client.id,
            "aud": audience,
            "iat": now,
            "exp": now + TOKEN_LIVES,
            "jti": new_id("jwt"),
            "scope": " ".join(scopes),
        }
        if client.organization_id:
            claims["organization_id"] = client.organization_id
        return jwt.encode(claims, self._keys[self._signing_kid], ALGORITHM, headers={"kid": self._signing_kid})

    def published(self) -> dict[str, Any]:
        """Return the JWK set (RFC 8037): public halves only."""
        return {"keys": [_jwk(kid, key) for kid, key in self._keys.items()]}

    def verifier(self, audience: str) -> "OwnTokens":
        return OwnTokens(self._keys, audience)


class OwnTokens:
    """Checks our own tokens with our own keys, without an HTTP request to ourselves."""

    def __init__(self, keys: Mapping[str, Ed25519PrivateKey], audience: str) -> None:
        self._keys = {kid: key.public_key() for kid, key in keys.items()}
        self._audience = audience

    async def verify(self, token: str) -> Caller:
        """Return who holds the token. Raises jwt.InvalidTokenError."""
        kid = str(jwt.get_unverified_header(token).get("kid"))
        if kid not in self._keys:
            raise jwt.InvalidTokenError(f"no key '{kid[:40]}' is ours")
        return caller_of(token, self._keys[kid], self._audience)


def _jwk(kid: str, key: Ed25519PrivateKey) -> dict[str, str]:
    public = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": ALGORITHM, "kid": kid, "x": public}
