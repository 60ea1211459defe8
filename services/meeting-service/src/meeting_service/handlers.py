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
from meeting_service.domain.meeting import DOUBT_LASTS
from meeting_service.domain.reasons import WAITS_FOR_PEOPLE
from meeting_service.mongo.meetings import Meetings
from meeting_service.mongo.nudges import Nudges
from meeting_service.scan.scans import Scans

log: BoundLogger = get_logger(__name__)

BookingEvent = Event[BookingCreated] | Event[BookingRescheduled] | Event[BookingUpdated] | Event[BookingCanceled]

MENDED_BY_CONNECTING = WAITS_FOR_PEOPLE
"""Also a pause or a refusal: the owner may have connected another Zoom account, or changed the settings of this one."""

LIMITS_OF_A_USER: frozenset[FailureCode] = frozenset({"zoom_daily_limit", "zoom_rate_limited"})


@dataclass(frozen=True)
class Handlers:
    """`wake` makes the worker look at once; `forget_tokens` drops what is cached of an organization.

    `forget_access` drops what is kept of a connection to probe Zoom with; `end_use` has nothing sent any more with what
    is in hand.
    """

    meetings: Meetings
    nudges: Nudges
    scans: Scans
    clock: Clock
    wake: Callable[[], None]
    forget_tokens: Callable[[str], None]
    forget_access: Callable[[str], None]
    end_use: Callable[[str], None] = lambda _: None

    async def desire_meeting(self, event: BookingEvent) -> None:
        """Remember what the booking says; a duplicate or an older one changes nothing."""
        new = await self.meetings.desire(event.data.session, event.data.booking, self.clock(), event.time)
        if new:
            self.wake()
        log.info("meeting.desired" if new else "event.stale", event_type=event.data.event_type, subject=event.subject)

    async def resume_on_zoom_connected(self, event: Event[ZoomConnected]) -> None:
        """Go on with what waits for a connection; what Zoom did not answer waits no longer than it is in doubt."""
        await self._replace_what_others_made(event)
        await self.nudges.keep_after_all(event.organization_id, event.data.connection.id, self.clock())
        of_another_user = LIMITS_OF_A_USER if event.data.previous_zoom_user_id else frozenset[FailureCode]()
        await self.nudges.hasten(event.organization_id, "zoom_unavailable", self.clock() + DOUBT_LASTS)
        await self._resume(event.organization_id, MENDED_BY_CONNECTING | of_another_user)

    async def resume_on_zoom_settings_changed(self, event: Event[ZoomSettingsChanged]) -> None:
        """Go on with what a pause kept from being made, if that is over."""
        if event.data.enabled_for_new_bookings:
            await self._resume(event.organization_id, frozenset({"zoom_paused"}))

    async def drop_tokens_on_zoom_settings_changed(self, event: Event[ZoomSettingsChanged]) -> None:
        """Ask again before the next meeting is made: the connection may be paused."""
        self.forget_tokens(event.organization_id)

    async def end_use_on_zoom_disconnected(self, event: Event[ZoomDisconnected]) -> None:
        """Stop at once, also what waits for its turn at Zoom. Every replica is told this, in the order of events."""
        self.end_use(event.data.connection.id)
        await self.drop_tokens(event)

    async def drop_tokens(self, event: Event[ZoomConnected] | Event[ZoomDisconnected]) -> None:
        """Go on with no token of whoever was connected. Every replica is told both."""
        self.forget_tokens(event.organization_id)
        self.forget_access(event.data.connection.id)

    async def look_on_zoom_meeting_changed(self, event: Event[ZoomMeetingChanged]) -> None:
        """Have the meeting looked at: what Zoom reported is a hint, and may be our own change."""
        changed = event.data
        sessions = await self.nudges.look_again(changed.connection_ids, changed.zoom_meeting_id, self.clock())
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
        sessions = await self.nudges.look_for_other_users(connection.id, connection.zoom_user_id, now, at)
        if sessions:
            log.info("meetings.of_another_user", connection=connection.id, sessions=sessions)

    async def _resume(self, organization_id: str, codes: AbstractSet[FailureCode]) -> None:
        self.forget_tokens(organization_id)
        nudged = await self.nudges.make_parked_due(organization_id, codes, self.clock())
        self.wake()
        log.info("meetings.resumed", organization_id=organization_id, sessions=nudged)
