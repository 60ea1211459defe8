"""Identifiers and unguessable tokens, all from the system's random source."""

import base64
import secrets


def new_id(prefix: str) -> str:
    """Return `<prefix>_` and 128 random bits in lower-case base32."""
    return f"{prefix}_{base64.b32encode(secrets.token_bytes(16)).decode().rstrip('=').lower()}"


def new_token() -> str:
    """Return 192 random bits for use in an address (ASVS 5.0, 11.5.1 asks for 128 or more)."""
    return secrets.token_urlsafe(24)
