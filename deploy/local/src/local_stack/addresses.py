"""Which port everything of one system listens on, kept in its run folder so that addresses outlive a restart."""

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from local_stack.processes import free_port

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
    mongodb: int
    smtp: int
    mail_http: int
    zoom: int
    services: dict[str, list[int]]


def load_or_choose(path: Path, replicas: dict[str, int]) -> Ports:
    """Return the ports of the last run where all are still free, else new ones.

    Join addresses in mails hold the port, and so does the callback that Zoom was told.
    """
    if path.exists():
        ports = Ports(**json.loads(path.read_text()))
        if _fits(ports, replicas):
            return ports
    ports = _chosen(replicas)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(ports)))
    return ports


def _chosen(replicas: dict[str, int]) -> Ports:
    return Ports(
        rabbitmq=free_port(),
        mongodb=free_port(),
        smtp=free_port(),
        mail_http=free_port(),
        zoom=free_port(),
        services={name: [free_port() for _ in range(replicas.get(name, 1))] for name in SERVICES},
    )


def _fits(ports: Ports, replicas: dict[str, int]) -> bool:
    of_services = [port for numbers in ports.services.values() for port in numbers]
    own = [ports.rabbitmq, ports.mongodb, ports.smtp, ports.mail_http, ports.zoom]
    wanted = {name: replicas.get(name, 1) for name in SERVICES}
    same = {name: len(numbers) for name, numbers in ports.services.items()} == wanted
    return same and all(_free(port) for port in own + of_services)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still winding down is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
