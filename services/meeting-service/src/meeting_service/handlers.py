"""What each event does here: keep the highest revision of what is wanted, or nudge what waits. Zoom is not called."""

from collections.abc import Callable

from structlog.stdlib import BoundLogger, get_logger

from convoke.clock import Clock
from convoke.contracts import (
    BookingCanceled,
    BookingCreated,
    BookingRescheduled,
    BookingUpdated,
    ZoomConnected,
    ZoomDisconnected,
    ZoomSettingsChanged,
)
from convoke.messaging.cloudevents import Event
from meeting_service.mongo import Meetings

log: BoundLogger = get_logger(__name__)

BookingEvent = Event[BookingCreated] | Event[BookingRescheduled] | Event[BookingUpdated] | Event[BookingCanceled]

MENDED_BY_CONNECTING = (
    "zoom_not_connected",
    "zoom_reauthorization_required",
    "zoom_scope_missing",
    "zoom_host_not_allowed",
)


class Handlers:
    """`wake` makes the worker look at once; `forget_tokens` drops what is cached of an organization."""

    def __init__(
        self, meetings: Meetings, clock: Clock, wake: Callable[[], None], forget_tokens: Callable[[str], None]
    ) -> None:
        self._meetings = meetings
        self._clock = clock
        self._wake = wake
        self._forget_tokens = forget_tokens

    async def desire_meeting(self, event: BookingEvent) -> None:
        """Remember what the booking says; a duplicate or an older one changes nothing."""
        new = await self._meetings.desire(event.data.session, event.data.booking, self._clock())
        if new:
            self._wake()
        log.info("meeting.desired" if new else "event.stale", event_type=event.data.event_type, subject=event.subject)

    async def resume_on_zoom_connected(self, event: Event[ZoomConnected]) -> None:
        await self._resume(event.organization_id, MENDED_BY_CONNECTING)

    async def resume_on_zoom_settings_changed(self, event: Event[ZoomSettingsChanged]) -> None:
        await self._resume(event.organization_id, ("zoom_paused",))

    async def drop_tokens_on_zoom_disconnected(self, event: Event[ZoomDisconnected]) -> None:
        self._forget_tokens(event.organization_id)

    async def _resume(self, organization_id: str, codes: tuple[str, ...]) -> None:
        self._forget_tokens(organization_id)
        nudged = await self._meetings.nudge_parked(organization_id, codes, self._clock())
        self._wake()
        log.info("meetings.resumed", organization_id=organization_id, sessions=nudged)
