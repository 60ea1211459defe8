"""A RabbitMQ cluster of our own on this machine: queues survive the death of any one of its three nodes."""

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from local_stack import environment, installed
from local_stack.processes import ChildProcess, free_ports, wait_until
from local_stack.rabbitmq import Membership, RabbitMQ, name_server

_NODES = 3


class RabbitMQCluster:
    """Three nodes with their data in `folder`, and a name server of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        names_port, *ports = free_ports(1 + 2 * _NODES)
        self._names_port = names_port
        self._names = name_server(self.folder, names_port)
        members = [f"convoke{number}" for number in range(1, _NODES + 1)]
        self.nodes = [
            RabbitMQ(
                self.folder / name,
                port=ports.pop(),
                names_port=names_port,
                distribution_port=ports.pop(),
                membership=Membership(name, members, self.folder),
            )
            for name in members
        ]

    @property
    def processes(self) -> tuple[ChildProcess, ...]:
        """The processes of the cluster, in the order in which they are to be stopped."""
        return (*(node.processes[0] for node in self.nodes), self._names)

    def start(self) -> None:
        """Start all and return when they are one cluster; raises ProcessError, with what was started ended."""
        with ExitStack() as undo:
            undo.callback(self.kill)
            self._names.start()
            # The first makes the cookie and the cluster; two that make a cluster at once may make two.
            for node in self.nodes:
                node.start()
                node.wait_until_ready()
            wait_until(self.is_whole, name="the RabbitMQ cluster", within=60)
            undo.pop_all()

    def kill(self) -> None:
        """End all nodes with SIGKILL."""
        for process in self.processes:
            process.kill()

    def is_whole(self) -> bool:
        """Tell whether every node runs in one and the same cluster."""
        return len(self._ask("cluster_status").get("running_nodes", ())) == _NODES

    def queues(self) -> list[dict[str, Any]]:
        """Return all queues with `name`, `type`, `members` and `online` (the nodes that hold a replica)."""
        return list(self._ask("list_queues", "name", "type", "members", "online"))

    def _ask(self, *question: str) -> Any:
        """Return what rabbitmqctl answers, an empty object where no node that runs could."""
        running = next((node for node in self.nodes if node.processes[0].running), self.nodes[0])
        command = [str(installed.rabbitmqctl()), "--quiet", "--node", running.name, "--formatter", "json", *question]
        settings = {"HOME": str(self.folder), "ERL_EPMD_PORT": str(self._names_port), "LANG": "C.UTF-8"}
        answer = subprocess.run(  # noqa: S603 - our own program
            command,
            env={**environment.inherited(), **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return json.loads(answer.stdout) if answer.returncode == 0 else {}
