"""A MongoDB replica set of our own on this machine: what a majority confirmed outlives any one of its three members."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from local_stack.mongodb import REPLICA_SET, MongoDB, direct_client
from local_stack.processes import ChildProcess, wait_until

ELECTION_MILLISECONDS = 2_000
"""How long members wait for a silent primary; MongoDB's own 10,000 would make a drill of elections a drill of waits."""

_ALREADY_INITIALIZED = 23


class MongoDBReplicaSet:
    """Three members with their data in `folder`.

    `addresses` are those at which the members are reached by clients and by each other, where these are not their
    own: a proxy's, for instance.
    """

    def __init__(self, folder: Path, *, ports: Sequence[int], addresses: Sequence[str] | None = None) -> None:
        self.members = [
            MongoDB(folder / f"member{number}", port=port, name=f"mongodb-{number}")
            for number, port in enumerate(ports, 1)
        ]
        self.addresses = list(addresses or (f"127.0.0.1:{port}" for port in ports))

    @property
    def url(self) -> str:
        return f"mongodb://{','.join(self.addresses)}/?replicaSet={REPLICA_SET}"

    @property
    def processes(self) -> tuple[ChildProcess, ...]:
        return tuple(process for member in self.members for process in member.processes)

    def start(self) -> None:
        """Start all and return when there is a primary with two secondaries; raises ProcessError."""
        with ExitStack() as undo:
            undo.callback(self.kill)
            for member in self.members:
                member.start()
            wait_until(self._initiated, name="the first member", within=60)
            wait_until(self.is_whole, name="the replica set", within=60)
            undo.pop_all()

    def kill(self) -> None:
        """End all members with SIGKILL."""
        for process in self.processes:
            process.kill()

    def is_whole(self) -> bool:
        """Tell whether one member is the primary and all others follow it."""
        states = sorted(state for member in self.members if (state := self._hello(member)))
        return states == ["primary", *["secondary"] * (len(self.members) - 1)]

    def primary(self) -> MongoDB | None:
        """Return the member that takes writes, None while there is none."""
        return next((member for member in self.members if self._hello(member) == "primary"), None)

    def step_down(self, *, seconds: int = 10) -> bool:
        """Make the primary hand over for so many seconds; False where there is none or it may not."""
        primary = self.primary()
        if primary is None:
            return False
        with closing(_direct(primary)) as client:
            try:
                client.admin.command("replSetStepDown", seconds, secondaryCatchUpPeriodSecs=5)
            except PyMongoError:
                return False
        return True

    def _initiated(self) -> bool:
        members = [{"_id": number, "host": address} for number, address in enumerate(self.addresses)]
        settings = {"electionTimeoutMillis": ELECTION_MILLISECONDS, "heartbeatIntervalMillis": 500}
        with closing(_direct(self.members[0])) as client:
            try:
                client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members, "settings": settings})
            except OperationFailure as refused:
                return refused.code == _ALREADY_INITIALIZED
            except PyMongoError:
                return False
        return True

    @staticmethod
    def _hello(member: MongoDB) -> str | None:
        if not member.processes[0].running:
            return None
        with closing(_direct(member)) as client:
            try:
                hello = client.admin.command("hello")
            except PyMongoError:
                return None
        return "primary" if hello["isWritablePrimary"] else "secondary" if hello["secondary"] else None


def _direct(member: MongoDB) -> MongoClient[dict[str, Any]]:
    return direct_client("127.0.0.1", member.port)
