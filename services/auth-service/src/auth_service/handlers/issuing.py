"""Client credentials in, a signed token out (RFC 6749, section 4.4)."""

from dataclasses import dataclass
from urllib.parse import unquote_plus

from auth_service.domain.clients import AUDIENCES, NOBODY, Client
from auth_service.mongo.clients import Clients
from auth_service.signing import TOKEN_LIVES, SigningKeys


class InvalidClient(Exception):
    """No such client, a wrong secret, or a revoked client: which of them is nobody's business."""


class InvalidTarget(Exception):
    """No audience of ours (RFC 8707, section 2)."""


class InvalidScope(Exception):
    """More was asked for than the client has."""


@dataclass(frozen=True)
class IssuedToken:
    access_token: str
    expires_in: int
    scopes: tuple[str, ...]


class Issuing:
    """Issues access tokens to API clients and services."""

    def __init__(self, clients: Clients, keys: SigningKeys) -> None:
        self._clients = clients
        self._keys = keys

    async def issue(self, client_id: str, secret: str, audience: str, scope: str) -> IssuedToken:
        """Return a token for one audience, with all of the client's scopes or those asked for.

        Raises InvalidClient, InvalidTarget or InvalidScope.
        """
        client = await self._authenticated(client_id, secret)
        if audience not in AUDIENCES:
            raise InvalidTarget
        asked = tuple(scope.split())
        if not set(asked) <= set(client.scopes):
            raise InvalidScope
        scopes = asked or client.scopes
        return IssuedToken(self._keys.issue(client, audience, scopes), TOKEN_LIVES, scopes)

    async def _authenticated(self, client_id: str, secret: str) -> Client:
        client = await self._clients.find(client_id) or NOBODY
        # RFC 6749, 2.3.1 wants Basic credentials form-encoded first; many clients leave that out.
        if client.accepts(secret) or client.accepts(unquote_plus(secret)):
            return client
        raise InvalidClient
