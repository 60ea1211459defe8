"""Due notices, one connection at a time under its lease: rendered, stored, sent and recorded, as every mail is."""

from datetime import datetime
from typing import Literal

from structlog.stdlib import BoundLogger, get_logger

from convoke.clock import Clock
from convoke.due_work import Claim
from notifier.domain.notices import Ending, NoticeMail, Notices, notice_id
from notifier.mail.message import Mailroom, Unmailable
from notifier.mail.notice import notice_letter
from notifier.mongo.affected import AffectedBookings
from notifier.mongo.notices import NoticesStore
from notifier.sending import pause_after
from notifier.smtp import Refused, SmtpPost, SmtpSession, Undelivered, Unreachable

log: BoundLogger = get_logger(__name__)

Outcome = Literal["sent", "nobody_affected", "failed", "put_off"]


class NoticeSender:
    """Works on claimed notices."""

    def __init__(
        self, store: NoticesStore, affected: AffectedBookings, mailroom: Mailroom, post: SmtpPost, clock: Clock
    ) -> None:
        self._store = store
        self._affected = affected
        self._mailroom = mailroom
        self._post = post
        self._clock = clock

    async def work(self, claim: Claim) -> None:
        """Send the notice that is due now, if any, and give the lease back."""
        now, notices = self._clock(), self._store.read(claim.document)
        broken, day = notices.standing.broken_by, notices.day_due(now)
        if broken is None or day is None:
            next_at = notices.due_at()
            await self._store.rest(claim, next_at if next_at and next_at > now else None)
            return
        try:
            mail = await self._mail(notices, broken, day, now)
        except Unmailable as error:
            await self._settle(claim, notices, day, "failed", str(error))
            return
        if mail is None:
            await self._settle(claim, notices, day, "nobody_affected")
        else:
            await self._send(claim, notices, mail)

    async def _mail(self, notices: Notices, broken: Ending, day: int, now: datetime) -> NoticeMail | None:
        """Return the mail as it was stored, or rendered once; None where no booking is affected. Raises Unmailable."""
        standing = notices.standing
        mail_id = notice_id(standing.connection_id, broken.time, day)
        if notices.mail and notices.mail.id == mail_id:
            return notices.mail
        affected = await self._affected.of(standing, now)
        if not affected.first:
            return None
        said = notice_letter(standing, broken, affected, day)
        to, mime = self._mailroom.render_notice(said, mail_id, now)
        return NoticeMail(mail_id, day, to, mime)

    async def _send(self, claim: Claim, notices: Notices, mail: NoticeMail) -> None:
        try:
            async with self._post.session() as session:
                await self._send_in(session, claim, notices, mail)
        except Unreachable as error:
            await self._put_off(claim, notices, mail.day, str(error))

    async def _send_in(self, session: SmtpSession, claim: Claim, notices: Notices, mail: NoticeMail) -> None:
        ours = await self._store.begin(claim, mail)
        if ours is None:
            await self._store.release(claim)
            return
        try:
            await session.deliver(mail.to, mail.mime, ours.until)
        except Refused as error:
            await self._settle(ours, notices, mail.day, "failed", str(error))
        except Undelivered as error:
            await self._put_off(ours, notices, mail.day, str(error))
        else:
            await self._settle(ours, notices, mail.day, "sent")

    async def _settle(
        self, claim: Claim, notices: Notices, day: int, outcome: Outcome, reason: str | None = None
    ) -> None:
        self._say(notices, day, outcome, reason)
        await self._store.settle(claim, notices.settled(day, self._clock()), reason)

    async def _put_off(self, claim: Claim, notices: Notices, day: int, reason: str) -> None:
        self._say(notices, day, "put_off", reason)
        attempts = notices.attempts + 1
        await self._store.put_off(claim, self._clock() + pause_after(attempts), attempts, reason)

    def _say(self, notices: Notices, day: int, outcome: Outcome, reason: str | None) -> None:
        log.info(
            "notice.handed_over",
            connection=notices.standing.connection_id,
            day=day,
            outcome=outcome,
            reason=reason,
        )
