"""A RabbitMQ node of our own: its data, name server, cookie and ports share nothing with another on the machine."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local_stack import environment, installed, rabbitmq_libraries
from local_stack.processes import ChildProcess, free_ports

_AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
_METHOD_FRAME = b"\x01"
_LOOPBACK_ONLY = "-kernel inet_dist_use_interface {127,0,0,1}"
# Threads without work otherwise spin for a while before they sleep: a tenth of what a start costs.
_SLEEP_AT_ONCE = "+sbwt none +sbwtdcpu none +sbwtdio none"


@dataclass(frozen=True)
class Membership:
    """What a node needs to join others on this machine; all of them share one name server and one cookie."""

    name: str
    all_names: Sequence[str]
    home: Path


class RabbitMQ:
    """One node with its data in `folder`; the user guest is let in from this machine only.

    A member of a cluster uses the name server that runs on `names_port` already.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        names_port: int | None = None,
        distribution_port: int | None = None,
        management_port: int | None = None,
        detached: bool = False,
        membership: Membership | None = None,
    ) -> None:
        given = [number for number in (port, names_port, distribution_port, management_port) if number]
        chosen = free_ports(3, besides=given)
        self.folder = folder.absolute()
        self.port = port or chosen[0]
        self.management_port = management_port
        self._server = installed.rabbitmq_server()
        self._membership = membership or Membership("convoke", (), self.folder)
        epmd_port = names_port or chosen[1]
        self._names = None if membership else name_server(self.folder, epmd_port, detached=detached)
        self._node = ChildProcess(
            f"rabbitmq-{membership.name}" if membership else "rabbitmq",
            [str(self._server)],
            environment=self._environment(epmd_port, distribution_port or chosen[2]),
            log=self.folder / "rabbitmq.log",
            detached=detached,
        )

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def management_url(self) -> str | None:
        """The address of the management API, or None where the node was made without."""
        return f"http://guest:guest@127.0.0.1:{self.management_port}" if self.management_port else None

    @property
    def processes(self) -> tuple[ChildProcess, ...]:
        """The processes behind the node, in the order in which they are to be stopped."""
        return (self._node, self._names) if self._names else (self._node,)

    def start(self) -> None:
        """Start the node and return at once; it uses the data that its folder already has."""
        self._write_configuration()
        for process in reversed(self.processes):
            process.start()

    def wait_until_ready(self, *, within: float = 60) -> None:
        """Return once AMQP connections are answered; raises ProcessError."""
        self._node.wait_until(lambda: speaks_amqp("127.0.0.1", self.port), within=within)

    def stop(self) -> None:
        for process in self.processes:
            process.stop()

    def kill(self) -> None:
        """End the node with SIGKILL, as a power cut would."""
        for process in self.processes:
            process.kill()

    def remembers(self, queue: str) -> bool:
        """Tell whether a quorum queue is on disk by name, so that a kill from now on keeps it.

        RabbitMQ 3.10 writes the name up to a second after the declaration is answered; killed before that, it
        comes back with an empty queue that never gets a leader, whatever it had confirmed.
        """
        names = self.folder / "data" / self.name / "quorum" / self.name / "names.dets"
        return queue.encode() in names.read_bytes()

    @property
    def name(self) -> str:
        """The node's name among Erlang's nodes."""
        return f"{self._membership.name}@localhost"

    @property
    def _installation(self) -> Path:
        return self.folder / "server"

    @property
    def _descriptions(self) -> Path:
        return self._installation / "descriptions"

    def _plugins(self) -> list[str]:
        return ["rabbitmq_management"] if self.management_port else []

    def _write_configuration(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [f"listeners.tcp.local = 127.0.0.1:{self.port}", "log.console = true", "log.file = false"]
        if self.management_port:
            lines += ["management.tcp.ip = 127.0.0.1", f"management.tcp.port = {self.management_port}"]
        if self._membership.all_names:
            lines += ["cluster_formation.peer_discovery_backend = classic_config"]
            lines += ["cluster_partition_handling = pause_minority"]
        for number, name in enumerate(self._membership.all_names, 1):
            lines.append(f"cluster_formation.classic_config.nodes.{number} = {name}@localhost")
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "rabbitmq-env.conf").touch()
        (self.folder / "enabled_plugins").write_text(f"[{','.join(self._plugins())}].\n")
        rabbitmq_libraries.link_used(self._server.parents[1], self._installation, ["rabbit", *self._plugins()])
        rabbitmq_libraries.describe_erlang(installed.erlang_libraries(), self._descriptions)

    def _environment(self, epmd_port: int, distribution_port: int) -> dict[str, str]:
        return {
            **environment.inherited(),
            "HOME": str(self._membership.home),
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_SCRIPTS_DIR": str(self._installation / "sbin"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{_LOOPBACK_ONLY} {_SLEEP_AT_ONCE} -pa {self._descriptions}",
            # Threads bound to cores wait for whoever else uses these: on a busy machine a fifth of the start.
            "RABBITMQ_SCHEDULER_BIND_TYPE": "u",
            # The script then becomes the node by exec, so its pid is the node's and signals reach it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }


def name_server(folder: Path, port: int, *, detached: bool = False) -> ChildProcess:
    """Return Erlang's name server, through which nodes find each other's ports."""
    return ChildProcess(
        "rabbitmq-names",
        [installed.epmd(), "-port", str(port), "-address", "127.0.0.1"],
        environment=environment.inherited(),
        log=folder / "names.log",
        detached=detached,
    )


def speaks_amqp(host: str, port: int) -> bool:
    """Tell whether a broker behind the port answers the AMQP greeting, which it does once it takes work."""
    try:
        with socket.create_connection((host, port), timeout=2) as connection:
            connection.sendall(_AMQP_HEADER)
            return connection.recv(1) == _METHOD_FRAME
    except OSError:
        return False
