"""The whole running system: servers, mail sink, Zoom sandbox and the four services, each a process of its own."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from local_stack import addresses, environment, progress, secrets_file, settings_of_services, state
from local_stack.addresses import SERVICES, Ports
from local_stack.mongodb import MongoDB
from local_stack.processes import ChildProcess, Health
from local_stack.rabbitmq import RabbitMQ
from local_stack.settings_of_services import Surroundings

_READY_SECONDS = 60
_SINK_IS_HEALTHY = "ok"
_SANDBOX_IS_HEALTHY = {"status": "ok"}
_SERVICE_IS_HEALTHY = {"started": True}


class System:
    """One system with all its data, logs, ports and secrets in `folder`.

    RABBITMQ_URL and MONGODB_URL in the environment stand for servers that run already; those are used, and neither
    started nor stopped. `replicas` counts the processes of a service, by its name; one where it says nothing.
    `told` holds the addresses that services are told in place of the real ones (`Surroundings`); a server named there
    runs already. `left` is an earlier detached run of which something still runs: that is left as it is, and so are
    the servers.
    As a context manager it starts everything, and stops it at the end.
    """

    def __init__(
        self,
        folder: Path,
        *,
        replicas: Mapping[str, int] | None = None,
        detached: bool = False,
        log_level: str = "INFO",
        left: state.State | None = None,
        told: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self._detached = detached
        ports = addresses.load_or_choose(self.folder / "ports.json", dict(replicas or {}), in_use=left is not None)
        rabbitmq_url, mongodb_url = (_running_already(name, left, told or {}) for name in ("rabbitmq", "mongodb"))
        self.rabbitmq = None if rabbitmq_url else self._own_rabbitmq(ports)
        self.mongodb = None if mongodb_url else self._own_mongodb(ports)
        self._surroundings = Surroundings(
            rabbitmq_url=self.rabbitmq.url if self.rabbitmq else str(rabbitmq_url),
            mongodb_url=self.mongodb.url if self.mongodb else str(mongodb_url),
            ports=ports,
            secrets=secrets_file.load_or_make(self.folder / "secrets.json"),
            log_level=log_level,
            told=told or {},
        )
        self._outside = {"mail-sink": self._mail_sink(), "zoom-sandbox": self._zoom_sandbox()}
        self._services = dict(self._all_services())
        self._take_over(left.running() if left else {})

    @property
    def urls(self) -> dict[str, str]:
        """Addresses by name: `rabbitmq`, `mongodb`, `smtp`, `mails`, `zoom` and the services (first replica)."""
        ports = self._surroundings.ports
        return {
            "rabbitmq": self._surroundings.rabbitmq_url,
            "mongodb": self._surroundings.mongodb_url,
            "smtp": f"smtp://127.0.0.1:{ports.smtp}",
            "mails": f"http://127.0.0.1:{ports.mail_http}",
            "zoom": self._surroundings.zoom_url,
            **{service: self.url(service) for service in SERVICES},
        }

    def url(self, service: str, replica: int = 0) -> str:
        return self._surroundings.service_url(service, replica)

    def settings(self, service: str, replica: int = 0) -> dict[str, str]:
        """Return the environment of a service, to run its commands in."""
        own = settings_of_services.of_service(service, replica, self._surroundings)
        return {**environment.inherited(), **own}

    def secret(self, setting: str) -> str:
        """Return the value of a setting of auth-service, such as ZOOM_WEBHOOK_SECRET_TOKEN; raises KeyError."""
        return self.settings("auth-service")[setting]

    def process(self, name: str, replica: int = 0) -> ChildProcess:
        """Return one replica of a service, or `mail-sink` or `zoom-sandbox`; raises KeyError."""
        return self._outside[name] if name in self._outside else self._services[name, replica]

    def start(self) -> None:
        """Start what does not run and return when all is ready; raises ProcessError, with what it started ended."""
        started = time.monotonic()
        with ExitStack() as undo:
            undo.callback(self.stop)
            self._start_outside()
            progress.say(f"==> servers ready after {time.monotonic() - started:.1f} s")
            self._start_services()
            self._refuse_where_any_died()
            progress.say(f"==> services ready after {time.monotonic() - started:.1f} s")
            undo.pop_all()

    def stop(self) -> None:
        """Stop everything that was started from here, services first."""
        for group in self._stopping_order():
            for process in group:
                process.ask_to_stop()
            for process in group:
                process.stop()

    def kill(self, name: str, replica: int = 0) -> None:
        """End one process with SIGKILL."""
        self.process(name, replica).kill()

    def start_again(self, name: str, replica: int = 0) -> None:
        """Start one process that ended, with the command and environment it had; return when it is ready."""
        process = self.process(name, replica)
        process.start()
        self._wait_for(name, replica)

    def recorded(self) -> state.State:
        """Return what a later command needs to stop this system."""
        groups = (
            tuple(state.record(process) for process in group if process.running) for group in self._stopping_order()
        )
        return state.State(groups=tuple(groups), addresses=self.urls)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start_outside(self) -> None:
        servers = [server for server in (self.rabbitmq, self.mongodb) if server is not None]
        for server in servers:
            server.start()
        for process in self._outside.values():
            process.start()
        # The slowest comes last, so that the others' first steps run beside it.
        for server in reversed(servers):
            server.wait_until_ready()
        for name in self._outside:
            self._wait_for(name)

    def _start_services(self) -> None:
        for process in self._services.values():
            process.start()
        for name, replica in self._services:
            self._wait_for(name, replica)

    def _refuse_where_any_died(self) -> None:
        # A port taken by a neighbour that answers just as we do is found out only when the child has tried it.
        for group in self._stopping_order():
            for process in group:
                process.refuse_if_dead()

    def _stopping_order(self) -> list[list[ChildProcess]]:
        servers = [server for server in (self.rabbitmq, self.mongodb) if server is not None]
        own = [process for server in servers for process in server.processes]
        return [list(self._services.values()), [*self._outside.values(), *own]]

    def _wait_for(self, name: str, replica: int = 0) -> None:
        url, says = self._health(name, replica)
        self.process(name, replica).wait_until_healthy(url, says=says, within=_READY_SECONDS)

    def _health(self, name: str, replica: int) -> tuple[str, Health]:
        if name == "mail-sink":
            return f"{self.urls['mails']}/readyz", _SINK_IS_HEALTHY
        if name == "zoom-sandbox":
            return f"{self.urls['zoom']}/sandbox/health", _SANDBOX_IS_HEALTHY
        return f"{self.url(name, replica)}/health/ready", _SERVICE_IS_HEALTHY

    def _take_over(self, left: Mapping[str, psutil.Process]) -> None:
        for group in self._stopping_order():
            for process in group:
                if process.name in left:
                    process.take_over(left[process.name])

    def _own_rabbitmq(self, ports: Ports) -> RabbitMQ:
        return RabbitMQ(
            self.folder / "rabbitmq",
            port=ports.rabbitmq,
            names_port=ports.rabbitmq_names,
            distribution_port=ports.rabbitmq_distribution,
            detached=self._detached,
        )

    def _own_mongodb(self, ports: Ports) -> MongoDB:
        return MongoDB(self.folder / "mongodb", port=ports.mongodb, detached=self._detached)

    def _mail_sink(self) -> ChildProcess:
        ports = self._surroundings.ports
        options = ["--smtp-port", str(ports.smtp), "--http-port", str(ports.mail_http)]
        return self._python("mail-sink", ["local_stack.mail_sink", *options], {})

    def _zoom_sandbox(self) -> ChildProcess:
        return self._python(
            "zoom-sandbox",
            ["zoom_sandbox"],
            settings_of_services.of_sandbox(self._surroundings),
        )

    def _all_services(self) -> Iterator[tuple[tuple[str, int], ChildProcess]]:
        for name, package in SERVICES.items():
            for replica in range(len(self._surroundings.ports.services[name])):
                settings = settings_of_services.of_service(name, replica, self._surroundings)
                label = f"{name}-{replica + 1}" if replica else name
                yield (name, replica), self._python(label, [package], settings)

    def _python(self, name: str, module: list[str], settings: dict[str, str]) -> ChildProcess:
        return ChildProcess(
            name,
            [sys.executable, "-m", *module],
            environment={**environment.inherited(), **settings},
            log=self.folder / "logs" / f"{name}.log",
            detached=self._detached,
        )


def _running_already(server: str, left: state.State | None, told: Mapping[str, str]) -> str | None:
    if server in told:
        return told[server]
    return left.given(server) if left else environment.given(f"{server.upper()}_URL")
