"""Connecting Zoom: the authorization-code flow with a one-time state and PKCE (RFC 9700)."""

from datetime import datetime

from auth_service.domain.authorizations import Authorization, code_challenge, new_code_verifier, new_state
from auth_service.domain.connections import Connection, Owner
from auth_service.mongo.authorizations import Authorizations
from auth_service.mongo.connections import Connections, connection_of
from auth_service.zoom import Zoom
from convoke.messaging.outbox import Outbox


class Connecting:
    """From the address of Zoom's consent page to the stored connection."""

    def __init__(self, authorizations: Authorizations, connections: Connections, zoom: Zoom, outbox: Outbox) -> None:
        self._authorizations = authorizations
        self._connections = connections
        self._zoom = zoom
        self._outbox = outbox

    async def start(self, owner: Owner, requested_by: str) -> tuple[str, datetime]:
        """Return the address of Zoom's consent page, and when its state expires."""
        state, verifier = new_state(), new_code_verifier()
        expires_at = await self._authorizations.add(state, Authorization(owner, requested_by, verifier))
        return self._zoom.authorization_url(state, code_challenge(verifier)), expires_at

    async def finish(self, state: str, code: str) -> Connection:
        """Return the connection that the code is good for.

        Raises what Authorizations.consume, Zoom.exchange, Zoom.me and Connections.connect raise; the state is spent
        whatever happens.
        """
        authorization = await self._authorizations.consume(state)
        tokens = await self._zoom.exchange(code, authorization.code_verifier)
        user = await self._zoom.me(tokens)
        document = await self._connections.connect(authorization, user, tokens)
        self._outbox.publish_soon(document)
        return connection_of(document)

    async def decline(self, state: str) -> None:
        """Spend the state of an attempt that came back without a code. Raises what Authorizations.consume raises."""
        await self._authorizations.consume(state)
