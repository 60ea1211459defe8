"""Four replicas, one database, one Zoom, and owners of connections who want something of any of them."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import httpx

from auth_service.domain.authorizations import AttemptOvertaken, ChoiceExpired, ChoiceMade
from auth_service.domain.connections import ConnectionUnknown, ReauthorizationRequired, ZoomNotConnected
from auth_service.handlers.access_tokens import RefreshPending, fingerprint
from auth_service.zoom import AccessRefused, GrantRefused, ZoomUnavailable
from convoke.mongo import Document
from tests.contract.zoom_sandbox.app_at_zoom import CALLBACK
from tests.faults.crashes.effects import Crash, Effects, Life
from tests.faults.crashes.memory_broker import Queues
from tests.faults.crashes.memory_collection import Stored
from tests.faults.crashes.neighbours import ZOOM, Clock, ZoomInMemory
from tests.faults.races.gates import OPERATION, Gate, Gates, Opened, Operation, Process
from tests.faults.races.ledger import Ledger
from tests.faults.races.replica import Replica
from tests.faults.races.still_loop import StillLoop
from tests.faults.races.zoom_between import BetweenUsAndZoom, Wire

REPLICAS = 4
OWNERS = ("org_1", "org_2")
MOMENT = timedelta(milliseconds=1)
"""Nothing is decided at the same time."""

UNTIL_REST = (0.1, 61, 61, 400, 400)
"""Seconds: leases and the longest pause between two refreshes end within them."""

FORESEEN = (
    ZoomNotConnected,
    ReauthorizationRequired,
    RefreshPending,
    ConnectionUnknown,
    AttemptOvertaken,
    ChoiceExpired,
    ChoiceMade,
    GrantRefused,
    AccessRefused,
    ZoomUnavailable,
    httpx.HTTPError,
)
"""What a caller of auth-service is told, or what Zoom tells the caller."""

Result = TypeVar("Result")


class World:
    """`loop` runs only as far as the gates are open."""

    def __init__(self) -> None:
        self.loop = StillLoop()
        self.clock = Clock()
        self.zoom = ZoomInMemory(self.clock)
        self.gates = Gates()
        self.disks: defaultdict[str, Stored] = defaultdict(Stored)
        self.queues = Queues()
        self.ledger = Ledger(self.clock)
        self.wire = Wire(self.clock, self.ledger, self._consented, self._excuse)
        self.under_way: list[Operation] = []
        self.users: dict[int, str] = {}
        self.replicas = [self._born() for _ in range(REPLICAS)]

    def connect(self, replica: int, owner: str, user_id: str) -> Operation:
        """An owner comes back from Zoom as that user."""
        operation = Operation("connect", owner, replica)
        self.users[id(operation)] = user_id
        return self._begin(operation, self._connect(operation, user_id))

    def disconnect(self, replica: int, owner: str) -> Operation:
        operation = Operation("disconnect", owner, replica)

        async def disconnected() -> None:
            await self.replicas[replica].disconnect(owner)
            self.ledger.answered(operation)

        return self._begin(operation, disconnected())

    def use(self, replica: int, owner: str) -> Operation:
        """Meeting-service wants a token, calls Zoom, and says so where Zoom refuses it."""
        operation = Operation("use", owner, replica)
        return self._begin(operation, self._use(operation))

    def leave_with_meetings(self, replica: int, owner: str) -> Operation:
        """An owner wants the future meetings deleted before Zoom is disconnected."""
        return self._begin(Operation("leave", owner, replica), self.replicas[replica].leave_with_meetings(owner))

    def work(self, replica: int) -> Operation:
        return self._begin(Operation("work", "", replica), self.replicas[replica].work())

    def sweep(self, replica: int) -> None:
        self._begin(Operation("sweep", "", replica), self.replicas[replica].outbox.sweep())

    def uninstall(self, user_id: str, replica: int) -> None:
        """Zoom ends all that a user has allowed; its webhook may come late, and comes twice."""
        for owner in self._owners_of(user_id):
            self.ledger.excuses[owner].append("the app was removed at Zoom")
        self.zoom.sandbox.grants.uninstall(user_id)
        at = self.clock()
        for _ in range(2):
            told = self.replicas[replica].hear_of_removal(user_id, at)
            self._begin(Operation("webhook", "", replica), told)

    def make_due(self, owner: str) -> None:
        """The time has come to renew an owner's tokens."""
        for row in self.connections():
            if row["organization_id"] == owner and row["status"] == "active":
                row["due_at"] = self.clock.now

    def open(self, gate: Gate, how: Opened = "done") -> None:
        """Let one step be taken, which lasts a moment."""
        self.clock.now += MOMENT
        self.gates.open(gate, how)
        self._go_on()

    def drain(self, *, without: int | None = None, also_zoom: bool = False) -> None:
        """Let everything be done that waits for nobody, save by a replica that stands still."""
        while gate := self._next(without, also_zoom=also_zoom):
            self.open(gate)

    def pass_time(self, seconds: float, *, frozen: int | None = None) -> None:
        """No live replica takes a second for a step of its own: only Zoom does, and who stands still."""
        self.drain(without=frozen)
        for operation in self.under_way:
            operation.was_frozen = operation.was_frozen or operation.replica == frozen
        self.clock.now += timedelta(seconds=seconds)
        self.loop.advance(seconds)
        self._go_on()

    def crash(self, replica: int) -> None:
        """A replica dies, and another one is started in its place."""
        self.replicas[replica].process.die()
        for operation in [one for one in self.under_way if one.replica == replica]:
            self._excuse(operation, "a replica died")
            self.under_way.remove(operation)
        self._go_on()
        self.replicas[replica] = self._born()

    def rest(self) -> None:
        """Let everything come to an end, with a Zoom that answers, and have every connection used once more."""
        for seconds in UNTIL_REST:
            self._work_off()
            self.pass_time(seconds)
        for owner in OWNERS * 2:
            self.use(0, owner)
            for seconds in (0.1, 0.1, 5.0):
                self._work_off()
                self.pass_time(seconds)
        self.pass_time(2 * 3600)
        self._work_off()

    def connections(self) -> list[Document]:
        return list(self.disks["connections"].documents.values())

    def close(self) -> None:
        for replica in self.replicas:
            replica.process.die()
        self._go_on()
        self.zoom.sandbox.background.end_all()
        self.loop.close()

    async def _connect(self, operation: Operation, user_id: str) -> None:
        replica = self.replicas[operation.replica]
        sandbox, came_back_at = self.zoom.sandbox, self.clock()
        code = sandbox.grants.authorize(sandbox.users[user_id], CALLBACK, None, "S256")
        await replica.come_back(operation.owner, code, came_back_at)
        self.ledger.renewed(operation)
        self.ledger.connected[operation.owner][came_back_at] = user_id

    async def _use(self, operation: Operation) -> None:
        replica, rejected = self.replicas[operation.replica], None
        for _ in range(2):
            _, token = await replica.token(operation.owner, rejected)
            self.ledger.was_used("handed out", token, operation)
            headers = {"Authorization": f"Bearer {token}"}
            answer = await replica.http.get(f"{ZOOM}/v2/users/me", headers=headers)
            if answer.is_success:
                return
            rejected = fingerprint(token)

    def _begin(self, operation: Operation, wanted: Coroutine[Any, Any, Any]) -> Operation:
        async def begun() -> None:
            OPERATION.set(operation)
            try:
                await wanted
            except (*FORESEEN, Crash):
                pass
            except Exception as error:  # noqa: BLE001 - no caller may get an error that nobody foresaw
                self.ledger.wrong.append(f"{operation.what}: {error!r}")
            finally:
                self._over(operation)

        self.clock.now += MOMENT
        self.under_way.append(operation)
        operation.task = self.loop.create_task(begun())
        self._go_on()
        return operation

    def _over(self, operation: Operation) -> None:
        if operation in self.under_way:
            self.under_way.remove(operation)

    def _excuse(self, operation: Operation, why: str) -> None:
        if operation.has_asked_for_tokens:
            self.ledger.excuses[operation.owner].append(why)

    def _consented(self, operation: Operation) -> None:
        """A consent that was exchanged has ended the other tokens of that Zoom user."""
        user_id = self.users[id(operation)]
        self.ledger.excuses[operation.owner].append("its own new consent is not stored yet")
        operation.excuses_before = len(self.ledger.excuses[operation.owner])
        during = [one for one in self.under_way if one is not operation and self.users.get(id(one)) == user_id]
        ended = {one.owner for one in during} | (self._owners_of(user_id) - {operation.owner})
        for owner in ended:
            self.ledger.excuses[owner].append("the same Zoom user has consented elsewhere")

    def _owners_of(self, user_id: str) -> set[str]:
        of_rows = {row["organization_id"] for row in self.connections() if row["zoom_user_id"] == user_id}
        return of_rows | {one.owner for one in self.under_way if self.users.get(id(one)) == user_id}

    def _work_off(self) -> None:
        self.drain(also_zoom=True)
        for begin in (self.sweep, self.work) * len(OWNERS):
            begin(0)
            self.drain(also_zoom=True)

    def _next(self, without: int | None, *, also_zoom: bool) -> Gate | None:
        able = (gate for gate in self.gates.waiting if gate.operation.replica != without)
        return next((gate for gate in able if also_zoom or not gate.may_be_lost), None)

    def _go_on(self) -> None:
        self.loop.run_until_complete(self.loop.quiet())
        for row in self.connections():
            self.ledger.see(row, self.under_way)

    def _run(self, what: Callable[[], Awaitable[Result]]) -> Result:
        return self.loop.run_until_complete(what())

    def _born(self) -> Replica:
        process = Process(self.gates)
        to_zoom = BetweenUsAndZoom(self.zoom.transport(Life(Effects(is_counting=False))), self.wire, process)
        replica = Replica(self.disks, self.queues, to_zoom, process, self.clock)
        self._run(replica.start)
        return replica
