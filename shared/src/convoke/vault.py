"""Secrets at rest: AES-256-GCM whose associated data ties each secret to its row (NIST SP 800-38D)."""

import base64
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretBytes

_FORMAT = "v1"


class CannotDecrypt(Exception):
    """The secret is not of this row, was changed, or its key is not in the ring; the text says which."""


class Vault:
    """Encrypts with the first key of the ring and decrypts with whichever key a secret names."""

    def __init__(self, keys: Mapping[str, SecretBytes]) -> None:
        self._ciphers = {kid: AESGCM(key.get_secret_value()) for kid, key in keys.items()}
        self._writing_kid = next(iter(keys))

    def encrypt(self, secret: str, *row: str) -> str:
        """Return the secret for storage; `row` names its tenant, document and field, and must be given again."""
        nonce = os.urandom(12)
        sealed = self._ciphers[self._writing_kid].encrypt(nonce, secret.encode(), _associated(row))
        return ".".join((_FORMAT, self._writing_kid, _text(nonce), _text(sealed)))

    def decrypt(self, stored: str, *row: str) -> str:
        """Return the secret. Raises CannotDecrypt."""
        version, kid, nonce, sealed = _parts(stored)
        cipher = self._ciphers.get(kid)
        if version != _FORMAT:
            raise CannotDecrypt(f"a secret of format '{version}' is stored, {_FORMAT} can be read")
        if cipher is None:
            raise CannotDecrypt(f"the key '{kid}' is not in ENCRYPTION_KEYS; add it back until rekeying is done")
        try:
            return cipher.decrypt(_bytes(nonce), _bytes(sealed), _associated(row)).decode()
        except (InvalidTag, ValueError):
            raise CannotDecrypt(f"the secret does not belong to {'/'.join(row)}, or was changed") from None


def _associated(row: tuple[str, ...]) -> bytes:
    # Lengths keep ("ab", "c") and ("a", "bc") apart.
    return "|".join(f"{len(part)}:{part}" for part in (_FORMAT, *row)).encode()


def _parts(stored: str) -> tuple[str, str, str, str]:
    parts = stored.split(".")
    if len(parts) != 4:
        raise CannotDecrypt("what is stored is no encrypted secret")
    return parts[0], parts[1], parts[2], parts[3]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, altchars=b"-_", validate=True)
