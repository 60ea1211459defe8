"""What handling an event would do now, for an operator who is about to replay a dead letter."""

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
from convoke.messaging.cloudevents import Event
from convoke.messaging.dead_letters.office import Previews
from meeting_service.handlers import BookingEvent
from meeting_service.mongo.meetings import Meetings


def previews(meetings: Meetings, clock: Clock) -> Previews:
    """Return one preview for each event that this service handles."""

    async def of_booking(event: BookingEvent) -> str:
        session, booking = event.data.session, event.data.booking
        document = await meetings.find(session.id) or {}
        of_session = document.get("session_revision", 0)
        of_seat = document.get("seats", {}).get(booking.id, {}).get("revision", 0)
        news = [
            f"revision {said} of {what}, which is at {stored}"
            for what, said, stored in (
                (f"session {session.id}", session.revision, of_session),
                (f"booking {booking.id}", booking.revision, of_seat),
            )
            if said > stored
        ]
        if news:
            return f"would store {' and '.join(news)}, and look at its meeting"
        at = f"session {session.id} is at revision {of_session}, this says {session.revision}"
        return f"no-op: {at}; booking {booking.id} is at {of_seat}, this says {booking.revision}"

    async def of_connection(event: Event[ZoomConnected] | Event[ZoomSettingsChanged]) -> str:
        waiting = len(await meetings.waiting(event.organization_id, clock()))
        return (
            f"would go on with what waits for Zoom in {event.organization_id}; sessions without a link now: {waiting}"
        )

    async def of_disconnection(event: Event[ZoomDisconnected]) -> str:
        return f"would drop the tokens that this process keeps of {event.organization_id}; nothing is stored"

    async def of_change(event: Event[ZoomMeetingChanged]) -> str:
        zoom_id = event.data.zoom_meeting_id
        if await meetings.taken([zoom_id]):
            return f"would have meeting {zoom_id} looked at in Zoom"
        return f"no-op: meeting {zoom_id} is no session's"

    return {
        BookingCreated: of_booking,
        BookingRescheduled: of_booking,
        BookingUpdated: of_booking,
        BookingCanceled: of_booking,
        ZoomConnected: of_connection,
        ZoomDisconnected: of_disconnection,
        ZoomSettingsChanged: of_connection,
        ZoomMeetingChanged: of_change,
    }
