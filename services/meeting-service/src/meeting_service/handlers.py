"""What each event does here: keep the highest revision of what is wanted, or nudge what waits. Zoom is not called."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta

from structlog.stdlib import BoundLogger, get_logger

from convoke.clock import Clock
from convoke.contracts import (
    BookingCanceled,
    BookingCreated,
    BookingRescheduled,
    BookingUpdated,
    ZoomConnected,
    ZoomDisconnected,
    ZoomMeetingChanged,
    ZoomSettingsChanged,
)
from convoke.contracts.meetings import FailureCode
from convoke.messaging.cloudevents import Event
from meeting_service.auth import CACHED_FOR
from meeting_service.domain.meeting import DOUBT_LASTS, WAITS_FOR_PEOPLE
from meeting_service.mongo import Meetings
from meeting_service.scan.scans import Scans

log: BoundLogger = get_logger(__name__)

BookingEvent = Event[BookingCreated] | Event[BookingRescheduled] | Event[BookingUpdated] | Event[BookingCanceled]

MENDED_BY_CONNECTING = WAITS_FOR_PEOPLE
"""Also a pause or a refusal: the owner may have connected another Zoom account, or changed the settings of this one."""

LIMITS_OF_A_USER: frozenset[FailureCode] = frozenset({"zoom_daily_limit", "zoom_rate_limited"})


@dataclass(frozen=True)
class Handlers:
    """`wake` makes the worker look at once; `forget_tokens` drops what is cached of an organization.

    `forget_access` drops what is kept of a connection to probe Zoom with.
    """

    meetings: Meetings
    scans: Scans
    clock: Clock
    wake: Callable[[], None]
    forget_tokens: Callable[[str], None]
    forget_access: Callable[[str], None]

    async def desire_meeting(self, event: BookingEvent) -> None:
        """Remember what the booking says; a duplicate or an older one changes nothing."""
        new = await self.meetings.desire(event.data.session, event.data.booking, self.clock(), event.time)
        if new:
            self.wake()
        log.info("meeting.desired" if new else "event.stale", event_type=event.data.event_type, subject=event.subject)

    async def resume_on_zoom_connected(self, event: Event[ZoomConnected]) -> None:
        """Go on with what waits for a connection; what Zoom did not answer waits no longer than it is in doubt."""
        await self._replace_what_others_made(event)
        of_another_user = LIMITS_OF_A_USER if event.data.previous_zoom_user_id else frozenset[FailureCode]()
        await self.meetings.hasten(event.organization_id, "zoom_unavailable", self.clock() + DOUBT_LASTS)
        await self._resume(event.organization_id, MENDED_BY_CONNECTING | of_another_user)

    async def resume_on_zoom_settings_changed(self, event: Event[ZoomSettingsChanged]) -> None:
        await self._resume(event.organization_id, frozenset({"zoom_paused"}))

    async def drop_tokens_on_zoom_disconnected(self, event: Event[ZoomDisconnected]) -> None:
        self.forget_tokens(event.organization_id)
        self.forget_access(event.data.connection.id)

    async def look_on_zoom_meeting_changed(self, event: Event[ZoomMeetingChanged]) -> None:
        """Have the meeting looked at: what Zoom reported is a hint, and may be our own change."""
        changed = event.data
        sessions = await self.meetings.look_again(changed.connection_ids, changed.zoom_meeting_id, self.clock())
        if sessions:
            self.wake()
        log.info("meeting.changed_at_zoom", change=changed.change, sessions=sessions)

    async def _replace_what_others_made(self, event: Event[ZoomConnected]) -> None:
        """Have it looked at once no replica goes on with a token of the former user any more."""
        connection, now = event.data.connection, self.clock()
        await self.scans.make_due({"connection_id": connection.id, "zoom_user_id": connection.zoom_user_id}, now)
        at = now + timedelta(seconds=CACHED_FOR)
        # Until then a replica may make more with such a token, which the look below does not know of.
        of_others = {"connection_id": connection.id, "zoom_user_id": {"$ne": connection.zoom_user_id}}
        await self.scans.make_due(of_others, at)
        sessions = await self.meetings.look_for_other_users(connection.id, connection.zoom_user_id, now, at)
        if sessions:
            log.info("meetings.of_another_user", connection=connection.id, sessions=sessions)

    async def _resume(self, organization_id: str, codes: AbstractSet[FailureCode]) -> None:
        self.forget_tokens(organization_id)
        nudged = await self.meetings.nudge_parked(organization_id, codes, self.clock())
        self.wake()
        log.info("meetings.resumed", organization_id=organization_id, sessions=nudged)
