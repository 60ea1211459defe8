"""Which port everything of one system listens on, kept in its run folder so that addresses outlive a restart."""

import json
import socket
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from local_stack.processes import free_ports

SERVICES = {
    "auth-service": "auth_service",
    "booking-service": "booking_service",
    "meeting-service": "meeting_service",
    "notifier": "notifier",
}


@dataclass(frozen=True)
class Ports:
    """The ports of one system; `services` has one per replica."""

    rabbitmq: int
    rabbitmq_names: int
    rabbitmq_distribution: int
    mongodb: int
    smtp: int
    mail_http: int
    zoom: int
    services: dict[str, list[int]]

    @property
    def numbers(self) -> list[int]:
        """All of them."""
        of_services = [port for replicas in self.services.values() for port in replicas]
        return [getattr(self, name) for name in _OF_ONE_PROCESS] + of_services


_OF_ONE_PROCESS = [field.name for field in fields(Ports) if field.name != "services"]


def load_or_choose(path: Path, replicas: dict[str, int], *, in_use: bool = False) -> Ports:
    """Return the ports of the last run where all are still free, or `in_use` by what runs of it; else new ones.

    Join addresses in mails hold the port, and so does the callback that Zoom was told.
    """
    wanted = {name: replicas.get(name, 1) for name in SERVICES}
    saved = _saved(path)
    if saved and _fits(saved, wanted) and (in_use or all(map(_free, saved.numbers))):
        return saved
    ports = _chosen(wanted)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(ports)))
    return ports


def _saved(path: Path) -> Ports | None:
    """Return None where there are none, or not those of this version."""
    try:
        return Ports(**json.loads(path.read_text()))
    except (FileNotFoundError, TypeError, ValueError):
        return None


def _fits(ports: Ports, wanted: dict[str, int]) -> bool:
    all_differ = len(set(ports.numbers)) == len(ports.numbers)
    return all_differ and {name: len(replicas) for name, replicas in ports.services.items()} == wanted


def _chosen(wanted: dict[str, int]) -> Ports:
    numbers = iter(free_ports(len(_OF_ONE_PROCESS) + sum(wanted.values())))
    of_one_process = {name: next(numbers) for name in _OF_ONE_PROCESS}
    return Ports(
        **of_one_process,
        services={name: [next(numbers) for _ in range(count)] for name, count in wanted.items()},
    )


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still winding down is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
