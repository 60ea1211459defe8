"""What handling an event would do now, for an operator who is about to replay a dead letter."""

from dataclasses import replace

from convoke.clock import Clock
from convoke.contracts import (
    Booking,
    BookingCanceled,
    BookingCreated,
    BookingRescheduled,
    BookingUpdated,
    MeetingReady,
    Session,
    ZoomConnected,
    ZoomDisconnected,
    ZoomSettingsChanged,
)
from convoke.messaging.cloudevents import Event
from convoke.messaging.dead_letters.office import Preview, Previews
from notifier.domain.deliveries import Correspondence, owed
from notifier.domain.notices import Notices, with_event
from notifier.domain.snapshot import Snapshot, with_booking, with_meeting
from notifier.handlers import ZoomEvent
from notifier.mongo.correspondence import Correspondences
from notifier.mongo.notices import NoticesStore

BookingEvent = Event[BookingCreated] | Event[BookingUpdated] | Event[BookingRescheduled] | Event[BookingCanceled]


def previews(store: Correspondences, notices: NoticesStore, clock: Clock) -> Previews:
    """Return one preview for each event that this service handles; it raises what the handler would raise."""

    async def of_booking(event: BookingEvent) -> str:
        known = await _known(event.data.booking, event.data.session)
        newest = with_booking(known.snapshot if known else None, event.data.booking, event.data.session, event.time)
        return _difference(known, newest, event.data.booking)

    async def of_meeting(event: Event[MeetingReady]) -> str:
        known = await _known(event.data.booking, event.data.session)
        return _difference(
            known, with_meeting(known.snapshot if known else None, event.data, event.time), event.data.booking
        )

    async def _known(booking: Booking, session: Session) -> Correspondence | None:
        document = await store.find(session.organization_id, booking.id)
        return store.read(document) if document else None

    def _difference(known: Correspondence | None, newest: Snapshot, said: Booking) -> str:
        if known and newest is known.snapshot:
            at = f"{known.snapshot.booking.revision} with meeting revision {known.snapshot.meeting_revision}"
            return f"no-op: booking {said.id} is known at revision {at}, this says no more (revision {said.revision})"
        after = (
            replace(known, snapshot=newest)
            if known
            else Correspondence(booking_id=said.id, organization_id=newest.session.organization_id, snapshot=newest)
        )
        mails = [f"{mail.kind} to the {mail.recipient}" for mail in owed(after, clock())]
        return (
            f"would store revision {said.revision} of booking {said.id}; mails owed then: {', '.join(mails) or 'none'}"
        )

    return {
        BookingCreated: of_booking,
        BookingUpdated: of_booking,
        BookingRescheduled: of_booking,
        BookingCanceled: of_booking,
        MeetingReady: of_meeting,
        **dict.fromkeys((ZoomConnected, ZoomDisconnected, ZoomSettingsChanged), _of_connection(notices)),
    }


def _of_connection(notices: NoticesStore) -> Preview:
    async def preview(event: ZoomEvent) -> str:
        document = await notices.find(event.organization_id, event.data.connection.id)
        known = notices.read(document) if document else None
        newest = with_event(known.standing if known else None, event.data, event.time)
        if known and newest == known.standing:
            return f"no-op: connection {newest.connection_id} is known at revision {newest.revision}"
        after = replace(known, standing=newest) if known else Notices(newest)
        due_at = after.due_at()
        owed = f"due at {due_at.isoformat()}" if due_at else "not owed"
        return f"would store connection {newest.connection_id} at revision {newest.revision}; a notice is {owed} then"

    return preview
