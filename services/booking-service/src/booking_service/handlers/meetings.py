"""Store what meeting-service says of a session's meeting; what is older than what is stored changes nothing."""

from urllib.parse import urlsplit

from structlog.stdlib import BoundLogger, get_logger

from booking_service.domain.session import ChangedInZoom, DialIn, Meeting, WayIn
from booking_service.domain.timeline import TimelineEntry, What
from booking_service.mongo.sessions import Sessions
from convoke.clock import Clock
from convoke.contracts import Meeting as WireMeeting
from convoke.contracts import MeetingCanceled, MeetingFailed, MeetingReady
from convoke.messaging.cloudevents import Event

log: BoundLogger = get_logger(__name__)

_CHANGES = {
    "created": "the Zoom meeting was made",
    "rescheduled": "Zoom has the new time; the link is the same",
    "unchanged": "the Zoom meeting is as it was",
    "replaced": "there is a new Zoom meeting with a new link",
}


class NotAWebAddress(Exception):
    """A join link that a browser should not be sent to."""


class MeetingHandlers:
    """Raises BookingNotFound for a session that this service does not have."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    async def show_link_on_meeting_ready(self, event: Event[MeetingReady]) -> None:
        ready = event.data
        meeting = Meeting(
            outcome="ready",
            revision=ready.meeting.revision,
            session_revision=ready.session.revision,
            told_at=event.time,
            way_in=way_in_of(ready.meeting),
            changed_in_zoom=_changed_in_zoom(ready.meeting),
        )
        what: What = "meeting_changed_in_zoom" if meeting.changed_in_zoom else "meeting_ready"
        detail = _difference(meeting.changed_in_zoom) if meeting.changed_in_zoom else _CHANGES[ready.change]
        await self._tell(event, ready.session.id, meeting, what, detail)

    async def show_reason_on_meeting_failed(self, event: Event[MeetingFailed]) -> None:
        failed = event.data
        meeting = Meeting(
            outcome="failed",
            revision=failed.meeting_revision,
            session_revision=failed.session.revision,
            told_at=event.time,
            reason=failed.reason.model_dump(include={"code", "title", "detail", "action"}),
            retry_at=failed.reason.retry_at,
            way_in=way_in_of(failed.meeting) if failed.meeting else None,
            changed_in_zoom=_changed_in_zoom(failed.meeting) if failed.meeting else None,
        )
        detail = f"{failed.reason.title}: {failed.reason.detail} {failed.reason.action}"
        await self._tell(event, failed.session.id, meeting, "meeting_failed", detail)

    async def drop_link_on_meeting_canceled(self, event: Event[MeetingCanceled]) -> None:
        canceled = event.data
        meeting = Meeting(
            outcome="canceled",
            revision=canceled.meeting.revision,
            session_revision=canceled.session.revision,
            told_at=event.time,
        )
        detail = "the Zoom meeting was deleted" if canceled.meeting.id else "no Zoom meeting is left"
        await self._tell(event, canceled.session.id, meeting, "meeting_canceled", detail)

    async def _tell(
        self,
        event: Event[MeetingReady] | Event[MeetingFailed] | Event[MeetingCanceled],
        session_id: str,
        meeting: Meeting,
        what: What,
        detail: str,
    ) -> None:
        line = TimelineEntry(self._clock(), what, detail)
        if not await self._sessions.tell_meeting(event.organization_id, session_id, meeting, line):
            log.info("meeting.known_already", session=session_id, revision=meeting.revision)


def way_in_of(meeting: WireMeeting) -> WayIn:
    """Return how to get in. Raises NotAWebAddress."""
    if urlsplit(meeting.join_url).scheme not in {"http", "https"}:
        raise NotAWebAddress("the join link is no web address")
    dial_in = tuple(DialIn(**number.model_dump()) for number in meeting.dial_in)
    return WayIn(meeting.id, meeting.join_url, meeting.passcode, dial_in, meeting.connected_at)


def _changed_in_zoom(meeting: WireMeeting) -> ChangedInZoom | None:
    changed = meeting.changed_in_zoom
    return ChangedInZoom(changed.topic, changed.starts_at, changed.duration_minutes) if changed else None


def _difference(changed: ChangedInZoom) -> str:
    start = f" at {changed.starts_at:%Y-%m-%dT%H:%M:%SZ}" if changed.starts_at else ""
    minutes = f" for {changed.duration_minutes} minutes" if changed.duration_minutes else ""
    return f'somebody changed it inside Zoom to "{changed.topic}"{start}{minutes}. {changed.action}'
