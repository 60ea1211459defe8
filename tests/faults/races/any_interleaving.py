"""Whatever is wanted of whichever replica, and in whatever order its steps are taken: hypothesis chooses."""

from typing import ClassVar

from hypothesis import strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.faults.races.gates import Operation
from tests.faults.races.verdict import broken
from tests.faults.races.world import OWNERS, REPLICAS, World

MOST_UNDER_WAY = 6
AT_MOST = 30
"""Steps: more than any operation has that waits for no other."""

SECONDS = (0.1, 2.0, 12.0, 30.0, 61.0, 400.0, 3000.0)

replicas = strategies.integers(0, REPLICAS - 1)
owners = strategies.sampled_from((OWNERS[0], *OWNERS))
users = strategies.sampled_from(("host-1", "host-1", "host-2"))
number = strategies.integers(0, 11)
at_once = strategies.booleans()
disturbances = strategies.sampled_from(
    (
        *["a replica stands still past its leases"] * 4,
        *["an answer is lost"] * 3,
        "a replica dies",
        "the app is removed at Zoom",
        *["nothing"] * 3,
    )
)


class AnyInterleaving(RuleBasedStateMachine):
    """Each rule begins something, lets one step of it be taken, or disturbs; at the end all comes to rest."""

    examples: ClassVar[int] = 0
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        AnyInterleaving.examples += 1

    def _may_begin(self) -> bool:
        return len(self.world.under_way) < MOST_UNDER_WAY

    def _has_gates(self) -> bool:
        return bool(self.world.gates.waiting)

    @initialize(
        first=strategies.sampled_from(("refresh", "refresh", "connect", "use")), steps=strategies.integers(0, 7)
    )
    def begun(self, first: str, steps: int) -> None:
        """Zoom is connected, and somebody is in the middle of something."""
        world, owner = self.world, OWNERS[0]
        world.connect(0, owner, "host-1")
        world.drain(also_zoom=True)
        world.make_due(owner)
        match first:
            case "refresh":
                operation = world.work(1)
            case "connect":
                operation = world.connect(1, owner, "host-1")
            case _:
                operation = world.use(1, owner)
        self._take(operation, steps)

    @precondition(_may_begin)
    @rule(replica=replicas, owner=owners, user_id=users, at_once=at_once)
    def connect(self, replica: int, owner: str, user_id: str, at_once: bool) -> None:  # noqa: FBT001
        self._begin(self.world.connect(replica, owner, user_id), at_once=at_once)

    @precondition(_may_begin)
    @rule(replica=replicas, owner=owners, at_once=at_once, meetings_first=strategies.sampled_from((False, False, True)))
    def disconnect(self, replica: int, owner: str, at_once: bool, meetings_first: bool) -> None:  # noqa: FBT001
        begin = self.world.leave_with_meetings if meetings_first else self.world.disconnect
        self._begin(begin(replica, owner), at_once=at_once)

    @precondition(_may_begin)
    @rule(replica=replicas, owner=owners, at_once=at_once)
    def use(self, replica: int, owner: str, at_once: bool) -> None:  # noqa: FBT001
        self._begin(self.world.use(replica, owner), at_once=at_once)

    @precondition(_may_begin)
    @rule(replica=replicas, owner=owners, at_once=at_once)
    def refresh(self, replica: int, owner: str, at_once: bool) -> None:  # noqa: FBT001
        self.world.make_due(owner)
        self._begin(self.world.work(replica), at_once=at_once)

    @precondition(_has_gates)
    @rule(which=number)
    def step(self, which: int) -> None:
        """One operation takes one step while all others wait."""
        self._go_on(which, 1)

    @precondition(_has_gates)
    @rule(which=number, steps=strategies.integers(2, 6))
    def go_on(self, which: int, steps: int) -> None:
        self._go_on(which, steps)

    @precondition(_has_gates)
    @rule(which=number)
    def finish(self, which: int) -> None:
        self._go_on(which, AT_MOST)

    @rule(seconds=strategies.sampled_from(SECONDS))
    def pass_time(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(what=disturbances, which=number)
    def disturb(self, what: str, which: int) -> None:
        world, replica = self.world, which % REPLICAS
        may_be_lost = [gate for gate in world.gates.waiting if gate.may_be_lost]
        match what:
            case "an answer is lost" if may_be_lost:
                world.open(may_be_lost[which % len(may_be_lost)], "lost")
            case "a replica stands still past its leases":
                world.pass_time(61.0, frozen=replica)
            case "a replica dies":
                world.crash(replica)
            case "the app is removed at Zoom":
                world.uninstall("host-1", replica)

    def _begin(self, operation: Operation, *, at_once: bool) -> None:
        if at_once:
            self._take(operation, AT_MOST)

    def _go_on(self, which: int, steps: int) -> None:
        waiting = self.world.gates.waiting
        self._take(waiting[which % len(waiting)].operation, steps)

    def _take(self, operation: Operation, steps: int) -> None:
        waiting = self.world.gates.waiting
        for _ in range(steps):
            if gate := next((one for one in waiting if one.operation is operation), None):
                AnyInterleaving.steps += 1
                self.world.open(gate)

    def teardown(self) -> None:
        try:
            self.world.rest()
            wrong = broken(self.world)
            assert not wrong, "\n".join(wrong)
        finally:
            self.world.close()
