"""A connection's pair of tokens as it is stored: sealed by a data key that lives and dies with the connection.

Each token is bound to its tenant, row, field and version, the data key to its tenant and row. Rows from before there
were data keys hold tokens that the key ring sealed itself; they get one with the next pair.
"""

from collections.abc import Iterator

from auth_service.domain.connections import Connection, Owner, Tokens
from convoke.mongo import Document
from convoke.rekeying import Secret
from convoke.vault import DataKey, Vault

ERASED = {"tokens.access": "", "tokens.refresh": "", "tokens.data_key": ""}
"""What ends a connection's tokens: without the data key no copy of them opens, wherever one was kept."""


class SealedTokens:
    """Seals the tokens of all connections, and opens them for whoever speaks to Zoom."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def connected(self, owner: Owner, connection_id: str, version: int, tokens: Tokens) -> Document:
        """Return the first pair of a consent for storage as the connection's `tokens`, under a data key of its own."""
        data_key = self._vault.new_data_key(*_key_row(owner.organization_id, connection_id))
        return self._sealed(owner.organization_id, connection_id, version, tokens, data_key)

    def refreshed(self, connection: Connection, tokens: Tokens) -> Document:
        """Return the next pair of a connection for storage, under the data key it has. Raises CannotDecrypt."""
        row = _key_row(connection.owner.organization_id, connection.id)
        # Sealed anew: an operator who changes the ring's keys meanwhile must not get the old one back.
        known = connection.sealed_data_key
        data_key = self._vault.reencrypt(known, *row) if known else self._vault.new_data_key(*row)
        version = connection.token_version + 1
        return self._sealed(connection.owner.organization_id, connection.id, version, tokens, data_key)

    def access_token(self, connection: Connection) -> str:
        """Return the token in clear. Raises CannotDecrypt."""
        return self._opened(connection, connection.sealed_access_token, "access")

    def refresh_token(self, connection: Connection) -> str:
        """Return the token in clear. Raises CannotDecrypt."""
        return self._opened(connection, connection.sealed_refresh_token, "refresh")

    def _sealed(
        self, organization_id: str, connection_id: str, version: int, tokens: Tokens, data_key: str
    ) -> Document:
        cipher = self._vault.data_key(data_key, *_key_row(organization_id, connection_id))
        return {
            "version": version,
            "data_key": data_key,
            "access": cipher.encrypt(tokens.access, *_row(organization_id, connection_id, "access", version)),
            "refresh": cipher.encrypt(tokens.refresh, *_row(organization_id, connection_id, "refresh", version)),
            "expires_at": tokens.expires_at,
        }

    def _opened(self, connection: Connection, sealed: str, kind: str) -> str:
        row = _row(connection.owner.organization_id, connection.id, kind, connection.token_version)
        return self._cipher(connection).decrypt(sealed, *row)

    def _cipher(self, connection: Connection) -> Vault | DataKey:
        known = connection.sealed_data_key
        row = _key_row(connection.owner.organization_id, connection.id)
        return self._vault.data_key(known, *row) if known else self._vault


def secrets_of(document: Document) -> Iterator[Secret]:
    """Yield what the key ring sealed itself in a connection's document, what is yet to be revoked included."""
    row, ending = (document["organization_id"], document["_id"]), document.get("ending") or {}
    for path, tokens in (("tokens", document["tokens"]), ("ending.tokens", ending.get("tokens"))):
        if tokens and tokens.get("data_key"):
            yield Secret(f"{path}.data_key", _key_row(*row))
        elif tokens:
            yield from (
                Secret(f"{path}.{kind}", _row(*row, kind, tokens["version"]))
                for kind in ("access", "refresh")
                if tokens[kind]
            )


def _key_row(organization_id: str, connection_id: str) -> tuple[str, ...]:
    return organization_id, connection_id, "tokens.data_key"


def _row(organization_id: str, connection_id: str, kind: str, version: int) -> tuple[str, ...]:
    """Return what a sealed token is bound to: swapped with any other one, it does not open."""
    return organization_id, connection_id, f"tokens.{kind}", str(version)
