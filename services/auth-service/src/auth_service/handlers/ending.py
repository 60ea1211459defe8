"""The rest of a disconnect, as due work: have the future meetings deleted if that was asked, then revoke at Zoom."""

import contextlib
from datetime import timedelta

from structlog.stdlib import BoundLogger, get_logger

from auth_service.domain.connections import Connection, Ending
from auth_service.mongo.connections import Connections
from auth_service.mongo.documents import connection_of
from auth_service.mongo.endings import Endings, to_revoke
from auth_service.mongo.sealed_tokens import SealedTokens
from auth_service.ports import Meetings
from auth_service.zoom import AppRefused, GrantRefused, Zoom, ZoomUnavailable
from convoke.clock import Clock, utc_now
from convoke.due_work import Claim
from convoke.messaging.outbox import Outbox
from convoke.mongo import DATABASE_AWAY
from convoke.vault import CannotDecrypt

log: BoundLogger = get_logger(__name__)

LEASE = timedelta(seconds=90)
"""Longer than two whole calls to Zoom and the writes around them."""

NO_MORE_CREATES_AFTER = timedelta(seconds=40)
"""A replica of meeting-service that was not told goes on with a token for 30 s, and may create a meeting yet."""

NO_ANSWER = "Zoom did not answer"


class PairLost(Exception):
    """Zoom has replaced the pair that is to be revoked, and nobody has the new one; or its user has removed the app."""


class Ends:
    """Works on connections whose end is under way; each step may be repeated by whoever claims it next."""

    def __init__(
        self,
        endings: Endings,
        connections: Connections,
        tokens: SealedTokens,
        *,
        zoom: Zoom,
        meetings: Meetings,
        outbox: Outbox,
        clock: Clock = utc_now,
    ) -> None:
        self._endings = endings
        self._connections = connections
        self._tokens = tokens
        self._zoom = zoom
        self._meetings = meetings
        self._outbox = outbox
        self._clock = clock

    async def go_on(self, claim: Claim) -> None:
        """Take the next step of a claimed connection's end."""
        connection = connection_of(claim.document)
        if connection.ending is None:
            return
        if connection.ending.stage == "deleting":
            await self._delete(claim, connection, connection.ending)
        else:
            await self._revoke(claim, to_revoke(claim.document), connection.ending)

    async def _delete(self, claim: Claim, connection: Connection, ending: Ending) -> None:
        owner = connection.owner
        told = await self._meetings.withdraw(owner.organization_id, connection.id)
        left = ending.left if told is None else told
        asked = left if ending.asked is None or (left is not None and left > ending.asked) else ending.asked
        now = self._clock()
        is_done = told == 0 and now >= ending.began_at + NO_MORE_CREATES_AFTER
        if not is_done and now < ending.until and connection.status == "active":
            await self._endings.look_again(claim, asked, left)
            return
        document = await self._connections.disconnect(
            connection, "user", ending.by, _said(asked, left), decided_at=ending.began_at
        )
        if document is None:  # its tokens were refreshed meanwhile
            await self._endings.look_again(claim, asked, left)
            return
        self._outbox.publish_soon(document)
        log.info("zoom.disconnected", connection=connection.id, meetings_left=left)

    async def _revoke(self, claim: Claim, former: Connection, ending: Ending) -> None:
        try:
            await self._zoom.revoke(await self._living_token(claim, former, ending))
        except PairLost:
            await self._give_up(claim, "an answer of Zoom was lost", "Zoom may not have ended it")
        except GrantRefused:
            await self._endings.erase(claim, "revoked", "Zoom had ended it already")
        except (ZoomUnavailable, AppRefused) as error:
            await self._put_off(claim, ending, str(error))
        except CannotDecrypt as error:
            await self._give_up(claim, str(error), NO_ANSWER)
        else:
            await self._endings.erase(claim, "revoked", "")
            log.info("zoom.revoked", connection=former.id)

    async def _living_token(self, claim: Claim, former: Connection, ending: Ending) -> str:
        """Return an access token that Zoom takes: what nobody has used for an hour has expired. Raises PairLost."""
        if former.expires_at > self._clock():
            return self._tokens.access_token(former)
        refresh_token = self._tokens.refresh_token(former)
        await self._endings.begin_refresh(claim)
        try:
            tokens = await self._zoom.refresh(refresh_token)
        except GrantRefused:
            if ending.refresh_began:
                raise PairLost from None
            raise
        with contextlib.suppress(*DATABASE_AWAY):  # it is to be revoked at once: better now than never
            await self._endings.keep_refreshed(claim, former, tokens)
        return tokens.access

    async def _put_off(self, claim: Claim, ending: Ending, detail: str) -> None:
        if self._clock() >= ending.until:
            await self._give_up(claim, detail, NO_ANSWER)
        else:
            await self._endings.revoke_again(claim, ending.failures + 1)

    async def _give_up(self, claim: Claim, detail: str, said: str) -> None:
        """Erase the tokens all the same: the connection is over here, and the owner can remove the app at Zoom."""
        log.warning("zoom.not_revoked", connection=claim.document["_id"], detail=detail)
        await self._endings.erase(claim, "not_revoked", f"{said}; remove the app in Zoom by hand")


def _said(asked: int | None, left: int | None) -> str:
    if asked is None or left is None:
        return "how many future meetings could be deleted is not known"
    return f"{asked - left} future meetings deleted, {left} could not be"
