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
        await self._tell(event, f"{_mail(event.data)} was accepted by the mail server")

    async def note_mail_on_notification_failed(self, event: Event[NotificationFailed]) -> None:
        await self._tell(event, f"{_mail(event.data)} was not accepted: {event.data.reason}")

    async def _tell(self, event: Event[NotificationSent] | Event[NotificationFailed], detail: str) -> None:
        mail = event.data
        what = _what(mail)
        line = TimelineEntry(self._clock(), what, detail)
        if not await self._sessions.tell_timeline(event.organization_id, mail.booking_id, line, line_about(mail)):
            log.info("mail.known_already", booking=mail.booking_id, what=what)


def line_about(mail: NotificationSent | NotificationFailed) -> str:
    """Return the name of the line in the timeline that says this of a mail, however often it is said."""
    return f"{_what(mail)}:{mail.message_id}"


def _what(mail: NotificationSent | NotificationFailed) -> What:
    return "mail_accepted" if isinstance(mail, NotificationSent) else "mail_failed"


def _mail(mail: NotificationSent | NotificationFailed) -> str:
    return f"{_KINDS[mail.kind]} to the {mail.recipient}"
