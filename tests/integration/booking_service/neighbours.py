"""What meeting-service and the notifier say, as they say it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from convoke.clock import utc_now
from convoke.contracts import (
    CanceledMeeting,
    ChangedInZoom,
    DialIn,
    FailureReason,
    Meeting,
    MeetingCanceled,
    MeetingFailed,
    MeetingReady,
    NotificationFailed,
    NotificationSent,
)
from convoke.ids import new_id
from convoke.messaging.cloudevents import Event
from convoke.messaging.publisher import Publisher

JOIN_URL = "https://zoom.example/j/123?pwd=canary-pwd"
REASON = FailureReason(
    code="zoom_not_connected",
    title="Zoom is not connected",
    detail="The host has not connected Zoom yet.",
    action="Connect Zoom.",
)


@dataclass
class Neighbours:
    """Each answers to one booking event, as that event told of booking and session."""

    publisher: Publisher

    async def say(self, told: Event[Any], data: Any, source: str = "meeting-service") -> None:
        event = Event(new_id("evt"), source, told.subject, utc_now(), told.organization_id, data)
        await self.publisher.publish(event)

    async def ready(
        self,
        told: Event[Any],
        revision: int,
        *,
        join_url: str = JOIN_URL,
        change: Any = "created",
        changed_in_zoom: ChangedInZoom | None = None,
        connected_at: datetime | None = None,
    ) -> None:
        more = {"changed_in_zoom": changed_in_zoom, "connected_at": connected_at}
        ready = meeting(revision, join_url).model_copy(update=more)
        data = MeetingReady(booking=told.data.booking, session=told.data.session, change=change, meeting=ready)
        await self.say(told, data)

    async def failed(
        self, told: Event[Any], revision: int, *, still_holds: bool = False, retry_at: datetime | None = None
    ) -> None:
        data = MeetingFailed(
            booking=told.data.booking,
            session=told.data.session,
            reason=REASON.model_copy(update={"retry_at": retry_at}),
            meeting_revision=revision,
            meeting=meeting(revision) if still_holds else None,
        )
        await self.say(told, data)

    async def canceled(self, told: Event[Any], revision: int) -> None:
        gone = CanceledMeeting(id=123, generation=1, revision=revision)
        await self.say(told, MeetingCanceled(booking=told.data.booking, session=told.data.session, meeting=gone))

    async def mailed(self, told: Event[Any], recipient: Any, *, refused: str | None = None) -> None:
        booking = told.data.booking
        mail: dict[str, Any] = {
            "booking_id": booking.id,
            "booking_revision": booking.revision,
            "kind": "confirmation",
            "recipient": recipient,
            "message_id": f"<{booking.id}.{booking.revision}.{recipient}@convoke.test>",
        }
        data = NotificationFailed(**mail, reason=refused) if refused else NotificationSent(**mail)
        await self.say(told, data, source="notifier")


def meeting(revision: int, join_url: str = JOIN_URL) -> Meeting:
    return Meeting(
        id=123,
        join_url=join_url,
        passcode="canary-passcode",
        dial_in=(DialIn(country="DE", number="+49 69 1234", type="toll"),),
        host_email="ada@example.com",
        generation=1,
        revision=revision,
    )
