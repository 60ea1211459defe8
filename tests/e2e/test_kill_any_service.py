"""SIGKILL of any one service at any moment of a booking's story ends, once it runs again, in the right state.

For each service fourteen stories are brought to a moment of their own and held there, so that one kill meets them
all. All four services are killed first, one after another, and only then followed to the end: a lease that a dead
notifier holds takes half a minute to pass, and so passes while the others are looked at.
"""

import functools
import random
import sys

import pytest

from local_stack import environment
from local_stack.addresses import SERVICES
from tests.e2e.checker import at_rest, orphans, settled
from tests.e2e.mail_gate import Moment as MailMoment
from tests.e2e.moments import HELD_SECONDS, Moment, moments
from tests.e2e.story import Story
from tests.e2e.waiting import until
from tests.e2e.world import World

# The first test starts the system and waits for all four kills; a dead notifier's lease alone lasts 30 s.
pytestmark = pytest.mark.timeout(240)

LONGEST_RECOVERY = 75.0
"""Seconds: the notifier's lease of 30, the back-off of whoever waited for it, and a busy machine."""

WITHIN = 60.0

FOLLOWED = ["meeting-service", "auth-service", "booking-service", "notifier"]


@pytest.fixture(scope="module")
def seed() -> str:
    """Return the source of all chance; every failure names it, and CONVOKE_TESTS_SEED repeats a run."""
    chosen = environment.given("CONVOKE_TESTS_SEED") or str(random.SystemRandom().randrange(10**9))
    sys.stderr.write(f"\nCONVOKE_TESTS_SEED={chosen}\n")
    return chosen


@pytest.fixture(scope="module")
def killed(shared_world: World, seed: str) -> dict[str, list[Moment]]:
    """Kill each service once, with a story at every moment, and start it again."""
    shared_world.heal()
    return {service: _kill(shared_world, service, seed) for service in reversed(FOLLOWED)}


@pytest.mark.parametrize("service", FOLLOWED)
def test_killed_at_any_moment_and_started_again_everything_ends_right(
    service: str, world: World, killed: dict[str, list[Moment]]
):
    """Every story goes on to its end; half of them are cancelled there, the others keep their meeting."""
    told = killed[service]
    stories = [moment.story for moment in told]
    settled(world, [story.expected for story in stories], within=LONGEST_RECOVERY)
    moving = [story for story in stories if not story.is_canceled]
    for story in moving:
        story.reschedule()
    settled(world, [story.expected for story in stories], within=WITHIN)
    for story in moving[::2]:
        story.cancel()
    settled(world, [story.expected for story in stories], within=WITHIN)


def test_what_a_dead_process_had_stored_and_not_published_is_published_when_it_runs_again(world: World):
    """The broker stands still when each service stores something to tell; then all four die at once."""
    names = ("booked", "connected", "made at Zoom", "mailed")
    booked, connected, made, mailed = (Story(world, f"{name}, its event not out") for name in names)
    for story in (booked, connected, made, mailed):
        story.connected()
    connected.deauthorized()
    hold = world.system.gate.hold(mailed.guest_mail, MailMoment.BEFORE_ANSWER)
    world.zoom.fault("create_meeting", "slow", delay_seconds=4, user_id=made.zoom_user)
    for story in (connected, mailed, made):
        story.book()
    until("the mail at the server", hold.reached.is_set)
    until("the missing connection", connected.waits)
    until("the call at Zoom", lambda: world.zoom.unanswered("create_meeting", made.zoom_user))
    world.pause_broker()
    booked.book()
    connected.connected()
    world.system.gate.release()
    for database, collection, mark in (
        ("booking", "sessions", booked.booking["session_id"]),
        ("auth", "connections", connected.host_id),
        ("meeting", "meetings", made.booking["session_id"]),
        ("notifier", "correspondence", mailed.booking["id"]),
    ):
        until(f"an event of {database}", functools.partial(world.unpublished, database, collection, mark))
    for service in SERVICES:
        world.system.kill(service)
    world.resume_broker()
    for service in SERVICES:
        world.system.start_again(service)
    settled(world, [story.expected for story in (booked, connected, made, mailed)], within=LONGEST_RECOVERY)
    at_rest(world, within=LONGEST_RECOVERY)
    assert [line["what"] for line in mailed.timeline()].count("mail_accepted") == 2


def test_a_mail_whose_answer_died_with_the_notifier_comes_twice_the_same(world: World, killed: dict[str, list[Moment]]):
    """Nobody can know whether it was taken (RFC 1047): the copy has the same Message-ID and the same bytes."""
    [story] = [moment.story for moment in killed["notifier"] if "its 250 unsaid" in moment.name]
    first, second = world.mails.mails(story.host_mail)[:2]
    assert first.raw == second.raw


def test_every_service_was_killed(killed: dict[str, list[Moment]]):
    """A drill that kills nothing would pass as well."""
    assert set(killed) == set(SERVICES)
    assert all(len(stories) == 14 for stories in killed.values())


def test_afterwards_nothing_waits_and_no_meeting_is_nobodys(world: World, killed: dict[str, list[Moment]]):
    """What is at rest stays as it is: no second meeting or mail comes late."""
    at_rest(world)
    assert orphans(world) == []
    settled(world, [moment.story.expected for stories in killed.values() for moment in stories], within=WITHIN)


def _kill(world: World, service: str, seed: str) -> list[Moment]:
    chance = random.Random(f"{seed} {service}")  # noqa: S311 - chance, not secrecy
    stories = moments(world, f"seed {seed}: {service}", chance)
    _come_to_rest_before(world, stories)
    for moment in stories:
        moment.reach(moment)
    assert all(moment.is_there() for moment in stories)
    process = world.system.process(service)
    pid = process.pid
    world.system.kill(service)
    assert not process.running
    for moment in stories:
        for act in moment.while_down:
            moment.begin(act)
    world.system.start_again(service)
    assert process.pid != pid
    world.system.gate.release()
    world.zoom.advance_clock(HELD_SECONDS)  # what is held at Zoom is released too
    for moment in stories:
        moment.join()
    return stories


def _come_to_rest_before(world: World, stories: list[Moment]) -> None:
    for step in range(max(len(moment.before) for moment in stories)):
        acting = [moment for moment in stories if step < len(moment.before)]
        for moment in acting:
            moment.act(moment.before[step])
        _settled_or_waiting(world, [moment.story for moment in acting if moment.story.booking])


def _settled_or_waiting(world: World, stories: list[Story]) -> None:
    settled(world, [story.expected for story in stories if story.is_connected], within=WITHIN)
    for story in stories:
        if not story.is_connected:
            until(f"{story.name} waiting", story.waits, within=WITHIN)
