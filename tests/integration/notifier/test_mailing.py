"""Events in, mails out: the right ones, once, whatever the order of the events."""

from datetime import timedelta
from typing import Any

import pytest

from tests.integration.notifier.conftest import Collection, Notifications, Publish, settled
from tests.integration.notifier.mail_server import MailServer
from tests.support.eventually import eventually
from tests.unit.notifier.bookings import JOIN_URL, PASSCODE, PHONE, Story
from tests.unit.notifier.mails import calendar_of, event_of, part_of, text_of

pytestmark = pytest.mark.usefixtures("notifier")


async def mailed(mail_server: MailServer, story: Story, times: int) -> None:
    """Wait until each side got so many mails."""
    sides = story.host_email, story.invitee_email
    await eventually(lambda: mail_server.copies(*sides) == [times, times])


async def test_f34_f35_a_ready_meeting_mails_both_sides_and_tells_the_booking(
    publish: Publish, mail_server: MailServer, notifications: Notifications
) -> None:
    """The first mail leaves when Zoom has accepted the time: one to each side, with link, passcode and calendar."""
    story = Story()
    await publish(story.created(), story.ready())
    await eventually(lambda: len(notifications(story)) == 2)
    for side in (story.host_email, story.invitee_email):
        (mail,) = mail_server.mails_to(side)
        assert mail["Subject"].startswith("Confirmed: Coaching: first talk with ")
        assert JOIN_URL in text_of(mail)
        assert PASSCODE in text_of(mail)
        assert calendar_of(mail)["METHOD"] == "REQUEST"
    told = {event["data"]["recipient"]: event["data"]["message_id"] for event in notifications(story)}
    assert told == {
        "host": mail_server.mails_to(story.host_email)[0]["Message-ID"],
        "invitee": mail_server.mails_to(story.invitee_email)[0]["Message-ID"],
    }
    assert {event["type"] for event in notifications(story)} == {"notification.sent.v1"}


async def test_a_booking_with_zoom_is_not_mailed_before_its_meeting_is_ready(
    publish: Publish, mail_server: MailServer, collection: Collection
) -> None:
    """Without an accepted time and a link there is nothing to announce."""
    story = Story()
    await publish(story.created())
    document: dict[str, Any] | None = await eventually(lambda: collection.find_one({"_id": story.booking_id}))
    assert document
    assert "due_at" not in document
    assert mail_server.copies(story.host_email, story.invitee_email) == [0, 0]
    await publish(story.ready())
    await mailed(mail_server, story, 1)


async def test_f25_a_booking_by_phone_is_mailed_at_once(publish: Publish, mail_server: MailServer) -> None:
    """A booking without Zoom waits for nobody."""
    story = Story(location=PHONE)
    await publish(story.created())
    await mailed(mail_server, story, 1)
    assert "+49 30 1234567" in text_of(mail_server.mails_to(story.invitee_email)[0])


async def test_repeated_and_older_events_mail_nothing_again(publish: Publish, mail_server: MailServer) -> None:
    """Every event twice, and the old ones once more at the end: still one mail per change and side."""
    first = Story()
    second = first.next(starts_at=first.starts_at + timedelta(hours=1), meeting_revision=2)
    third = second.next(canceled=True)
    await publish(first.created(), first.created(), first.ready(), first.ready())
    await mailed(mail_server, first, 1)
    await publish(second.rescheduled(), second.ready(), second.ready(), second.rescheduled())
    await mailed(mail_server, first, 2)
    await publish(first.ready(), first.created(), second.rescheduled(), second.ready(), third.canceled_event())
    await mailed(mail_server, first, 3)
    mails = mail_server.mails_to(first.invitee_email)
    assert [mail["Subject"].split(":")[0] for mail in mails] == ["Confirmed", "New time", "Canceled"]
    assert [event_of(mail)["SEQUENCE"] for mail in mails] == [0, 1, 2]


async def test_the_three_mails_of_a_booking_belong_together(publish: Publish, mail_server: MailServer) -> None:
    """One UID, REQUEST before CANCEL, a reference to the first mail, old and new time, and the reasons given."""
    first = Story()
    second = first.next(starts_at=first.starts_at + timedelta(days=1), meeting_revision=2)
    third = second.next(canceled=True)
    await publish(first.created(), first.ready())
    await mailed(mail_server, first, 1)
    await publish(second.rescheduled("Train strike"), second.ready())
    await mailed(mail_server, first, 2)
    await publish(third.canceled_event("Ill"))
    await mailed(mail_server, first, 3)
    mails = mail_server.mails_to(first.host_email)
    assert len({event_of(mail)["UID"] for mail in mails}) == 1
    assert [calendar_of(mail)["METHOD"] for mail in mails] == ["REQUEST", "REQUEST", "CANCEL"]
    assert [mail["References"] for mail in mails] == [None, mails[0]["Message-ID"], mails[0]["Message-ID"]]
    assert "Old time" in text_of(mails[1])
    assert "Train strike" in text_of(mails[1])
    assert "Ill" in text_of(mails[2])


async def test_a_new_time_that_comes_before_the_booking_is_one_confirmation(
    publish: Publish, mail_server: MailServer, collection: Collection
) -> None:
    """Who was never told anything gets a confirmation of the newest time, and only that."""
    first = Story()
    second = first.next(starts_at=first.starts_at + timedelta(hours=2), meeting_revision=2)
    await publish(second.ready(), second.rescheduled(), first.ready(), first.created())
    await mailed(mail_server, first, 1)
    await settled(collection, second)
    (mail,) = mail_server.mails_to(first.invitee_email)
    assert mail["Subject"].startswith("Confirmed")
    assert event_of(mail)["DTSTART"].dt == second.starts_at


async def test_a_new_time_is_told_with_its_reason_also_when_its_meeting_is_ready_first(
    publish: Publish, mail_server: MailServer, collection: Collection
) -> None:
    """Two queues keep no order between them: the mail waits a moment for the event that tells the reason."""
    first = Story()
    second = first.next(starts_at=first.starts_at + timedelta(hours=1), meeting_revision=2)
    await publish(first.created(), first.ready())
    await mailed(mail_server, first, 1)
    await publish(second.ready())
    await eventually(lambda: collection.find_one({"_id": first.booking_id, "revision.0": second.revision}))
    await publish(second.rescheduled("Train strike"))
    await mailed(mail_server, first, 2)
    await settled(collection, second)
    for side in (first.host_email, first.invitee_email):
        (_, mail) = mail_server.mails_to(side)
        assert "Train strike" in text_of(mail)


async def test_a_new_time_whose_own_event_is_missing_is_told_all_the_same(
    publish: Publish, mail_server: MailServer, collection: Collection
) -> None:
    """The wait for the reason ends by itself, and the event that comes too late mails nothing again."""
    first = Story()
    second = first.next(starts_at=first.starts_at + timedelta(hours=1), meeting_revision=2)
    await publish(first.created(), first.ready())
    await mailed(mail_server, first, 1)
    await publish(second.ready())
    await mailed(mail_server, first, 2)
    await settled(collection, second)
    await publish(second.rescheduled("Train strike"))
    await eventually(lambda: collection.find_one({"_id": first.booking_id, "revision.3": second.revision}))
    document = await settled(collection, second)
    assert len(document["deliveries"]) == 4
    assert mail_server.copies(first.host_email, first.invitee_email) == [2, 2]


async def test_another_link_at_the_same_time_is_told(publish: Publish, mail_server: MailServer) -> None:
    """A meeting that was replaced reaches both sides with its new link, in the same calendar entry."""
    first = Story()
    replaced = first.next(revision=1, meeting_revision=2, join_url="https://us05web.zoom.us/j/89999999999")
    await publish(first.created(), first.ready())
    await mailed(mail_server, first, 1)
    await publish(replaced.ready())
    await mailed(mail_server, first, 2)
    mail = mail_server.mails_to(first.invitee_email)[1]
    assert mail["Subject"].startswith("New details to join")
    assert event_of(mail)["URL"] == "https://us05web.zoom.us/j/89999999999"
    assert event_of(mail)["SEQUENCE"] == 1


async def test_f49_b3_a_passcode_that_was_changed_inside_zoom_is_mailed_once_and_a_flagged_change_is_not(
    publish: Publish, mail_server: MailServer, collection: Collection
) -> None:
    """The booking's revision stays the same: what counts is whether the way in is another one."""
    first = Story()
    changed = first.next(revision=1, meeting_revision=2, passcode="n3w-one")
    again = changed.next(revision=1, meeting_revision=3)
    await publish(first.created(), first.ready())
    await mailed(mail_server, first, 1)
    await publish(changed.ready())
    await mailed(mail_server, first, 2)
    await publish(changed.ready(), again.ready())
    await eventually(
        lambda: collection.find_one({"_id": first.booking_id, "revision.2": again.meeting_revision, "due_at": None})
    )
    assert mail_server.copies(first.host_email, first.invitee_email) == [2, 2]
    for mail in (mail_server.mails_to(first.host_email)[1], mail_server.mails_to(first.invitee_email)[1]):
        assert "n3w-one" in text_of(mail)


async def test_a_booking_canceled_before_it_was_ready_gets_a_mail_without_a_calendar_part(
    publish: Publish, mail_server: MailServer, collection: Collection
) -> None:
    """No CANCEL without an earlier REQUEST; and a meeting that is ready too late mails nothing."""
    first = Story()
    canceled = first.next(canceled=True)
    await publish(first.created(), canceled.canceled_event("Changed my mind"))
    await mailed(mail_server, first, 1)
    marker = Story()
    await publish(first.ready(), marker.ready())
    await mailed(mail_server, marker, 1)
    await settled(collection, canceled)
    (mail,) = mail_server.mails_to(first.invitee_email)
    assert mail["Subject"].startswith("Canceled")
    assert part_of(mail, "text/calendar") is None
    assert "Changed my mind" in text_of(mail)


async def test_a_session_in_the_past_is_not_mailed_but_told(
    publish: Publish, mail_server: MailServer, collection: Collection, notifications: Notifications
) -> None:
    """An event that comes after the end becomes a visible failure, not a mail with a dead link."""
    story = Story(starts_at=Story().starts_at - timedelta(days=10))
    await publish(story.created(), story.ready())
    await eventually(lambda: len(notifications(story)) == 2)
    assert {event["type"] for event in notifications(story)} == {"notification.failed.v1"}
    document = await settled(collection, story)
    assert [delivery["state"] for delivery in document["deliveries"]] == ["too_late", "too_late"]
    assert mail_server.copies(story.host_email, story.invitee_email) == [0, 0]


async def test_no_secret_is_stored_in_plain_text(
    publish: Publish, mail_server: MailServer, collection: Collection
) -> None:
    """Neither the snapshot nor a mail that waits shows the link, the passcode or an address of a person."""
    story = Story()
    mail_server.answers[story.invitee_email].append("451 later")
    await publish(story.created(), story.ready())
    waiting: dict[str, Any] | None = await eventually(
        lambda: collection.find_one({"_id": story.booking_id, "deliveries.mime": {"$type": "string"}})
    )
    sent = await settled(collection, story)
    for secret in (JOIN_URL, "Canary", PASSCODE, story.host_email, story.invitee_email):
        assert secret not in str(waiting)
        assert secret not in str(sent)
