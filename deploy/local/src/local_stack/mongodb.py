"""A mongod of our own as a replica set of one: what the services need, without a cluster."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure

from local_stack import environment, installed
from local_stack.processes import ChildProcess, free_port

REPLICA_SET = "convoke"
_CACHE_GB = "0.25"
_NOT_YET_INITIALIZED = 94
_INVALID_CONFIGURATION = 93


class MongoDB:
    """One server with its data in `folder`."""

    def __init__(self, folder: Path, *, port: int | None = None, detached: bool = False, name: str = "mongodb") -> None:
        self.folder = folder.absolute()
        self.port = port or free_port()
        self._server = ChildProcess(
            name,
            self._command(installed.mongod()),
            environment=environment.inherited(),
            log=self.folder / "mongodb.log",
            detached=detached,
        )

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/?replicaSet={REPLICA_SET}"

    @property
    def processes(self) -> tuple[ChildProcess, ...]:
        return (self._server,)

    def start(self) -> None:
        """Start the server and return at once; it uses the data that its folder already has."""
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        self._server.start()

    def wait_until_ready(self, *, within: float = 60) -> None:
        """Return once the server is the primary of its replica set; raises ProcessError."""
        with direct_client("127.0.0.1", self.port) as client:
            self._server.wait_until(
                lambda: primary_of_one(client, f"127.0.0.1:{self.port}"),
                within=within,
            )

    def stop(self) -> None:
        self._server.stop()

    def kill(self) -> None:
        """End the server with SIGKILL, as a power cut would."""
        self._server.kill()

    def _command(self, binary: Path) -> list[str]:
        return [
            *(str(binary), "--quiet", "--nounixsocket", "--bind_ip", "127.0.0.1", "--port", str(self.port)),
            *("--dbpath", str(self.folder / "data"), "--wiredTigerCacheSizeGB", _CACHE_GB),
            *("--replSet", REPLICA_SET, "--setParameter", "diagnosticDataCollectionEnabled=false"),
        ]


def direct_client(host: str, port: int) -> MongoClient[dict[str, Any]]:
    """Return a client of this one server, whatever the replica set says about itself."""
    return MongoClient(host, port, directConnection=True, serverSelectionTimeoutMS=500)


def primary_of_one(client: MongoClient[dict[str, Any]], address: str) -> bool:
    """Tell whether the server is a primary that accepts writes; make it a replica set of one where it is none yet.

    `address` is how clients reach the server: a set that remembers another address of it is told the new one.
    """
    try:
        if client.admin.command("hello")["isWritablePrimary"]:
            return True
        _put_into_set(client, address)
    except ConnectionFailure:
        return False
    return False


def _put_into_set(client: MongoClient[dict[str, Any]], address: str) -> None:
    members = [{"_id": 0, "host": address}]
    try:
        client.admin.command("replSetGetStatus")
    except OperationFailure as refused:
        if refused.code == _NOT_YET_INITIALIZED:
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
        elif refused.code == _INVALID_CONFIGURATION:
            client.admin.command("replSetReconfig", _moved(client, members), force=True)


def _moved(client: MongoClient[dict[str, Any]], members: list[dict[str, Any]]) -> Mapping[str, Any]:
    stored = client["local"]["system.replset"].find_one() or {}
    return {"_id": REPLICA_SET, "version": stored.get("version", 0) + 1, "members": members}
