"""Events in: what they say is stored with the booking's correspondence, and whoever is owed a mail gets it soon."""

from collections.abc import Callable

from convoke.contracts import (
    BookingCanceled,
    BookingCreated,
    BookingRescheduled,
    BookingUpdated,
    MeetingReady,
    ZoomConnected,
    ZoomDisconnected,
    ZoomSettingsChanged,
)
from convoke.messaging.cloudevents import Event
from notifier.domain.snapshot import Snapshot, with_booking, with_meeting
from notifier.mongo.correspondence import Correspondences
from notifier.mongo.notices import NoticesStore

ZoomEvent = Event[ZoomConnected] | Event[ZoomDisconnected] | Event[ZoomSettingsChanged]
Newest = Callable[[Snapshot | None], Snapshot]


class Handlers:
    """Every event carries the whole booking; which mail follows is decided from what each side was told."""

    def __init__(self, store: Correspondences, mail_is_due: Callable[[], None]) -> None:
        self._store = store
        self._mail_is_due = mail_is_due

    async def keep_booking(self, event: Event[BookingCreated] | Event[BookingUpdated]) -> None:
        data = event.data
        await self._learn(event, lambda known: with_booking(known, data.booking, data.session, event.time))

    async def keep_booking_with_reason(self, event: Event[BookingRescheduled] | Event[BookingCanceled]) -> None:
        data = event.data
        await self._learn(event, lambda known: with_booking(known, data.booking, data.session, event.time, data.reason))

    async def keep_meeting(self, event: Event[MeetingReady]) -> None:
        """Keep what Zoom has ready. Raises UnsafeLink: the event is dead-lettered and its link never mailed."""
        await self._learn(event, lambda known: with_meeting(known, event.data, event.time))

    async def _learn(
        self,
        event: Event[BookingCreated]
        | Event[BookingUpdated]
        | Event[BookingRescheduled]
        | Event[BookingCanceled]
        | Event[MeetingReady],
        newest: Newest,
    ) -> None:
        data = event.data
        if await self._store.learn(data.session.organization_id, data.booking.id, newest):
            self._mail_is_due()


class ZoomHandlers:
    """How a Zoom connection stands is kept; its owner is reminded of one that broke."""

    def __init__(self, store: NoticesStore, notice_is_owed: Callable[[], None]) -> None:
        self._store = store
        self._notice_is_owed = notice_is_owed

    async def keep_connection(self, event: ZoomEvent) -> None:
        if await self._store.learn(event.data, event.time):
            self._notice_is_owed()
