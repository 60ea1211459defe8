"""The mail server fails in every way it can: nothing is lost, and what comes twice is the same mail."""

from datetime import timedelta
from typing import Any

import pytest

from convoke.vault import Vault
from notifier.settings import Settings
from tests.integration.notifier.conftest import Collection, Notifications, Publish, Running, settled
from tests.integration.notifier.mail_server import MailServer
from tests.support.eventually import eventually
from tests.unit.notifier.bookings import PHONE, Story
from tests.unit.notifier.mails import calendar_of, event_of


@pytest.mark.usefixtures("notifier")
async def test_mails_wait_for_a_mail_server_that_is_down(
    publish: Publish, mail_server: MailServer, collection: Collection
) -> None:
    """While nobody listens the work waits visibly with its reason; it is done when the server is back."""
    await mail_server.stop()
    story = Story()
    await publish(story.created(), story.ready())
    put_off = {"_id": story.booking_id, "attempts": {"$gte": 1}, "due_at": {"$type": "date"}}
    document: dict[str, Any] | None = await eventually(lambda: collection.find_one(put_off))
    assert document
    assert document["reason"].startswith("the mail server cannot be reached")
    await mail_server.start()
    assert (await settled(collection, story))["attempts"] == 0
    assert mail_server.copies(story.host_email, story.invitee_email) == [1, 1]


@pytest.mark.usefixtures("notifier")
async def test_only_the_newest_time_is_mailed_after_an_outage(
    publish: Publish, mail_server: MailServer, collection: Collection
) -> None:
    """What certainly never left is dropped when it is overtaken: one confirmation of the newest time."""
    first = Story()
    second = first.next(starts_at=first.starts_at + timedelta(hours=1), meeting_revision=2)
    mail_server.refuses |= {first.host_email: "450 later", first.invitee_email: "450 later"}
    await publish(first.created(), first.ready())
    waiting = {"_id": first.booking_id, "deliveries.1.state": "waiting", "lease": None}
    _: dict[str, Any] | None = await eventually(lambda: collection.find_one(waiting))
    mail_server.refuses.clear()
    await publish(second.ready(), second.rescheduled())
    document = await settled(collection, second)
    (mail,) = mail_server.mails_to(first.invitee_email)
    assert mail["Subject"].startswith("Confirmed")
    assert event_of(mail)["DTSTART"].dt == second.starts_at
    states = sorted(delivery["state"] for delivery in document["deliveries"])
    assert states == ["sent", "sent", "superseded", "superseded"]


@pytest.mark.usefixtures("notifier")
async def test_a_mail_whose_acceptance_got_lost_comes_again_byte_for_byte(
    publish: Publish, mail_server: MailServer, collection: Collection
) -> None:
    """The server keeps the mail and cuts the connection, twice: the copies are identical, so they do no harm."""
    story = Story()
    mail_server.answers[story.host_email].extend(["drop", "drop"])
    await publish(story.created(), story.ready())
    await settled(collection, story)
    assert mail_server.copies(story.host_email, story.invitee_email) == [3, 1]
    assert len(set(mail_server.raw_to(story.host_email))) == 1


@pytest.mark.usefixtures("notifier")
async def test_a_cancellation_follows_an_invitation_that_may_have_left(
    publish: Publish, mail_server: MailServer, collection: Collection
) -> None:
    """An invitation in doubt counts as told: the calendar entry it may have made is taken back."""
    first = Story()
    canceled = first.next(canceled=True)
    mail_server.answers[first.host_email].append("drop")
    mail_server.answers[first.invitee_email].append("drop")
    await publish(first.created(), first.ready())
    await eventually(lambda: mail_server.copies(first.host_email, first.invitee_email) == [1, 1])
    await publish(canceled.canceled_event())
    await settled(collection, canceled)
    for side in (first.host_email, first.invitee_email):
        mails = mail_server.mails_to(side)
        assert calendar_of(mails[-1])["METHOD"] == "CANCEL"
        assert event_of(mails[-1])["SEQUENCE"] > event_of(mails[0])["SEQUENCE"]


@pytest.mark.usefixtures("notifier")
@pytest.mark.parametrize(("refusal", "state"), [("450 4.7.1 greylisted", "sending"), ("550 5.1.1 unknown", "in_doubt")])
async def test_a_repeat_that_is_refused_takes_nothing_back(
    publish: Publish, mail_server: MailServer, collection: Collection, refusal: str, state: str
) -> None:
    """The first try may have left whatever is answered to the second: its calendar entry is taken back."""
    first = Story()
    canceled = first.next(canceled=True)
    mail_server.answers[first.invitee_email].append("drop")
    await publish(first.created(), first.ready())
    await eventually(lambda: mail_server.copies(first.invitee_email) == [1])
    mail_server.refuses[first.invitee_email] = refusal
    repeated = {"recipient": "invitee", "state": state, "reason": f"mail server answered {refusal[:9]}"}
    await eventually(lambda: collection.find_one({"_id": first.booking_id, "deliveries": {"$elemMatch": repeated}}))
    mail_server.refuses.clear()
    await publish(canceled.canceled_event())
    await settled(collection, canceled)
    assert calendar_of(mail_server.mails_to(first.invitee_email)[-1])["METHOD"] == "CANCEL"


@pytest.mark.usefixtures("notifier")
async def test_a_mail_refused_for_now_is_sent_later_and_only_to_whom_it_was_refused(
    publish: Publish, mail_server: MailServer, collection: Collection
) -> None:
    """One transaction per recipient: the other side's mail is not repeated."""
    story = Story()
    mail_server.answers[story.host_email].append("451 4.7.1 greylisted")
    await publish(story.created(), story.ready())
    document = await settled(collection, story)
    assert mail_server.copies(story.host_email, story.invitee_email) == [1, 1]
    assert [delivery["state"] for delivery in document["deliveries"]] == ["sent", "sent"]
    assert not mail_server.answers[story.host_email]


async def test_a_mail_refused_for_good_is_told_and_does_not_hold_up_the_other(
    publish: Publish, mail_server: MailServer, notifications: Notifications
) -> None:
    """An unknown mailbox fails with the server's codes, but without its text: that may hold an address."""
    story = Story(location=PHONE)
    mail_server.refuses[story.invitee_email] = f"550 5.1.1 <{story.invitee_email}> unknown"
    await publish(story.created())
    await eventually(lambda: len(notifications(story)) == 2)
    (failed,) = [event["data"] for event in notifications(story) if event["type"] == "notification.failed.v1"]
    assert failed["recipient"] == "invitee"
    assert failed["reason"] == "mail server answered 550 5.1.1"
    assert mail_server.copies(story.host_email, story.invitee_email) == [1, 0]


@pytest.mark.parametrize("address", ["not an address", "gus@guest.example\r\nBcc: all@evil.example", "ü@x.example"])
async def test_an_address_that_cannot_be_mailed_fails_visibly(
    publish: Publish, mail_server: MailServer, notifications: Notifications, address: str
) -> None:
    """A broken address never reaches the server, and never keeps the other side from being told."""
    story = Story(location=PHONE, invitee_email=address)
    await publish(story.created())
    await eventually(lambda: len(notifications(story)) == 2)
    assert {event["data"]["recipient"]: event["type"] for event in notifications(story)} == {
        "host": "notification.sent.v1",
        "invitee": "notification.failed.v1",
    }
    (mail,) = mail_server.mails_to(story.host_email)
    assert "evil" not in str(mail.items())


async def test_what_a_frozen_or_dead_process_left_is_sent_again_as_stored(
    running: Running, publish: Publish, mail_server: MailServer, collection: Collection, settings: Settings
) -> None:
    """Stored, handed over, no answer heard: whoever holds the lease next sends the stored bytes, nothing new.

    The frozen process finds its lease gone and leaves the second mail alone.
    """
    story = Story(location=PHONE)
    mail_server.answers[story.host_email].append("freeze")
    async with running(), running():
        await publish(story.created())
        stored: dict[str, Any] | None = await eventually(
            lambda: collection.find_one({"_id": story.booking_id, "deliveries.state": "sending"})
        )
        assert stored
        # As if the time of the lease had passed.
        past = stored["lease"]["until"] - timedelta(minutes=10)
        await collection.update_one({"_id": story.booking_id}, {"$set": {"lease.until": past}})
        await settled(collection, story)
        mail_server.thaw.set()
        await eventually(lambda: mail_server.copies(story.host_email) == [2])
    mails = _opened(stored, settings)
    assert mail_server.raw_to(story.host_email) == [mails["host"]] * 2
    assert mail_server.raw_to(story.invitee_email) == [mails["invitee"]]
    after = await settled(collection, story)
    assert [delivery["state"] for delivery in after["deliveries"]] == ["sent", "sent"]


async def test_what_became_of_a_mail_counts_also_where_a_newer_revision_came_meanwhile(
    publish: Publish, mail_server: MailServer, collection: Collection, notifications: Notifications
) -> None:
    """Canceled while the last mail is at the server: it is recorded as sent, and the cancellation follows at once."""
    first = Story(location=PHONE)
    canceled = first.next(canceled=True)
    mail_server.thaw.clear()
    mail_server.answers[first.invitee_email].append("freeze")
    await publish(first.created())
    await eventually(lambda: mail_server.copies(first.host_email) == [1])
    await publish(canceled.canceled_event())
    await eventually(lambda: collection.find_one({"_id": first.booking_id, "revision.0": canceled.revision}))
    mail_server.thaw.set()
    document = await settled(collection, canceled)
    assert [delivery["state"] for delivery in document["deliveries"]] == ["sent"] * 4
    await eventually(lambda: len(notifications(first)) == 4)
    assert calendar_of(mail_server.mails_to(first.invitee_email)[1])["METHOD"] == "CANCEL"


def _opened(document: dict[str, Any], settings: Settings) -> dict[str, bytes]:
    vault = Vault(settings.encryption_keys)
    row = document["organization_id"], document["_id"]
    return {
        delivery["recipient"]: vault.decrypt(delivery["mime"], *row, f"deliveries.{delivery['id']}.mime").encode()
        for delivery in document["deliveries"]
    }
