"""Another Zoom user than before comes back: both are shown, and the owner decides who makes the meetings.

Until then the newer one's tokens wait, sealed; what was not accepted is revoked at Zoom and erased.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.authorizations import AnotherZoomUser, AttemptOvertaken, Authorization, Choice
from auth_service.domain.connections import Connection, Tokens, ZoomUser
from auth_service.domain.consequences import Consequences
from auth_service.mongo.choices import Choices
from auth_service.mongo.connections import Connections
from auth_service.mongo.documents import connection_of
from auth_service.ports import Meetings
from auth_service.zoom import AccessRefused, AppRefused, GrantRefused, Zoom, ZoomUnavailable
from convoke.clock import Clock, utc_now
from convoke.due_work import Claim
from convoke.messaging.outbox import Outbox
from convoke.vault import CannotDecrypt

log: BoundLogger = get_logger(__name__)

LEASE = timedelta(seconds=90)
"""Longer than two whole calls to Zoom and the writes around them."""

REVOKE_AGAIN_AFTER = timedelta(minutes=2)


@dataclass(frozen=True)
class Shown:
    """`consequences` of replacing the former Zoom user are None where nobody can say now what they are.

    `is_connected` tells whether the former one still is: to be kept does not connect it again.
    """

    choice: Choice
    consequences: Consequences | None
    is_connected: bool


class Choosing:
    """Holds, shows and ends choices between two Zoom users.

    `wake` has whoever asks Zoom about connections, or ends choices, look at once.
    """

    def __init__(
        self,
        choices: Choices,
        connections: Connections,
        zoom: Zoom,
        outbox: Outbox,
        meetings: Meetings,
        *,
        wake: Callable[[], None],
        clock: Clock = utc_now,
    ) -> None:
        self._choices = choices
        self._connections = connections
        self._zoom = zoom
        self._outbox = outbox
        self._meetings = meetings
        self._wake = wake
        self._clock = clock

    async def hold(
        self, attempt: Authorization, former: Connection, user: ZoomUser, tokens: Tokens, browser: str
    ) -> str:
        """Keep the tokens of another Zoom user until the owner has decided; returns the id of the choice."""
        choice_id = await self._choices.add(attempt, former, user, tokens, browser)
        await self._connections.have_checked(user.id, but=former.id)
        self._wake()
        log.info("zoom.another_user_waits", connection=former.id)
        return choice_id

    async def show(self, choice_id: str, browser: str) -> Shown:
        """Return what is to be decided. Raises what Choices.find raises."""
        choice = await self._choices.find(choice_id, browser)
        organization_id = choice.attempt.owner.organization_id
        connection = await self._connections.find(organization_id, choice.connection_id)
        consequences = await self._meetings.consequences(organization_id, choice.connection_id)
        return Shown(choice, consequences, connection is not None and connection.status == "active")

    async def find(self, choice_id: str, browser: str) -> Choice:
        """Return a choice that is still to be made. Raises what Choices.find raises."""
        return await self._choices.find(choice_id, browser)

    async def accept(self, choice: Choice, browser: str) -> Connection | str:
        """Give the connection to the newer Zoom user; returns it, or the id of another choice.

        That is where yet another Zoom user was connected since this one was shown. Raises what Choices.tokens, Zoom.me,
        Choices.accept and Connections.connect raise.
        """
        tokens = self._choices.tokens(choice)
        user = await self._zoom.me(tokens)  # the tokens may have died meanwhile: a dead connection helps nobody
        await self._choices.accept(choice)
        try:
            return await self._take_over(choice, user, tokens)
        except AnotherZoomUser as another:
            anew = await self.hold(choice.attempt, another.former, user, tokens, browser)
            await self._choices.finish(choice)
            return anew

    async def refuse(self, choice: Choice) -> None:
        """Keep the former Zoom user. Raises what Choices.refuse raises."""
        await self._choices.refuse(choice)
        self._wake()
        log.info("zoom.another_user_refused", connection=choice.connection_id)

    async def end(self, claim: Claim) -> None:
        """Carry out what was accepted and left in the middle; else revoke and erase the tokens, which nobody wants."""
        if accepted := await self._choices.left_accepted(claim):
            await self._carry_out(claim, accepted)
        elif unwanted := await self._choices.to_revoke(claim):
            # An erasure ends a choice also where the connection has the tokens already.
            if await self._connections.has_taken(unwanted.attempt):
                await self._choices.erase(claim)
            else:
                await self._revoke(claim, unwanted)

    async def _take_over(self, choice: Choice, user: ZoomUser, tokens: Tokens) -> Connection:
        document = await self._connections.connect(choice.attempt, user, tokens)
        self._outbox.publish_soon(document)
        self._wake()
        await self._choices.finish(choice)
        log.info("zoom.another_user_accepted", connection=choice.connection_id)
        return connection_of(document)

    async def _carry_out(self, claim: Claim, choice: Choice) -> None:
        """Whoever took this on has died, perhaps with the tokens in the connection: there they may be others by now."""
        try:
            tokens = self._choices.tokens(choice)
            if not await self._connections.has_taken(choice.attempt):
                await self._zoom.me(tokens)
            await self._take_over(choice, choice.user, tokens)
        except ZoomUnavailable:
            if not await self._choices.put_off(claim, self._clock() + REVOKE_AGAIN_AFTER):
                await self._revoke(claim, choice)
        except (AnotherZoomUser, AttemptOvertaken, AccessRefused):
            await self._revoke(claim, choice)
        except (GrantRefused, AppRefused, CannotDecrypt) as error:
            log.warning("zoom.choice_not_carried_out", choice=choice.id, reason=type(error).__name__)
            await self._choices.erase(claim)

    async def _revoke(self, claim: Claim, choice: Choice) -> None:
        try:
            await self._zoom.revoke(await self._living_token(claim, choice))
        except ZoomUnavailable as error:
            if await self._choices.put_off(claim, self._clock() + REVOKE_AGAIN_AFTER):
                return
            log.warning("zoom.not_revoked", choice=choice.id, reason=str(error))
        except (GrantRefused, AppRefused, CannotDecrypt) as error:
            log.warning("zoom.not_revoked", choice=choice.id, reason=type(error).__name__)
        await self._choices.erase(claim)

    async def _living_token(self, claim: Claim, choice: Choice) -> str:
        """Return an access token that Zoom takes: what has waited for an hour has expired."""
        tokens = self._choices.tokens(choice)
        if tokens.expires_at <= self._clock():
            tokens = await self._zoom.refresh(tokens.refresh)
            await self._choices.keep_refreshed(claim, choice, tokens)
        return tokens.access
