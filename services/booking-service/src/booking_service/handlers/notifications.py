"""Tell in a booking's timeline what became of its mails."""

from structlog.stdlib import BoundLogger, get_logger

from booking_service.domain.timeline import TimelineEntry, What
from booking_service.mongo.sessions import Sessions
from convoke.clock import Clock
from convoke.contracts import NotificationFailed, NotificationSent
from convoke.messaging.cloudevents import Event

log: BoundLogger = get_logger(__name__)

_KINDS = {
    "confirmation": "the confirmation",
    "rescheduled": "the mail with the new time",
    "link_changed": "the mail with the new link",
    "cancellation": "the cancellation",
}


class NotificationHandlers:
    """Raises BookingNotFound for a booking that this service does not have."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    async def note_mail_on_notification_sent(self, event: Event[NotificationSent]) -> None:
        await self._tell(event, "mail_accepted", f"{_mail(event.data)} was accepted by the mail server")

    async def note_mail_on_notification_failed(self, event: Event[NotificationFailed]) -> None:
        await self._tell(event, "mail_failed", f"{_mail(event.data)} was not accepted: {event.data.reason}")

    async def _tell(self, event: Event[NotificationSent] | Event[NotificationFailed], what: What, detail: str) -> None:
        mail, line = event.data, TimelineEntry(self._clock(), what, detail)
        once = f"{what}:{mail.message_id}"
        if not await self._sessions.tell_timeline(event.organization_id, mail.booking_id, line, once):
            log.info("mail.known_already", booking=mail.booking_id, what=what)


def _mail(mail: NotificationSent | NotificationFailed) -> str:
    return f"{_KINDS[mail.kind]} to the {mail.recipient}"
