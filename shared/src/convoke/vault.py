"""Secrets at rest: AES-256-GCM whose associated data ties each secret to its row (NIST SP 800-38D).

A secret is sealed by a key of the ring (v1), or by a data key of its own document that a key of the ring seals in turn
(v2, an envelope): changing the ring's key then changes the envelope alone, and who erases the data key erases all that
it sealed.
"""

import base64
import os
import re
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretBytes

_BY_RING, _BY_DATA_KEY = "v1", "v2"


class CannotDecrypt(Exception):
    """The secret is not of this row, was changed, or its key is not there; the text says which."""


class DataKey:
    """A key that seals the secrets of one document."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def encrypt(self, secret: str, *row: str) -> str:
        """Return the secret for storage; `row` names its tenant, document, field and version."""
        return ".".join((_BY_DATA_KEY, *_sealed(self._cipher, secret, _associated(_BY_DATA_KEY, row))))

    def decrypt(self, stored: str, *row: str) -> str:
        """Return the secret. Raises CannotDecrypt."""
        nonce, sealed = _parts(stored, _BY_DATA_KEY, 2)
        return _opened(self._cipher, nonce, sealed, _BY_DATA_KEY, row)


class Vault:
    """Encrypts with the first key of the ring and decrypts with whichever key a secret names."""

    def __init__(self, keys: Mapping[str, SecretBytes]) -> None:
        self._ciphers = {kid: AESGCM(key.get_secret_value()) for kid, key in keys.items()}
        self.writing_kid = next(iter(keys))

    @property
    def kids(self) -> list[str]:
        """Return the ids of the ring's keys, the one that writes first."""
        return list(self._ciphers)

    def encrypt(self, secret: str, *row: str) -> str:
        """Return the secret for storage; `row` names its tenant, document and field, and must be given again."""
        sealed = _sealed(self._ciphers[self.writing_kid], secret, _associated(_BY_RING, row))
        return ".".join((_BY_RING, self.writing_kid, *sealed))

    def decrypt(self, stored: str, *row: str) -> str:
        """Return the secret. Raises CannotDecrypt."""
        kid, nonce, sealed = _parts(stored, _BY_RING, 3)
        cipher = self._ciphers.get(kid)
        if cipher is None:
            raise CannotDecrypt(f"the key '{kid}' is not in ENCRYPTION_KEYS; add it back until rekeying is done")
        return _opened(cipher, nonce, sealed, _BY_RING, row)

    def reencrypt(self, stored: str, *row: str) -> str:
        """Return the same secret under the ring's first key. Raises CannotDecrypt."""
        return stored if self.is_current(stored) else self.encrypt(self.decrypt(stored, *row), *row)

    def is_current(self, stored: str) -> bool:
        """Tell whether a secret is under the ring's first key."""
        return stored.startswith(f"{_BY_RING}.{self.writing_kid}.")

    def new_data_key(self, *row: str) -> str:
        """Return a new data key, sealed for storage in `row`."""
        return self.encrypt(_text(AESGCM.generate_key(256)), *row)

    def data_key(self, stored: str, *row: str) -> DataKey:
        """Return a stored data key, ready for use. Raises CannotDecrypt."""
        return DataKey(_bytes(self.decrypt(stored, *row)))


def _sealed(cipher: AESGCM, secret: str, associated: bytes) -> tuple[str, str]:
    nonce = os.urandom(12)
    return _text(nonce), _text(cipher.encrypt(nonce, secret.encode(), associated))


def _opened(cipher: AESGCM, nonce: str, sealed: str, version: str, row: tuple[str, ...]) -> str:
    try:
        return cipher.decrypt(_bytes(nonce), _bytes(sealed), _associated(version, row)).decode()
    except (InvalidTag, ValueError):
        raise CannotDecrypt(f"the secret does not belong to {'/'.join(row)}, or was changed") from None


def _associated(version: str, row: tuple[str, ...]) -> bytes:
    # Lengths keep ("ab", "c") and ("a", "bc") apart.
    return "|".join(f"{len(part)}:{part}" for part in (version, *row)).encode()


def _parts(stored: str, version: str, number: int) -> list[str]:
    """Return what follows the version."""
    found, *parts = stored.split(".")
    # Only what is surely a version is named: a secret that was stored in clear must not end in a log.
    if found != version and re.fullmatch(r"v\d{1,3}", found):
        raise CannotDecrypt(f"a secret of format '{found}' is stored, {version} can be read here")
    if found != version or len(parts) != number:
        raise CannotDecrypt("what is stored is no encrypted secret")
    return parts


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, altchars=b"-_", validate=True)
