"""Notices about a broken connection, with a clock that the tests move: days, kill points, and what ends them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from convoke import mongo
from convoke.contracts import PrivacyErasureRequested
from convoke.erasure.portions import Erasure, erase
from convoke.ids import new_id
from convoke.messaging.cloudevents import Event
from notifier.mongo.notices import secrets_of
from notifier.settings import Settings
from tests.integration.notifier.conftest import Publish
from tests.integration.notifier.fused import AHEAD, BROKE_AT, DAY, Fuse, Killed, Notifier
from tests.integration.notifier.mail_server import MailServer
from tests.support.eventually import eventually
from tests.unit.notifier.bookings import PHONE, Story
from tests.unit.notifier.connections import Link
from tests.unit.notifier.mails import text_of


@pytest.fixture(scope="module")
async def database(settings: Settings, mongodb_url: str) -> AsyncIterator[Any]:
    client = mongo.connect(mongodb_url)
    name = f"{settings.mongodb_database}-days"
    yield mongo.database(client, name)
    await client.drop_database(name)
    client.close()


@pytest.fixture
async def notifier_of_days(database: Any, settings: Settings) -> AsyncIterator[Notifier]:
    notifier = Notifier(database, settings)
    for create_indexes in (notifier.store.create_indexes, notifier.affected.create_indexes):
        await create_indexes()
    yield notifier
    await database["notices"].delete_many({})
    await database["correspondence"].delete_many({})


def broken(link: Link, reason: str = "reauthorization_required") -> Event[Any]:
    status = "disconnected" if reason == "deauthorized" else reason
    return link.next(status).disconnected(BROKE_AT, reason)


def story_of(link: Link, **changes: Any) -> Story:
    return Story(organization_id=link.organization_id, starts_at=AHEAD, **changes)


async def test_b14_four_notices_on_days_1_3_7_and_14(notifier_of_days: Notifier, mail_server: MailServer):
    link, notifier = Link(), notifier_of_days
    story = story_of(link)
    await notifier.hears(link.connected(), broken(link), broken(link))
    await notifier.knows(story)
    told = []
    for day in (0.9, 1, 2.9, 3, 6.9, 7, 13.9, 14, 40):
        await notifier.lives(day)
        told.append(mail_server.copies(story.host_email)[0])
    assert told == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    mails = mail_server.mails_to(story.host_email)
    assert len({mail["Message-ID"] for mail in mails}) == 4
    assert all("connect it again for 1 booking" in mail["Subject"] for mail in mails)
    assert "Coaching: first talk with Gus Guest" in text_of(mails[0])
    assert "due_at" not in await notifier.document(link)


async def test_f86_b14_a_reconnect_ends_the_notices_also_where_what_came_before_is_heard_again(
    notifier_of_days: Notifier, mail_server: MailServer
):
    link, notifier = Link(), notifier_of_days
    story = story_of(link)
    await notifier.knows(story)
    await notifier.hears(link.connected(), broken(link, "deauthorized"))
    await notifier.lives(2)
    assert mail_server.copies(story.host_email) == [1]
    assert "The app was removed from your Zoom account" in text_of(mail_server.mails_to(story.host_email)[0])
    back = link.next("disconnected").next("active")
    await notifier.hears(back.connected(notifier.now), broken(link, "deauthorized"), link.connected())
    document = await notifier.document(link)
    assert "due_at" not in document
    assert document["email"] is None
    await notifier.lives(30)
    assert mail_server.copies(story.host_email) == [1]


async def test_f86_b14_what_the_owner_disconnected_is_not_reminded_of(
    notifier_of_days: Notifier, mail_server: MailServer
):
    link, notifier = Link(), notifier_of_days
    story = story_of(link)
    await notifier.knows(story)
    await notifier.hears(link.connected(), link.next("disconnected").disconnected(BROKE_AT, "user"))
    await notifier.lives(30)
    assert mail_server.copies(story.host_email) == [0]


async def test_b14_only_bookings_that_the_connection_makes_meetings_for_are_affected(
    notifier_of_days: Notifier, mail_server: MailServer
):
    """Not those over, canceled or elsewhere, nor those of another host who has a connection of their own."""
    link = Link(host_id=None)
    own, notifier = Link(organization_id=link.organization_id, host_id="hst_1"), notifier_of_days
    await notifier.hears(link.connected(), own.connected(), broken(link))
    gone = story_of(link, title="gone")
    await notifier.knows(
        story_of(link, title="own"), gone, story_of(link, title="by phone", location=PHONE), Story(title="foreign")
    )
    await notifier.handlers.keep_booking_with_reason(gone.next(canceled=True).canceled_event())
    await notifier.lives(2)
    assert mail_server.copies(link.email) == [0]
    left = own.next("disconnected")
    await notifier.hears(left.disconnected(notifier.now, "user"))
    await notifier.knows(*(story_of(link, title=f"talk {number}") for number in range(21)))
    await notifier.lives(3)
    [mail] = mail_server.mails_to(link.email)
    text = text_of(mail)
    assert "22 bookings" in mail["Subject"]
    assert "and 2 more" in text
    assert [word for word in ("gone", "by phone", "foreign") if word in text] == []


async def test_b14_bookings_from_before_it_was_kept_which_a_connection_affects_are_listed_too(
    notifier_of_days: Notifier, mail_server: MailServer
):
    """Whoever looks for links that are old enough to go, every six hours, keeps it of these as well."""
    link, notifier = Link(host_id=None), notifier_of_days
    await notifier.hears(link.connected())
    await notifier.knows(story_of(link, title="first talk"))
    before = {"starts_at": "", "host_id": "", "on_zoom": ""}
    await notifier.database["correspondence"].update_many({}, {"$unset": before})
    for _ in range(2):
        retention = Erasure("retention", "", "zoom_data", notifier.now)
        await erase(notifier.portions.expired_links(notifier.now - 30 * DAY), retention, _held)
    await notifier.hears(broken(link))
    await notifier.lives(2)
    [mail] = mail_server.mails_to(link.email)
    assert "first talk" in text_of(mail)


async def test_b14_after_an_outage_only_the_newest_notice_leaves(notifier_of_days: Notifier, mail_server: MailServer):
    link, notifier = Link(), notifier_of_days
    story = story_of(link)
    await notifier.knows(story)
    await notifier.hears(link.connected(), broken(link))
    mail_server.refuses[story.host_email] = "451 not just now"
    await notifier.lives(1.5, step=timedelta(hours=12))
    document = await notifier.document(link)
    assert document["reason"] == "mail server answered 451"
    assert {secret.path for secret in secrets_of(document)} == {"email", "mail.to", "mail.mime"}
    assert story.host_email not in str(document)
    assert link.email not in str(document)
    del mail_server.refuses[story.host_email]
    notifier.now = BROKE_AT + 8 * DAY
    await notifier.work()
    await notifier.lives(13)
    assert mail_server.copies(story.host_email) == [1]


@pytest.mark.parametrize("before", [True, False], ids=["dies_before", "dies_after"])
async def test_b14_one_mail_for_each_day_wherever_the_process_dies(
    *, before: bool, notifier_of_days: Notifier, mail_server: MailServer
):
    """Killed around every effect of hearing and of sending; whoever takes over sends the same bytes, if any."""
    notifier, points = notifier_of_days, 0
    while True:
        points += 1
        link = Link()
        story = story_of(link)
        notifier.now = BROKE_AT
        await notifier.knows(story)
        fuse = Fuse(points, before=before)
        notifier.begin_anew(fuse)
        try:
            await notifier.hears(link.connected(), broken(link))
            await notifier.lives(1.1)
        except Killed:
            notifier.begin_anew(Fuse())
            await notifier.hears(link.connected(), broken(link))
            await notifier.lives(2)
        copies = mail_server.raw_to(story.host_email)
        assert len(set(copies)) == 1, f"effect {points}"
        assert len(copies) <= 2
        assert "due_at" in await notifier.document(link)
        notifier.begin_anew(Fuse())
        if fuse.count < points:
            break
    assert points > 6


async def test_b14_an_event_that_comes_while_a_notice_is_sent_takes_it_back(
    notifier_of_days: Notifier, mail_server: MailServer
):
    link, notifier = Link(), notifier_of_days
    story = story_of(link)
    await notifier.knows(story)
    await notifier.hears(link.connected(), broken(link))
    notifier.now = BROKE_AT + DAY
    claim = await notifier.due.claim()
    assert claim
    await notifier.hears(link.next("x").next("active").connected(notifier.now))
    await notifier.sender.work(claim)
    assert mail_server.copies(story.host_email) == [0]
    assert (await notifier.document(link))["mail"] is None


@pytest.mark.parametrize("scope", ["zoom_data", "person", "organization"])
async def test_f69_f70_b14_an_erasure_ends_the_notices_and_nothing_late_brings_them_back(
    *, scope: Any, notifier_of_days: Notifier, mail_server: MailServer
):
    link, notifier = Link(), notifier_of_days
    story = story_of(link)
    await notifier.knows(story)
    await notifier.hears(link.connected(), broken(link))
    mail_server.refuses[story.host_email] = "451 not just now"
    await notifier.lives(1.5, step=timedelta(hours=12))
    erasure = Erasure(new_id("era"), link.organization_id, scope, notifier.now, person=link.email)
    [portion] = [one for one in notifier.portions.of(erasure) if one.what == "notices"]
    await erase(portion, erasure, _held)
    del mail_server.refuses[story.host_email]
    document = await notifier.document(link)
    assert "v1." not in str(document)
    assert "due_at" not in document
    refused = link.next("reauthorization_required")
    ended = refused.next("disconnected").disconnected(notifier.now + timedelta(seconds=1), "user")
    await notifier.hears(broken(link), refused.paused(BROKE_AT), ended)
    assert "v1." not in str(await notifier.document(link)), "what the erasure itself has ended carries the address"
    await notifier.lives(30)
    assert mail_server.copies(story.host_email) == [0]


async def test_b14_a_notice_under_way_is_rendered_anew_without_a_guest_who_is_erased(
    notifier_of_days: Notifier, mail_server: MailServer
):
    link, notifier = Link(), notifier_of_days
    story = story_of(link)
    await notifier.knows(story)
    await notifier.hears(link.connected(), broken(link))
    mail_server.refuses[story.host_email] = "451 not just now"
    await notifier.lives(1.5, step=timedelta(hours=12))
    erasure = Erasure(new_id("era"), link.organization_id, "person", notifier.now, person=story.invitee_email)
    [portion] = [one for one in notifier.portions.of(erasure) if one.what == "notices"]
    await erase(portion, erasure, _held)
    assert (await notifier.document(link))["mail"] is None
    del mail_server.refuses[story.host_email]
    await notifier.knows(story.next(invitee_name="Somebody"))
    await notifier.lives(2)
    assert "Somebody" in text_of(mail_server.mails_to(story.host_email)[0])


@pytest.mark.usefixtures("notifier")
async def test_f86_b14_the_running_service_tells_of_a_removal_that_it_hears_of_a_day_later(
    publish: Publish, mail_server: MailServer, settings: Settings, mongodb_url: str
):
    """Over RabbitMQ, and until the reconnect."""
    link = Link(revision=1)
    now = datetime.now(UTC)
    story = Story(organization_id=link.organization_id, starts_at=now + 20 * DAY)
    removed = link.next("disconnected").disconnected(now - 1.1 * DAY, "deauthorized")
    client = mongo.connect(mongodb_url)
    notices = client[settings.mongodb_database]["notices"]
    ahead = client[settings.mongodb_database]["correspondence"]
    try:
        await publish(story.created())
        await eventually(lambda: ahead.find_one({"_id": story.booking_id, "on_zoom": True}))
        await publish(removed, link.connected(now - 5 * DAY), removed)
        await eventually(lambda: mail_server.copies(story.host_email) == [1], within=20)
        waits = {"_id": link.id, "settled_day": 1, "due_at": {"$gt": now}, "lease": None}
        await eventually(lambda: notices.find_one(waits))
        await publish(link.next("x").next("active").connected(now))
        await eventually(lambda: notices.find_one({"_id": link.id, "status": "active", "due_at": None}))
        asked = PrivacyErasureRequested(
            erasure_id=new_id("era"), organization_id=link.organization_id, scope="organization"
        )
        await publish(Event(new_id("evt"), "/auth-service", asked.erasure_id, now, asked.organization_id, asked))
        await eventually(lambda: notices.find_one({"_id": link.id, "is_erased": True}), within=20)
    finally:
        client.close()


async def _held() -> None:
    """Keep the lease."""
