"""Moments of a booking's story at which a process can be killed: each brings a story there and holds it."""

import functools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.e2e.mail_gate import Moment as MailMoment
from tests.e2e.story import Story
from tests.e2e.waiting import until
from tests.e2e.world import World

HELD_SECONDS = 9.0
"""How long Zoom takes over a held call: long enough to bring all stories to their moments, less than our time-out."""

CHANCE_SECONDS = 0.4
"""Longer than a step of the story takes."""

Reach = Callable[["Moment"], None]


@dataclass
class Moment:
    """A story on its way to one moment.

    `before` acts come to rest first; `reach` returns when the moment is there; `is_there` tells whether it still
    is; `while_down` happens while the killed process is away.
    """

    world: World
    story: Story
    reach: Reach = lambda _: None
    before: tuple[str, ...] = ()
    while_down: tuple[str, ...] = ()
    is_there: Callable[[], bool] = lambda: True
    running: list[threading.Thread] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.story.name

    def act(self, name: str) -> None:
        getattr(self.story, name)()

    def begin(self, name: str, *, after: float = 0) -> None:
        """Act without waiting for the answer, `after` seconds from now."""

        def later() -> None:
            time.sleep(after)  # chance decides what the kill meets
            self.act(name)

        thread = threading.Thread(target=later, daemon=True)
        self.running.append(thread)
        thread.start()

    def join(self) -> None:
        for thread in self.running:
            thread.join(60)
            if thread.is_alive():
                raise AssertionError(f"{self.name}: a request was never answered")


def moments(world: World, label: str, chance: random.Random) -> list[Moment]:
    """Return all moments, each with a new story; those by chance fall where `chance` says."""

    def moment(
        name: str, reach: Reach = lambda _: None, before: tuple[str, ...] = (), while_down: tuple[str, ...] = ()
    ) -> Moment:
        return Moment(world, Story(world, f"{label} killed {name}").connected(), reach, before, while_down)

    def by_chance(act: str, before: tuple[str, ...] = ()) -> Moment:
        into = chance.uniform(0, CHANCE_SECONDS)
        return moment(f"{into:.3f} s into {act}", lambda it: it.begin(act, after=CHANCE_SECONDS - into), before)

    just_connected = Story(world, f"{label} killed just when Zoom is connected again")
    connecting = Story(world, f"{label} killed while Zoom is being connected again")
    waiting = ("connected", "deauthorized", "book")
    return [
        moment("before the booking", while_down=("book",)),
        Moment(world, just_connected, lambda it: it.act("connected"), waiting),
        moment("when the link is there and no mail", _in_mail(MailMoment.BEFORE_DATA, "book")),
        moment("when the mail is stored, its 250 unsaid", _in_mail(MailMoment.BEFORE_ANSWER, "book")),
        Moment(world, connecting, _in_call("token", "connected"), waiting),
        moment("while Zoom makes the meeting", _in_call("create_meeting", "book")),
        moment("while Zoom moves the meeting", _in_call("update_meeting", "reschedule"), before=("book",)),
        moment("while Zoom deletes the meeting", _in_call("delete_meeting", "cancel"), before=("book",)),
        *(by_chance("book") for _ in range(3)),
        by_chance("reschedule", before=("book",)),
        by_chance("cancel", before=("book", "reschedule")),
        moment("right after the 201", _last),
    ]


def _in_call(operation: str, act: str) -> Reach:
    def reach(it: Moment) -> None:
        unanswered = functools.partial(it.world.zoom.unanswered, operation, it.story.zoom_user)
        it.world.zoom.fault(operation, "slow", delay_seconds=HELD_SECONDS, user_id=it.story.zoom_user)
        it.begin(act)
        until(f"{operation} for {it.name}", unanswered)
        it.is_there = unanswered

    return reach


def _in_mail(moment: MailMoment, act: str) -> Reach:
    def reach(it: Moment) -> None:
        hold = it.world.system.gate.hold(it.story.host_mail, moment)
        it.begin(act)
        until(f"the mail of {it.name}", hold.reached.is_set)

    return reach


def _last(it: Moment) -> None:
    time.sleep(CHANCE_SECONDS)  # the moments by chance lie in here
    it.act("book")
