"""Connecting Zoom: the authorization-code flow with a one-time state and PKCE, in one browser (RFC 9700)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.authorizations import (
    AnotherZoomUser,
    Authorization,
    Link,
    code_challenge,
    new_code_verifier,
    new_state,
)
from auth_service.domain.connections import Connection, Owner, Tokens, ZoomUser
from auth_service.domain.organizations import Organization
from auth_service.handlers.choosing import Choosing
from auth_service.mongo.authorizations import Authorizations
from auth_service.mongo.connections import Connections
from auth_service.mongo.documents import connection_of
from auth_service.mongo.organizations import Organizations
from auth_service.zoom import AccessRefused, AppRefused, GrantRefused, Zoom, ZoomUnavailable, certain_answers
from convoke.messaging.outbox import Outbox

log: BoundLogger = get_logger(__name__)

ASKED_AGAIN_AFTER = (0.5, 1.0, 2.0, 4.0)
"""Seconds between asking whose tokens these are: that may be repeated, while their code is spent."""

REVOKED_WITHIN = 8.0
"""Seconds, so that connecting ends within its minute (app.ANSWER_WITHIN) also where Zoom has been slow before."""


@dataclass(frozen=True)
class Begun:
    """What the page before Zoom's shows: who asks, for whom."""

    organization: Organization
    attempt: Authorization


class Connecting:
    """From the link of the first page to the stored connection.

    `wake` has whoever asks Zoom about connections look at once.
    """

    def __init__(
        self,
        organizations: Organizations,
        authorizations: Authorizations,
        connections: Connections,
        choosing: Choosing,
        *,
        zoom: Zoom,
        outbox: Outbox,
        wake: Callable[[], None],
    ) -> None:
        self._organizations = organizations
        self._authorizations = authorizations
        self._connections = connections
        self._choosing = choosing
        self._zoom = zoom
        self._outbox = outbox
        self._wake = wake

    async def start(self, attempt: Authorization) -> tuple[Link, datetime]:
        """Return the link of the page that an attempt begins with, and when it expires.

        Raises OrganizationUnknown, ZoomIsOff, NotAReturnAddress or ReturnNotAllowed.
        """
        organization = await self._organizations.find(attempt.owner.organization_id)
        organization.check_zoom_is_on()
        if attempt.return_to is not None:
            organization.check_may_return_to(attempt.return_to)
        return await self._authorizations.add(attempt)

    async def begun(self, link: Link, browser: str) -> Begun:
        """Return what a link begins. Raises what Authorizations.open raises, OrganizationUnknown or ZoomIsOff."""
        attempt = await self._authorizations.begun_by(link, browser)
        organization = await self._organizations.find(attempt.owner.organization_id)
        organization.check_zoom_is_on()
        return Begun(organization, attempt)

    async def proceed(self, link: Link, browser: str) -> str:
        """Return the address of Zoom's consent page, for this browser alone. Raises what `begun` raises."""
        await self.begun(link, browser)
        state, verifier = new_state(), new_code_verifier()
        await self._authorizations.open(link, browser, state, verifier)
        return self._zoom.authorization_url(state, code_challenge(verifier))

    async def come_back(self, state: str, browser: str) -> Authorization:
        """Return the attempt, whose state is spent by this. Raises what Authorizations.consume raises."""
        return await self._authorizations.consume(state, browser)

    async def finish(self, attempt: Authorization, code: str, browser: str) -> Connection | str:
        """Return the connection that the code is good for, or the id of the choice that its owner has to make first.

        Raises what Zoom.exchange, Zoom.me and Connections.connect raise.
        """
        tokens = await self._zoom.exchange(code, attempt.code_verifier)
        try:
            user = await self._whose(tokens)
        except (ZoomUnavailable, AccessRefused, GrantRefused):
            await self._give_back(attempt.owner, tokens)
            raise
        try:
            document = await self._connections.connect(attempt, user, tokens)
        except AnotherZoomUser as another:
            return await self._choosing.hold(attempt, another.former, user, tokens, browser)
        self._outbox.publish_soon(document)
        self._wake()
        return connection_of(document)

    async def _whose(self, tokens: Tokens) -> ZoomUser:
        """Return what Zoom.me returns or raise what it raises, if need be after asking again."""
        async with certain_answers():
            for pause in ASKED_AGAIN_AFTER:
                try:
                    return await self._zoom.me(tokens)
                except ZoomUnavailable:
                    await asyncio.sleep(pause)
            return await self._zoom.me(tokens)

    async def _give_back(self, owner: Owner, tokens: Tokens) -> None:
        """Revoke what nobody can use; the exchange may have ended the pair that the owner's connection has."""
        await self._connections.have_asked(owner)
        self._wake()
        try:
            async with asyncio.timeout(REVOKED_WITHIN):
                await self._zoom.revoke(tokens.access)
        except (TimeoutError, ZoomUnavailable, GrantRefused, AppRefused) as error:
            log.warning("zoom.not_revoked", reason=type(error).__name__)
