"""Checking connections up: at connecting, daily and on request Zoom is asked what it thinks of their user."""

from dataclasses import dataclass
from datetime import timedelta

from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.connections import (
    Connection,
    ConnectionUnknown,
    ReauthorizationRequired,
    ZoomNotConnected,
)
from auth_service.domain.findings import Account, found_at_zoom
from auth_service.handlers.access_tokens import AccessTokens, RefreshPending, fingerprint
from auth_service.mongo.checkups import Checkups
from auth_service.mongo.connections import Connections
from auth_service.mongo.documents import connection_of
from auth_service.mongo.refreshes import Refreshes
from auth_service.mongo.sealed_tokens import SealedTokens
from auth_service.zoom import ZoomUnavailable
from auth_service.zoom_users import Token, TokenRefused, ZoomUsers
from convoke.due_work import Claim, Worker
from convoke.messaging.outbox import Outbox
from convoke.vault import CannotDecrypt

log: BoundLogger = get_logger(__name__)

AT_ONCE = 4
"""Nobody waits for those that are due, and users of one account share what Zoom allows it a second."""

LATER = (ZoomUnavailable, RefreshPending, CannotDecrypt)
OVER = (ConnectionUnknown, ZoomNotConnected, ReauthorizationRequired)


class AskedTooOften(Exception):
    """The connection was checked up on request just now."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(str(wait))
        self.wait = wait


@dataclass(frozen=True)
class CheckingUp:
    """Looks at connections; what is found stands in their rows, and is told where it is news."""

    connections: Connections
    checkups: Checkups
    refreshes: Refreshes
    tokens: SealedTokens
    access_tokens: AccessTokens
    zoom_users: ZoomUsers
    outbox: Outbox

    def worker(self) -> Worker:
        """Return what checks up whatever is due, once it runs."""
        return Worker(self.checkups.due, self.check_due, concurrency=AT_ONCE)

    async def check_due(self, claim: Claim) -> None:
        """Check a claimed connection up, or store when to try again."""
        connection = connection_of(claim.document)
        if connection.status != "active":
            await self.checkups.rest(claim)
            return
        try:
            await self._check(connection)
        except LATER as error:
            again_at = await self.checkups.put_off(connection, claim.document["checkup"]["failures"])
            log.warning(
                "zoom.not_checked_up",
                connection=connection.id,
                reason=type(error).__name__,
                retry_at=again_at.isoformat(),
            )

    async def check_now(self, organization_id: str, connection_id: str) -> Connection:
        """Return the connection as a look at Zoom finds it; one that is not active is returned without that.

        Raises ConnectionUnknown, AskedTooOften, or LATER where Zoom cannot be asked: then it is tried again, and what
        was found before stays.
        """
        connection = await self._connection(organization_id, connection_id)
        if connection.status != "active":
            return connection
        if wait := await self.checkups.may_ask(connection):
            raise AskedTooOften(wait)
        try:
            await self._check(connection)
        except LATER:
            await self.checkups.put_off(connection, failures=0)
            raise
        return await self._connection(organization_id, connection_id)

    async def _connection(self, organization_id: str, connection_id: str) -> Connection:
        found = await self.connections.find(organization_id, connection_id)
        if found is None:
            raise ConnectionUnknown
        return found

    async def _check(self, connection: Connection) -> None:
        try:
            account = await self._account(connection)
        except OVER as over:
            log.info("zoom.checkup_ended", connection=connection.id, reason=type(over).__name__)
            return
        found = found_at_zoom(connection.scopes, account)
        document = await self.checkups.store(connection, account.user or connection.user, found)
        if document:
            self.outbox.publish_soon(document)
        log.info("zoom.checked_up", connection=connection.id, found=[finding.code for finding in found])

    async def _account(self, connection: Connection) -> Account:
        """Ask Zoom, once more with a fresh token where it refuses the one there is; if it refuses that, give up."""
        usable = await self._with_good_token(connection)
        try:
            return await self._asked(usable)
        except TokenRefused:
            refused = fingerprint(self.tokens.access_token(usable))
        usable = await self._with_good_token(connection, refused)
        try:
            return await self._asked(usable)
        except TokenRefused:
            if given_up := await self.refreshes.give_up(usable):
                self.outbox.publish_soon(given_up)
                log.warning("zoom.reauthorization_required", connection=connection.id)
            raise ReauthorizationRequired from None

    async def _asked(self, usable: Connection) -> Account:
        return await self.zoom_users.account(usable.api_url, self._token_of(usable))

    async def _with_good_token(self, connection: Connection, rejected: str | None = None) -> Connection:
        return await self.access_tokens.of(connection.owner.organization_id, connection.id, rejected)

    def _token_of(self, connection: Connection) -> Token:
        """Return what gives the token for one call: none once the connection is over, however long Zoom took before."""

        async def token() -> str:
            latest = await self._connection(connection.owner.organization_id, connection.id)
            latest.check_usable()
            return self.tokens.access_token(latest)

        return token
