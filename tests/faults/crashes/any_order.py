"""The same world, driven in any order: hypothesis chooses what happens next, and looks for the shortest way to harm."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import ClassVar

from hypothesis import strategies
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from booking_service.domain.refusals import Refused
from convoke.contracts import ZoomMeetingChanged
from convoke.contracts.topology import TOPOLOGY
from tests.faults.crashes.client import Booked, Client
from tests.faults.crashes.effects import HOWS, Crash, Fault, How
from tests.faults.crashes.invariants import broken
from tests.faults.crashes.neighbours import CONNECTION
from tests.faults.crashes.scenarios import connect, disconnect
from tests.faults.crashes.world import World
from zoom_sandbox.faults import FaultKind, OperationName

MOST_BOOKINGS = 3
APART = timedelta(hours=8)

OPERATIONS: tuple[OperationName, ...] = (
    "create_meeting",
    "update_meeting",
    "delete_meeting",
    "get_meeting",
    "list_meetings",
)
KINDS = (
    FaultKind.ANSWER_LOST,
    FaultKind.LATE_COMMIT,
    FaultKind.STATUS_AFTER_COMMIT,
    FaultKind.DOWN,
    FaultKind.STATUS,
    FaultKind.RATE_LIMITED_SECOND,
    FaultKind.RATE_LIMITED_HOST,
)
SECONDS = (1, 4, 6, 16, 25, 40, 130, 910)

number = strategies.integers(0, 11)


class AnyOrder(RuleBasedStateMachine):
    """Each rule is one thing that may happen; at the end all is healed, comes to rest, and is checked."""

    steps: ClassVar[int] = 0
    examples: ClassVar[int] = 0
    crashes: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = self.loop.run_until_complete(World.begun())
        self.client = Client(self.world)
        self.users = {"host-1"}
        self.last_user = "host-1"
        AnyOrder.examples += 1

    @precondition(lambda self: len(self.client.booked) < MOST_BOOKINGS)
    @rule()
    def book(self) -> None:
        self._do(lambda: self.client.book(timedelta(hours=48) + APART * len(self.client.booked)))

    @precondition(lambda self: self._scheduled())
    @rule(which=number)
    def reschedule(self, which: int) -> None:
        self._do(lambda: self.client.reschedule(self._chosen(which)))

    @precondition(lambda self: self._scheduled())
    @rule(which=number)
    def cancel(self, which: int) -> None:
        self._do(lambda: self.client.cancel(self._chosen(which)))

    @precondition(lambda self: not self.world.queues.is_empty())
    @rule(which=number, position=number, leave_copy=strategies.booleans())
    def deliver(self, which: int, position: int, leave_copy: bool) -> None:  # noqa: FBT001 - hypothesis gives it
        """Any message that is under way, in any order, and perhaps once more later."""
        waiting = self.world.queues.waiting
        queues = [stream.queue for stream in TOPOLOGY if waiting[stream.queue]]
        queue = queues[which % len(queues)]
        at = position % len(waiting[queue])
        self._do(lambda: self.world.around.broker.deliver(queue, at=at, leave_copy=leave_copy))

    @rule()
    def work(self) -> None:
        self._do(self.world.services.work_once)

    @rule()
    def sweep(self) -> None:
        self._do(self.world.services.sweep)

    @rule(at=strategies.integers(1, 25), how=strategies.sampled_from(HOWS))
    def let_fail(self, at: int, how: How) -> None:
        """A process dies or stands still at one of the effects to come."""
        self.world.effects.faults[:] = [Fault(at, how)]
        self.world.effects.since_fault = 0

    @rule(seconds=strategies.sampled_from(SECONDS))
    def pass_time(self, seconds: int) -> None:
        self._do(lambda: self.world.pass_time(timedelta(seconds=seconds)))

    @rule(seconds=strategies.sampled_from(SECONDS))
    def rest(self, seconds: int) -> None:
        self._do(lambda: self.world.rest(timedelta(seconds=seconds)))

    @rule(
        operation=strategies.sampled_from(OPERATIONS),
        kind=strategies.sampled_from(KINDS),
        late=strategies.sampled_from((5, 60)),
    )
    def zoom_fails(self, operation: OperationName, kind: FaultKind, late: int) -> None:
        self.world.zoom.order(operation, kind, delay_seconds=late if kind is FaultKind.LATE_COMMIT else 0)

    @rule(which=number, webhooks=strategies.integers(0, 2), deletes=strategies.booleans())
    def host_changes(self, which: int, webhooks: int, deletes: bool) -> None:  # noqa: FBT001 - hypothesis gives it
        """The host moves or deletes a meeting inside Zoom; the webhook is dropped, relayed or doubled."""
        living = [meeting for meeting in self.world.zoom.meetings() if not meeting.deleted]
        if not living:
            return
        meeting = living[which % len(living)]
        if deletes:
            meeting.deleted = True
        else:
            meeting.start_time += timedelta(minutes=30)
        change = ZoomMeetingChanged(
            connection_ids=(CONNECTION,), zoom_meeting_id=meeting.id, change="deleted" if deletes else "updated"
        )
        for _ in range(webhooks):
            self._do(lambda: self.world.publish(change, CONNECTION))

    @precondition(lambda self: self.world.connected.user_id)
    @rule()
    def disconnect(self) -> None:
        self._do(lambda: disconnect(self.client))

    @precondition(lambda self: self.world.connected.user_id is None)
    @rule(user_id=strategies.sampled_from(("host-1", "host-1", "host-2")))
    def connect(self, user_id: str) -> None:
        previous = self.last_user if user_id != self.last_user else None
        self.users.add(user_id)
        self.last_user = user_id
        self._do(lambda: connect(self.client, user_id, previous))

    def teardown(self) -> None:
        try:
            wrong = self.loop.run_until_complete(self._healed())
            assert not wrong, "\n".join(wrong)
        finally:
            self.world.zoom.sandbox.background.end_all()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.world.zoom.time_passed()
            self.loop.close()

    async def _healed(self) -> list[str]:
        """Mend everything, let it come to rest, and return what does not hold."""
        world = self.world
        world.effects.faults.clear()
        world.zoom.sandbox.faults.ordered.clear()
        if world.connected.user_id is None:
            await connect(self.client, self.last_user, None)
        for booking in self.client.booked:
            booking.former_users = sorted(self.users - {self.last_user})
        await world.rest()
        for _ in range(2):  # what no webhook told is found by a scan; what a look restored is not asked for twice
            await world.services.scans.make_due({}, world.clock())
            await world.rest(timedelta(hours=13))
        AnyOrder.crashes += world.restarts
        return broken(world, self.client.booked)

    def _do(self, what: Callable[[], Awaitable[object]]) -> None:
        self.loop.run_until_complete(self._done(what))

    async def _done(self, what: Callable[[], Awaitable[object]]) -> None:
        AnyOrder.steps += 1
        try:
            await what()
            await self.world.settled()
        except Crash:
            await self.world.restart()
        except Refused:  # the host's time is taken: nothing was promised
            pass

    def _scheduled(self) -> list[Booked]:
        return [booking for booking in self.client.booked if not booking.is_canceled]

    def _chosen(self, which: int) -> Booked:
        scheduled = self._scheduled()
        return scheduled[which % len(scheduled)]
