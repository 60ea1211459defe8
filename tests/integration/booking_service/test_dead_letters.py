"""What booking-service says that a replay would do, of bookings that it has."""

from booking_service.app import dead_letter_office
from booking_service.settings import Settings
from convoke.contracts import MeetingReady, NotificationSent
from convoke.ids import new_id
from convoke.messaging.cloudevents import Event
from convoke.messaging.dead_letters.letter import Letter
from tests.integration.booking_service.neighbours import Neighbours, meeting
from tests.integration.booking_service.replicas import Wire
from tests.integration.booking_service.tenant import Tenant, hour
from tests.support.eventually import eventually


async def preview(settings: Settings, event: Event[MeetingReady] | Event[NotificationSent]) -> str:
    stream = "meetings" if isinstance(event.data, MeetingReady) else "notifications"
    letter = Letter(
        id="dl_1",
        queue=f"booking-service.{stream}",
        reason_code="handler_failed",
        reason="",
        event_type=event.data.event_type,
        subject=event.subject,
        message_id=event.id,
        content_type=None,
        first_died_at=event.time,
        died_at=event.time,
        body=event.body(),
    )
    async with dead_letter_office(settings) as office:
        return await office.preview(letter)


async def test_a_meeting_is_compared_by_its_revision(
    tenant: Tenant, wire: Wire, neighbours: Neighbours, settings: Settings
):
    told = await wire.told((await tenant.book(hour(9)))["id"])

    def ready(revision: int) -> Event[MeetingReady]:
        data = MeetingReady(
            booking=told.data.booking, session=told.data.session, change="created", meeting=meeting(revision)
        )
        return Event(new_id("evt"), "meeting-service", told.subject, told.time, told.organization_id, data)

    session = told.data.session.id
    assert await preview(settings, ready(2)) == f"would store meeting revision 2 of session {session}, which has 0"
    await neighbours.ready(told, 2)

    async def no_op() -> bool:
        said = await preview(settings, ready(2))
        return said == f"no-op: session {session} has meeting revision 2, this says 2"

    await eventually(no_op)
    assert "would store meeting revision 3" in await preview(settings, ready(3))
    unsafe = ready(3).data.meeting.model_copy(update={"join_url": "javascript:alert(1)"})
    data = ready(3).data.model_copy(update={"meeting": unsafe})
    event = Event(new_id("evt"), "meeting-service", told.subject, told.time, told.organization_id, data)
    assert (await preview(settings, event)).startswith("would fail again: NotAWebAddress")


async def test_a_mail_is_in_the_timeline_or_is_not(
    tenant: Tenant, wire: Wire, neighbours: Neighbours, settings: Settings
):
    told = await wire.told((await tenant.book(hour(9)))["id"])
    booking = told.data.booking
    mail = NotificationSent(
        booking_id=booking.id,
        booking_revision=booking.revision,
        kind="confirmation",
        recipient="host",
        message_id=f"<{booking.id}.{booking.revision}.host@convoke.test>",
    )
    sent = Event(new_id("evt"), "notifier", told.subject, told.time, told.organization_id, mail)
    assert await preview(settings, sent) == f"would add a line to the timeline of booking {booking.id}"
    await neighbours.mailed(told, "host")

    async def no_op() -> bool:
        return await preview(settings, sent) == f"no-op: the timeline of booking {booking.id} has this line"

    await eventually(no_op)
