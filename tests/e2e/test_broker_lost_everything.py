"""RabbitMQ loses its disk with everything that it had confirmed: an operator has it told again, and all ends right.

One service is down at the time, so that what the others have told it lies in the broker alone.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import pytest

from local_stack.addresses import SERVICES
from tests.e2e.checker import Expected, at_rest, settled, violations, waiting
from tests.e2e.mail_gate import Moment
from tests.e2e.story import Story
from tests.e2e.waiting import until
from tests.e2e.world import CommandsHere, World

# The first test also starts the system; each starts a broker.
pytestmark = pytest.mark.timeout(240)

WITHIN = 60.0


class Stories:
    """One that is over before anything breaks, one to be moved, one to be cancelled, one cut off from Zoom, one new."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.over, self.moved, self.gone, self.cut_off, self.new = self.all = [
            Story(world, f"{name} when the broker was lost").connected()
            for name in ("over", "moved", "cancelled", "connected again", "booked")
        ]
        self.cut_off.deauthorized()
        for story in self.all[:4]:
            story.book()
        settled(world, [story.expected for story in self.all[:3]], within=WITHIN)
        until("the missing connection", self.cut_off.waits)
        until("all told and heard before one is deaf", lambda: _is_quiet(world))

    @property
    def expected(self) -> list[Expected]:
        return [story.expected for story in self.all]

    def untold_to_meeting_service(self) -> None:
        self._world.system.kill("meeting-service")
        self.moved.reschedule()
        self.gone.cancel()
        self.new.book()
        self.cut_off.connected()

    def untold_to_notifier(self) -> None:
        self._world.system.kill("notifier")
        self.moved.reschedule()
        self.gone.cancel()
        self.new.book()
        self.cut_off.connected()
        for story in (self.moved, self.cut_off, self.new):
            until(f"{story.name}: the link", partial(_meeting_is, "ready", story))
        until("the meeting deleted", partial(_meeting_is, "canceled", self.gone))

    def untold_to_booking_service(self) -> None:
        """It goes down while a mail leaves, and before a link comes."""
        mail = self._world.system.gate.hold(self.new.guest_mail, Moment.BEFORE_DATA)
        self.new.book()
        until("the mail at the server", mail.reached.is_set)
        self._world.system.kill("booking-service")
        self._world.system.gate.release()
        self.cut_off.connected()
        for person in (self.new.guest_mail, self.cut_off.guest_mail):
            until(f"the mail to {person}", partial(self._world.mails.mails, person))


def _meeting_is(status: str, story: Story) -> bool:
    return bool(story.now()["meeting"]["status"] == status)


UNTOLD: dict[str, Callable[[Stories], None]] = {
    "meeting-service": Stories.untold_to_meeting_service,
    "notifier": Stories.untold_to_notifier,
    "booking-service": Stories.untold_to_booking_service,
}


@pytest.mark.parametrize("deaf", UNTOLD)
def test_what_only_the_lost_broker_had_is_told_again_and_nothing_is_doubled(deaf: str, world: World):
    """Told again twice, from before the first booking: every booking is ready, with one meeting and each mail once."""
    since = datetime.now(UTC)
    stories = Stories(world)
    UNTOLD[deaf](stories)
    until("all that is told, in the broker", lambda: _is_in_broker_alone(world, deaf))
    world.lose_broker()
    world.system.start_again(deaf)
    assert list(violations(world, stories.expected)), "nothing was lost, so nothing is shown"
    for _ in range(2):
        _tell_again(world, since)
    settled(world, stories.expected, within=WITHIN)
    at_rest(world, within=WITHIN)
    for story in stories.all:
        lines = [line["what"] for line in story.timeline()]
        assert lines.count("mail_accepted") == 2 * len(story.methods or ()), (story.name, lines)


def test_the_system_goes_on_with_the_new_broker(world: World):
    story = Story(world, "after the broker was lost").connected()
    story.book()
    settled(world, [story.expected], within=WITHIN)


def _is_quiet(world: World) -> bool:
    left = [line for line in waiting(world.databases, world.system.urls["rabbitmq"]) if " is due " not in line]
    assert not left, left
    return True


def _is_in_broker_alone(world: World, deaf: str) -> bool:
    left = list(waiting(world.databases, world.system.urls["rabbitmq"]))
    assert not [line for line in left if "outboxes" in line], left
    return any(f"messages are in {deaf}." in line for line in left)


def _tell_again(world: World, since: datetime) -> None:
    for service in SERVICES:
        said = CommandsHere(world.system).command(service, "outbox", "replay", "--since", since.isoformat())
        assert "told again" in said
