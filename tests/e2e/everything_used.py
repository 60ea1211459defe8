"""A system in which everything was used that stores, tells or logs anything, and what of it nobody else may read."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aio_pika

from convoke.contracts.topology import BOOKING_SERVICE_MEETINGS, EXCHANGE, NOTIFIER_MEETINGS
from convoke.messaging.cloudevents import CONTENT_TYPE
from local_stack.addresses import SERVICES
from local_stack.tenant import Tenant
from tests.e2e.checker import at_rest, settled
from tests.e2e.in_the_clear import ZOOM_SIGNED, Value, everything
from tests.e2e.mail_gate import Moment
from tests.e2e.story import Story
from tests.e2e.waiting import until
from tests.e2e.world import World

WITHIN = 90.0
DATABASES = {"auth-service": "auth", "booking-service": "booking", "meeting-service": "meeting", "notifier": "notifier"}
READY = Path(__file__).parents[1] / "contract" / "samples" / "meeting.ready.v1.json"
CANARIES = ("https://us05web.zoom.us/j/81234567890?pwd=CanaryInTheLink7.1", "CanaryInLetter7")
SETTINGS = (
    "ZOOM_CLIENT_SECRET",
    "ZOOM_WEBHOOK_SECRET_TOKEN",
    "SERVICE_CLIENT_SECRET",
    "MARKER_KEY",
    "ENCRYPTION_KEYS",
    "JWT_SIGNING_KEYS",
)
TAP = "what-a-tap-on-the-broker-heard"


@dataclass(frozen=True)
class Used:
    """A world in which everything was used, and what of it may be nowhere in the clear."""

    world: World
    secrets: dict[str, set[str]]
    challenge: str
    booking_id: str
    people: set[str]

    def dump(self) -> list[Value]:
        return list(everything(self.world.databases, DATABASES.values()))

    def logged(self) -> list[Value]:
        """Return what the processes of all services have written."""
        folder = self.world.system.folder / "logs"
        files = [path for service in SERVICES for path in folder.glob(f"{service}*.log")]
        return [Value(path.name, line) for path in files for line in path.read_bytes().splitlines()]

    def published(self) -> list[Value]:
        """Return the bodies and headers of all that was published."""
        return [Value("broker", body) for body in asyncio.run(_heard(self.world.system.urls["rabbitmq"]))]


@contextmanager
def everything_used(world: World) -> Iterator[Used]:
    asyncio.run(_tap(world.system.urls["rabbitmq"]))
    with world.another_tenant("Dumped") as tenant:
        stories = told_stories(world, tenant)
        started = tenant.begin_with_zoom()
        asked = {name: values[0] for name, values in parse_qs(urlsplit(tenant.zooms_page(started)).query).items()}
        send_what_nobody_can_read(world)
        keep_a_mail_waiting(world, stories[0])
        secrets = {kind: set(known) for kind, known in world.zoom.secrets().items()}
        secrets["state"].add(asked["state"])
        secrets |= {
            "start link or token": set(ZOOM_SIGNED),
            "canary": set(CANARIES) | {"CanaryInTheLink7.1"},
            "setting": set(settings_of(world)),
            "link": {started.rpartition(".")[2]},
            "address": {
                story.booking[address].rpartition("/")[2]
                for story in stories
                for address in ("join_address", "manage_address")
            },
            "api token": {tenant.token("booking-service")},
        }
        people = {mail for story in stories for mail in (story.guest_mail, story.host_mail)}
        yield Used(world, secrets, asked["code_challenge"], stories[0].booking["id"], people)
        for name in DATABASES.values():
            world.databases[name]["dead_letters"].delete_many({})
        world.system.gate.release()
        world.system.gate.open()
        settled(world, [stories[0].expected], within=WITHIN)
        stories[-1].cancel()  # it would wait for its host to reconnect, and nobody does
        at_rest(world, within=WITHIN)


def told_stories(world: World, tenant: Tenant) -> list[Story]:
    """Have meetings made, moved, cancelled, changed inside Zoom and not made; tokens renewed, revoked and refused.

    And a connection paused, a person erased, and a change of the Zoom user begun.
    """
    shared = f"org-{uuid.uuid4().hex[:8]}"
    world.zoom.add_user(shared)
    tenant.connect_zoom(shared)
    kept, moved, gone, changed, broken = (
        Story(world, name, tenant=tenant).connected() for name in ("kept", "moved", "gone", "changed", "broken")
    )
    for story in (kept, moved, gone, changed):
        story.book()
    settled(world, [kept.expected, moved.expected, gone.expected, changed.expected], within=WITHIN)
    moved.reschedule()
    gone.cancel()
    [meeting] = world.zoom.meetings_of(changed.booking["session_id"])
    world.zoom.change(meeting["id"], password="Changed1")
    changed.told_anew()
    with world.zoom.webhooks_held():  # told before it is found out, the organization's connection would stand in
        broken.deauthorized()
        broken.book()
        until("the reason told", broken.waits, within=WITHIN)
    world.zoom.release_webhooks()
    refresh(world, kept.zoom_user)
    settled(world, [kept.expected, moved.expected, gone.expected, changed.expected], within=WITHIN)
    tenant.call("auth-service", "DELETE", connection_of(tenant, gone))
    tenant.call("auth-service", "PATCH", connection_of(tenant, changed), {"enabled_for_new_bookings": False})
    tenant.call("auth-service", "POST", "/v1/erasures", {"scope": "person", "person": gone.guest_mail})
    leave_a_choice_open(world, tenant)
    return [kept, moved, gone, changed, broken]


def leave_a_choice_open(world: World, tenant: Tenant) -> None:
    """Come back as another Zoom user, and decide nothing."""
    another = f"org-{uuid.uuid4().hex[:8]}"
    world.zoom.add_user(another)
    assert "another Zoom account than before" in tenant.connect_zoom(another, choice="")


def refresh(world: World, zoom_user: str) -> None:
    connections = world.databases["auth"]["connections"]
    whose = {"zoom_user_id": zoom_user}
    connections.update_one(whose, {"$set": {"due_at": datetime.now(UTC)}})
    until("a refresh", lambda: connections.find_one({**whose, "tokens.version": {"$gte": 2}}), within=WITHIN)


def connection_of(tenant: Tenant, story: Story) -> str:
    """Return the path of the host's own connection."""
    found = tenant.call("auth-service", "GET", "/v1/zoom/connections")["items"]
    [own] = [connection["id"] for connection in found if connection["host_id"] == story.host_id]
    return f"/v1/zoom/connections/{own}"


def keep_a_mail_waiting(world: World, story: Story) -> None:
    """Have a mail rendered and stored that the mail server does not take, however often it is tried, until it opens."""
    world.system.gate.hold(story.guest_mail, Moment.BEFORE_DATA)
    story.reschedule()
    rendered = {"_id": story.booking["id"], "deliveries.mime": {"$type": "string"}}
    until("the mail stored", lambda: world.databases["notifier"]["correspondence"].find_one(rendered), within=WITHIN)
    world.system.gate.shut()


def send_what_nobody_can_read(world: World) -> None:
    """Have letters die whose bodies hold a way into a meeting, some of it just where they cannot be read."""
    event = json.loads(READY.read_text())
    event["data"]["meeting"] |= {"join_url": [CANARIES[0]], "passcode": {"is": CANARIES[1]}}
    cut = READY.read_bytes().replace(b"482913", CANARIES[1].encode())[:-40]
    for stream in (BOOKING_SERVICE_MEETINGS, NOTIFIER_MEETINGS):
        asyncio.run(send(world.system.urls["rabbitmq"], stream.queue, json.dumps(event).encode(), cut))

    def have_died() -> bool:
        return all(world.databases[name]["dead_letters"].count_documents({}) == 2 for name in ("booking", "notifier"))

    until("the letters kept", have_died, within=WITHIN)


async def send(url: str, queue: str, *bodies: bytes) -> None:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        for body in bodies:
            message = aio_pika.Message(body, content_type=CONTENT_TYPE, message_id=uuid.uuid4().hex)
            await channel.default_exchange.publish(message, queue)


def settings_of(world: World) -> Iterator[str]:
    for service in SERVICES:
        settings = world.system.settings(service)
        for name in SETTINGS:
            yield from (one.partition("=")[2] or one for one in filter(None, [settings.get(name, "")]))


async def _tap(url: str) -> None:
    """Have the broker keep a copy of whatever is published from now on."""
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        queue = await channel.declare_queue(TAP, durable=True)
        await queue.bind(EXCHANGE, "#")


async def _heard(url: str) -> list[bytes]:
    found: list[bytes] = []
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        queue = await channel.get_queue(TAP)
        while message := await queue.get(fail=False):
            found.append(message.body + str(message.headers).encode())
            await message.reject(requeue=False)
        await queue.delete(if_empty=False, if_unused=False)
    return found
