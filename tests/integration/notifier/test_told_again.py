"""What was lost with the broker, at the notifier: its own news told again, and the others' news heard again."""

from convoke.clock import utc_now
from convoke.messaging.outbox_replay import Wanted
from notifier.app import outbox_replay
from notifier.settings import Settings
from tests.integration.notifier.conftest import Collection, Notifications, Publish, settled
from tests.integration.notifier.mail_server import MailServer
from tests.support.eventually import eventually
from tests.unit.notifier.bookings import Story
from tests.unit.notifier.mails import text_of


async def test_what_became_of_each_mail_is_told_again_and_no_mail_leaves(
    *,
    publish: Publish,
    mail_server: MailServer,
    notifications: Notifications,
    collection: Collection,
    settings: Settings,
):
    since, story = utc_now(), Story()
    await publish(story.created(), story.ready())
    await eventually(lambda: len(notifications(story)) == 2)
    await settled(collection, story)

    async with outbox_replay(settings) as replay:

        async def both_counted() -> bool:
            return await replay.count(Wanted(since)) == {"notification.sent.v1": 2}

        await eventually(both_counted)  # a replay reads what a majority has
        again = {event.id async for event in replay.tell(Wanted(since)) if event.subject == story.booking_id}
    await eventually(lambda: len(notifications(story)) == 4)
    told = notifications(story)
    assert {event["id"] for event in told[:2]} == {event["id"] for event in told[2:]} == again
    by_recipient = [{event["data"]["recipient"]: event["data"] for event in part} for part in (told[:2], told[2:])]
    assert by_recipient[0] == by_recipient[1]
    assert mail_server.copies(story.host_email, story.invitee_email) == [1, 1]


async def test_a_booking_and_a_link_that_are_heard_again_mail_nobody_again(
    publish: Publish, mail_server: MailServer, notifications: Notifications, collection: Collection
):
    first = Story()
    moved = first.next(meeting_revision=2, starts_at=first.starts_at.replace(minute=30))
    await publish(first.created(), first.ready(), moved.rescheduled("Train strike"), moved.ready())
    before = await settled(collection, moved)
    mailed = mail_server.copies(first.host_email, first.invitee_email)
    # As a replay has it: the newest first, and all with the present snapshot.
    await publish(moved.ready(), moved.rescheduled("Train strike"), moved.created())
    marker = Story()
    await publish(marker.created(), marker.ready())
    await eventually(lambda: len(notifications(marker)) == 2)
    after = await settled(collection, moved)
    assert (after["deliveries"], after["sequence"]) == (before["deliveries"], before["sequence"])
    assert mail_server.copies(first.host_email, first.invitee_email) == mailed


async def test_a_mail_that_was_lost_with_its_events_is_made_up_for_with_its_reason(
    publish: Publish, mail_server: MailServer, notifications: Notifications
):
    """A replay tells the cancellation first, then, with the same snapshot, what came before it."""
    first, marker = Story(), Story()
    gone = first.next(canceled=True)
    await publish(gone.canceled_event("Ill"))
    await eventually(lambda: mail_server.copies(first.host_email, first.invitee_email) == [1, 1])
    await publish(gone.created(), marker.created(), marker.ready())
    await eventually(lambda: len(notifications(marker)) == 2)
    [mail] = mail_server.mails_to(first.invitee_email)
    assert "Ill" in text_of(mail)
