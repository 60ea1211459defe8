"""What happens to processes: killed, frozen past a lease, restarted; services, broker nodes and database members."""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import psutil

from local_stack.addresses import SERVICES
from local_stack.processes import ProcessDiedError, ProcessError, wait_until
from tests.faults.drill.ledger import Ledger
from tests.faults.drill.stage import REPLICAS, Stage, aside
from tests.support.eventually import eventually

LEASES = {"auth-service": 62.0, "booking-service": 8.0, "meeting-service": 24.0, "notifier": 34.0}
"""Seconds a frozen process sleeps: longer than any lease, or any claim to an outbox, that its service takes."""

_DOWN_FOR = (0.3, 2.0)
_FREE_WITHIN = 20.0


@dataclass
class Processes:
    """Does it to one process at a time, but for those that are frozen; what is down comes back by itself."""

    stage: Stage
    ledger: Ledger
    chance: random.Random
    _busy: set[tuple[str, int]] = field(default_factory=set)
    _returning: set[asyncio.Task[None]] = field(default_factory=set)

    async def kill_one(self, service: str) -> None:
        """End one replica with SIGKILL; it comes back a moment later."""
        replica = await self._one_of_two(service)
        await self._kill(service, replica)
        self._later(self._back(service, replica, after=self.chance.uniform(*_DOWN_FOR)))

    async def kill_all(self, service: str) -> None:
        """End all replicas with SIGKILL at once, frozen ones too; `bring_back` starts them again."""
        await asyncio.gather(*(self._kill(service, replica) for replica in range(REPLICAS)))

    async def bring_back(self, service: str) -> None:
        """Start all replicas that do not run, and return when they work."""
        await asyncio.gather(*(self._back(service, replica) for replica in range(REPLICAS)))

    async def restart(self, service: str) -> None:
        """Ask one replica to end, as a rolling update does, and start it again."""
        replica = await self._one_of_two(service)
        process = self.stage.system.process(service, replica)
        self._busy.add((service, replica))
        pid = process.pid
        await aside(process.stop)
        self.ledger.fault("SIGTERM of a service", f"{service} {replica + 1}, pid {pid} ended: {not process.running}")
        self.ledger.point("H SIGTERM in the middle", f"{service} {replica + 1}, under load")
        self._later(self._back(service, replica))

    async def freeze(self, service: str) -> None:
        """Stop one replica for longer than its leases, and let it go on, believing that it still has them."""
        replica = await self._one_of_two(service)
        self._busy.add((service, replica))
        pid = self.stage.system.process(service, replica).pid
        os.kill(pid, signal.SIGSTOP)
        self._later(self._thaw(service, replica, pid))

    async def kill_broker_node(self) -> None:
        """End one node of the three with SIGKILL, and start it again; the other two go on."""
        number = self.chance.randrange(len(self.stage.rabbitmq.nodes))
        node = self.stage.rabbitmq.nodes[number]
        pid = node.processes[0].pid
        if _environment(pid).get("RABBITMQ_NODENAME") != node.name:
            self.ledger.miss("SIGKILL of a broker node", f"pid {pid} is not {node.name}")
            return
        await aside(node.kill)
        self.ledger.fault("SIGKILL of a broker node", f"{node.name}, pid {pid} gone: {not psutil.pid_exists(pid)}")
        await asyncio.sleep(self.chance.uniform(*_DOWN_FOR))
        await aside(node.start)
        await self._whole(self.stage.rabbitmq.is_whole, "the RabbitMQ cluster")

    async def kill_primary(self) -> None:
        """End MongoDB's primary with SIGKILL; another is elected, and the dead one comes back as its follower."""
        primary = await aside(self.stage.mongodb.primary)
        if primary is None:
            self.ledger.miss("SIGKILL of the primary", "there is none")
            return
        pid = primary.processes[0].pid
        await aside(primary.kill)
        self.ledger.fault(
            "SIGKILL of the primary", f"port {primary.port}, pid {pid} gone: {not psutil.pid_exists(pid)}"
        )
        await self._whole(lambda: self.stage.mongodb.primary() is not None, "a new primary")
        await aside(primary.start)
        await self._whole(self.stage.mongodb.is_whole, "the replica set")

    async def step_down(self) -> None:
        """Make MongoDB's primary hand over."""
        before = await aside(self.stage.mongodb.primary)
        if not await aside(self.stage.mongodb.step_down):
            self.ledger.miss("step-down of the primary", "it would not")
            return
        await self._whole(lambda: self.stage.mongodb.primary() is not None, "a new primary")
        after = await aside(self.stage.mongodb.primary)
        ports = [member.port if member else None for member in (before, after)]
        self.ledger.fault("step-down of the primary", f"from port {ports[0]} to {ports[1]}")

    async def all_back(self) -> None:
        """Return when everything that was killed or frozen runs again."""
        while self._returning:
            await asyncio.gather(*self._returning)
        for service in SERVICES:
            await self.bring_back(service)

    def end(self) -> None:
        """Let nothing that is frozen stay so: a stopped process cannot end."""
        for service, replica in self._busy:
            with contextlib.suppress(ProcessError, ProcessLookupError):
                os.kill(self.stage.system.process(service, replica).pid, signal.SIGCONT)

    async def _one_of_two(self, service: str) -> int:
        """Return a replica beside which another works; raises AssertionError where there is none for long."""
        await eventually(lambda: not any(service == busy for busy, _ in self._busy), within=_FREE_WITHIN, every=0.1)
        return self.chance.randrange(REPLICAS)

    async def _kill(self, service: str, replica: int) -> None:
        process = self.stage.system.process(service, replica)
        if not process.running:
            return
        pid = process.pid
        self._busy.add((service, replica))
        await aside(process.kill)
        self.ledger.fault(
            f"SIGKILL of {service}", f"replica {replica + 1}, pid {pid} gone: {not psutil.pid_exists(pid)}"
        )

    async def _back(self, service: str, replica: int, *, after: float = 0.0) -> None:
        await asyncio.sleep(after)
        try:
            await aside(self.stage.system.start_again, service, replica)
        except ProcessDiedError:  # killed again on its way back: who did that brings it back
            return
        self._busy.discard((service, replica))

    async def _thaw(self, service: str, replica: int, pid: int) -> None:
        await asyncio.sleep(LEASES[service])
        process = self.stage.system.process(service, replica)
        if process.running and process.pid == pid and psutil.Process(pid).status() == psutil.STATUS_STOPPED:
            os.kill(pid, signal.SIGCONT)
            self.ledger.fault(
                "SIGSTOP longer than a lease", f"{service} {replica + 1}, pid {pid}, {LEASES[service]:g} s"
            )
            self.ledger.point(f"D0/B5/H {service} frozen past its leases", f"pid {pid} went on")
            self._busy.discard((service, replica))
        else:
            self.ledger.miss(f"SIGSTOP of {service}", "it was killed meanwhile")

    async def _whole(self, is_whole: Any, name: str) -> None:
        await aside(lambda: wait_until(is_whole, name=name, within=60))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)


def _environment(pid: int) -> dict[str, str]:
    return psutil.Process(pid).environ()
