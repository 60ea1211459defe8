"""The events that a meeting's outbox entry stands for, from its document as it is now: one per seat."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from convoke.contracts import (
    Booking,
    CanceledMeeting,
    ChangedInZoom,
    Meeting,
    MeetingCanceled,
    MeetingFailed,
    MeetingReady,
)
from convoke.contracts.wire import EventData
from convoke.messaging.cloudevents import Event
from convoke.mongo import Document
from meeting_service.domain.at_zoom import Seen
from meeting_service.domain.marker import MarkerKey
from meeting_service.domain.meeting import Change, SessionMeeting
from meeting_service.domain.steps import is_current

SOURCE = "/meeting-service"


def expand(
    read: Callable[[Document], SessionMeeting], marker_key: MarkerKey
) -> Callable[[Document, Document], Sequence[Event[Any]]]:
    """Return what an Outbox needs; an entry that is no longer true, because a newer one follows, gives nothing."""

    def events(document: Document, pending: Document) -> Sequence[Event[Any]]:
        state = read(document)
        return [
            Event(
                id=f"{pending['id']}.{booking.id}",
                source=SOURCE,
                subject=booking.id,
                time=pending["time"],
                organization_id=state.session.organization_id,
                data=data,
                traceparent=pending["traceparent"],
            )
            for booking in _bookings(state, pending)
            if (data := _data(state, booking, pending, marker_key))
        ]

    return events


def _bookings(state: SessionMeeting, pending: Document) -> Iterator[Booking]:
    return (state.seats[booking_id].booking for booking_id in pending["seats"] if booking_id in state.seats)


def _data(state: SessionMeeting, booking: Booking, pending: Document, marker_key: MarkerKey) -> EventData | None:
    # A body that only today's code or key would write otherwise is no news: nobody would announce it again.
    still_true = pending["session_revision"] == state.session.revision or is_current(state, marker_key)
    if pending["outcome"] == "ready" and state.is_wanted and still_true and booking.status == "confirmed":
        return _ready(state, booking, pending["change"])
    if pending["outcome"] == "failed" and state.outcome == "failed" and state.reason:
        return MeetingFailed(
            booking=booking,
            session=state.session,
            reason=state.reason,
            meeting_revision=state.meeting_revision,
            meeting=_meeting(state),
        )
    if pending["outcome"] == "canceled" and state.outcome == "canceled":
        zoom_id = state.announced.zoom_id if state.announced else None
        canceled = CanceledMeeting(id=zoom_id, generation=state.generation, revision=state.meeting_revision)
        return MeetingCanceled(booking=booking, session=state.session, meeting=canceled)
    return None


def _ready(state: SessionMeeting, booking: Booking, change: Change) -> MeetingReady | None:
    meeting = _meeting(state)
    if meeting is None:
        return None
    return MeetingReady(booking=booking, session=state.session, change=change, meeting=meeting)


def _meeting(state: SessionMeeting) -> Meeting | None:
    at_zoom = state.meeting
    if at_zoom is None:
        return None
    return Meeting(
        id=at_zoom.id,
        join_url=at_zoom.way_in.join_url,
        passcode=at_zoom.way_in.passcode,
        dial_in=at_zoom.way_in.dial_in,
        host_email=at_zoom.way_in.host_email,
        generation=at_zoom.generation,
        revision=state.meeting_revision,
        changed_in_zoom=_changed(state.differs) if state.differs else None,
        connected_at=at_zoom.connected_at,
    )


def _changed(seen: Seen) -> ChangedInZoom:
    return ChangedInZoom(topic=seen.topic, starts_at=seen.starts_at, duration_minutes=seen.minutes)
