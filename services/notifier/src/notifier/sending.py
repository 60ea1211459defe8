"""Due correspondence, one booking at a time under its lease: what is owed is rendered, stored, sent and recorded.

The lease per booking also keeps the order: no CANCEL can overtake its REQUEST.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import uniform

from structlog.stdlib import BoundLogger, get_logger

from convoke.clock import Clock
from convoke.contracts import NotificationFailed, NotificationSent
from convoke.due_work import Claim
from convoke.messaging.outbox import Outbox, entry
from convoke.mongo import Document
from convoke.tracing import traced
from notifier.domain.deliveries import (
    OPEN,
    Correspondence,
    Delivery,
    owed,
    still_in_doubt,
    with_deliveries,
    without_overtaken,
)
from notifier.mail.message import Mailroom, Unmailable
from notifier.mongo.correspondence import Correspondences
from notifier.smtp import Deferred, InDoubt, Refused, SmtpPost, SmtpSession, Unreachable

log: BoundLogger = get_logger(__name__)

LONGEST_PAUSE = 300.0
TOO_LATE = "the session was over before the mail could be sent"


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after so many failed attempts: a second, doubling up to five minutes, with jitter."""
    spread = uniform(0.8, 1.2)  # noqa: S311 - keeps no secret
    return timedelta(seconds=min(2.0 ** min(attempts - 1, 20), LONGEST_PAUSE) * spread)


class Sender:
    """Works on claimed correspondences."""

    def __init__(
        self, store: Correspondences, outbox: Outbox, mailroom: Mailroom, post: SmtpPost, clock: Clock
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._mailroom = mailroom
        self._post = post
        self._clock = clock

    async def work(self, claim: Claim) -> None:
        """Send what the booking's two sides are owed now, and give the lease back."""
        correspondence = self._store.read(claim.document)
        with traced(correspondence.traceparent):
            now = self._clock()
            mails = owed(correspondence, now)
            correspondence = without_overtaken(correspondence, now)
            if correspondence.snapshot.is_over(now):
                await self._give_up(claim, correspondence, mails)
            elif mails:
                await self._send(claim, correspondence, mails)
            else:
                await self._finish(claim, correspondence)

    async def _send(self, claim: Claim, correspondence: Correspondence, mails: Sequence[Delivery]) -> None:
        try:
            async with self._post.session() as session:
                await self._send_in(session, claim, correspondence, mails)
        except Unreachable as error:
            log.warning("mail.put_off", booking=correspondence.booking_id, reason=str(error))
            await self._finish(claim, correspondence, reason=str(error))

    async def _send_in(
        self, session: SmtpSession, claim: Claim, correspondence: Correspondence, mails: Sequence[Delivery]
    ) -> None:
        prepared = [self._prepared(correspondence, mail) for mail in mails]
        may_have_left = {mail.id for mail in mails if mail.state == "sending"}
        correspondence = with_deliveries(correspondence, prepared)
        ours = await self._store.begin(claim, correspondence, self._news_of(prepared))
        if ours is None:
            await self._store.release(claim)
            return
        news: Sequence[Document] = ()
        for number, delivery in enumerate(mail for mail in prepared if mail.state == "sending"):
            if number and (ours := await self._store.record(ours, correspondence, news)) is None:
                return
            done = await self._delivered(session, correspondence, delivery, ours.until)
            if delivery.id in may_have_left:
                done = still_in_doubt(done)
            correspondence = with_deliveries(correspondence, [done])
            news = self._news_of([done])
        await self._finish(claim, correspondence, news)

    def _prepared(self, correspondence: Correspondence, delivery: Delivery) -> Delivery:
        """Return the delivery with its mail, rendered once; failed where no mail can be made."""
        now = self._clock()
        if delivery.mime:
            return replace(delivery, state="sending", changed_at=now)
        try:
            mime = self._mailroom.render(correspondence, delivery, now)
        except Unmailable as error:
            return replace(delivery, state="failed", changed_at=now, reason=str(error))
        return replace(
            delivery, state="sending", changed_at=now, mime=self._store.sealed(correspondence, delivery, mime)
        )

    async def _delivered(
        self, session: SmtpSession, correspondence: Correspondence, delivery: Delivery, until: datetime
    ) -> Delivery:
        recipient = correspondence.snapshot.address_of(delivery.recipient)
        try:
            await session.deliver(recipient, self._store.opened(correspondence, delivery), until)
        except Deferred as error:
            done = replace(delivery, state="waiting", reason=str(error))
        except Refused as error:
            done = replace(delivery, state="failed", reason=str(error), mime=None)
        except InDoubt as error:
            done = replace(delivery, reason=str(error))
        else:
            done = replace(delivery, state="sent", reason=None, mime=None)
        log.info(
            "mail.handed_over",
            booking=correspondence.booking_id,
            kind=done.kind,
            recipient=done.recipient,
            outcome=done.state,
            reason=done.reason,
        )
        return replace(done, changed_at=self._clock())

    async def _give_up(self, claim: Claim, correspondence: Correspondence, mails: Sequence[Delivery]) -> None:
        now = self._clock()
        given_up = [
            replace(
                mail,
                state="in_doubt" if mail.state == "sending" else "too_late",
                changed_at=now,
                reason=TOO_LATE,
                mime=None,
            )
            for mail in mails
        ]
        await self._finish(claim, with_deliveries(correspondence, given_up), self._news_of(given_up))

    def _news_of(self, deliveries: Sequence[Delivery]) -> list[Document]:
        """Return the outbox entries of what has come to an end."""
        return [
            entry(
                NotificationSent if delivery.state == "sent" else NotificationFailed,
                self._clock(),
                delivery=delivery.id,
            )
            for delivery in deliveries
            if delivery.state not in OPEN
        ]

    async def _finish(
        self, claim: Claim, correspondence: Correspondence, news: Sequence[Document] = (), reason: str | None = None
    ) -> None:
        """Store the outcome and give the lease back; what is still open, or could not be begun, is due again later."""
        reasons = [reason] if reason else [mail.reason for mail in correspondence.deliveries if mail.state in OPEN]
        attempts = correspondence.attempts + 1 if reasons else 0
        document = await self._store.finish(
            claim,
            correspondence,
            news,
            due_at=self._clock() + pause_after(attempts) if reasons else None,
            attempts=attempts,
            reason=reasons[0] if reasons else None,
        )
        if document:
            self._outbox.publish_soon(document)
