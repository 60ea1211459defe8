"""What handling an event would do now, for an operator who is about to replay a dead letter."""

from booking_service.handlers.meetings import way_in_of
from booking_service.handlers.notifications import line_about
from booking_service.handlers.zoom import ZoomEvent, connection_told_of
from booking_service.mongo.sessions import Sessions
from booking_service.mongo.zoom_connections import ZoomConnections
from convoke.contracts import (
    MeetingCanceled,
    MeetingFailed,
    MeetingReady,
    NotificationFailed,
    NotificationSent,
    ZoomConnected,
    ZoomDisconnected,
    ZoomSettingsChanged,
)
from convoke.messaging.cloudevents import Event
from convoke.messaging.dead_letters.office import Preview, Previews


def previews(sessions: Sessions, connections: ZoomConnections) -> Previews:
    """Return one preview for each event that this service handles; it raises what the handler would raise."""

    async def of_ready(event: Event[MeetingReady]) -> str:
        way_in_of(event.data.meeting)
        return await _of_meeting(event, event.data.meeting.revision)

    async def of_failed(event: Event[MeetingFailed]) -> str:
        if event.data.meeting:
            way_in_of(event.data.meeting)
        return await _of_meeting(event, event.data.meeting_revision)

    async def of_canceled(event: Event[MeetingCanceled]) -> str:
        return await _of_meeting(event, event.data.meeting.revision)

    async def _of_meeting(
        event: Event[MeetingReady] | Event[MeetingFailed] | Event[MeetingCanceled], revision: int
    ) -> str:
        session_id = event.data.session.id
        stored = await sessions.meeting_revision(event.organization_id, session_id)
        if stored >= revision:
            return f"no-op: session {session_id} has meeting revision {stored}, this says {revision}"
        return f"would store meeting revision {revision} of session {session_id}, which has {stored}"

    async def of_mail(event: Event[NotificationSent] | Event[NotificationFailed]) -> str:
        booking_id = event.data.booking_id
        if await sessions.has_line(event.organization_id, booking_id, line_about(event.data)):
            return f"no-op: the timeline of booking {booking_id} has this line"
        return f"would add a line to the timeline of booking {booking_id}"

    return {
        MeetingReady: of_ready,
        MeetingFailed: of_failed,
        MeetingCanceled: of_canceled,
        NotificationSent: of_mail,
        NotificationFailed: of_mail,
        **dict.fromkeys((ZoomConnected, ZoomDisconnected, ZoomSettingsChanged), _of_connection(connections)),
    }


def _of_connection(connections: ZoomConnections) -> Preview:
    async def preview(event: ZoomEvent) -> str:
        told = connection_told_of(event)
        stored = await connections.revision(told.organization_id, told.id)
        if stored is not None and stored >= told.revision:
            return f"no-op: connection {told.id} has revision {stored}, this says {told.revision}"
        return f"would store revision {told.revision} of connection {told.id}, which has {stored or 'none'}"

    return preview
