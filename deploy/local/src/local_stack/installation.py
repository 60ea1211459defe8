"""A running Convoke to try: its addresses, and its services' own commands, on processes or in containers."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from local_stack import environment
from local_stack.addresses import SERVICES
from local_stack.system import System

_PUBLISHED = {
    "auth-service": 8001,
    "booking-service": 8002,
    "meeting-service": 8003,
    "notifier": 8004,
    "zoom": 8010,
    "mails": 8025,
}
"""Ports that docker-compose.yml publishes on this machine."""


class CommandFailedError(Exception):
    """A service's command ended with a failure; the text is what it said."""


@dataclass(frozen=True)
class Program:
    """A command line with the environment to run it in."""

    command_line: list[str]
    environment: Mapping[str, str]

    def run(self) -> int:
        """Run it with the input and output of this process, and return its exit status."""
        return subprocess.run(self.command_line, env=self.environment, check=False).returncode  # noqa: S603

    def output(self) -> str:
        """Run it to its end and return what it prints. Raises CommandFailedError."""
        last_words = " ".join(self.command_line[-5:])
        try:
            done = subprocess.run(  # noqa: S603
                self.command_line, env=self.environment, capture_output=True, text=True, check=False, timeout=60
            )
        except subprocess.TimeoutExpired as late:
            raise CommandFailedError(f"{last_words}: no end within {late.timeout:g} s") from late
        if done.returncode:
            raise CommandFailedError(f"{last_words}: {done.stderr.strip()[-500:]}")
        return done.stdout


class Installation(Protocol):
    """Where a Convoke is, and how to run a service's commands there."""

    @property
    def urls(self) -> Mapping[str, str]:
        """Addresses by name: the services, `zoom` and `mails`."""

    def program(self, service: str, *arguments: str) -> Program:
        """Return a command of a service's own program."""

    def command(self, service: str, *arguments: str) -> str:
        """Run a command of a service's own program and return what it prints. Raises CommandFailedError."""


@dataclass(frozen=True)
class OnProcesses:
    """A system on processes of this machine."""

    system: System

    @property
    def urls(self) -> Mapping[str, str]:
        return self.system.urls

    def program(self, service: str, *arguments: str) -> Program:
        return Program([sys.executable, "-m", SERVICES[service], *arguments], self.system.settings(service))

    def command(self, service: str, *arguments: str) -> str:
        return self.program(service, *arguments).output()


@dataclass(frozen=True)
class InContainers:
    """The system of docker-compose.yml."""

    repository: Path

    @property
    def urls(self) -> Mapping[str, str]:
        return {name: f"http://127.0.0.1:{port}" for name, port in _PUBLISHED.items()}

    def program(self, service: str, *arguments: str) -> Program:
        return self._compose("exec", "--no-TTY", service, "python", "-m", SERVICES[service], *arguments)

    def command(self, service: str, *arguments: str) -> str:
        return self.program(service, *arguments).output()

    def is_running(self) -> bool:
        """Tell whether all four services run there and are healthy."""
        if shutil.which("docker") is None:
            return False
        try:
            containers = _listed(self._compose("ps", "--format", "json").output())
        except CommandFailedError:
            return False
        healthy = {one["Service"] for one in containers if one.get("Health") == "healthy"}
        return SERVICES.keys() <= healthy

    def _compose(self, *arguments: str) -> Program:
        file = str(self.repository / "docker-compose.yml")
        return Program(["docker", "compose", "--file", file, *arguments], environment.caller())


def _listed(listing: str) -> Iterator[dict[str, str]]:
    # One object per line since Compose 2.21; before, one line with a list of them.
    for line in filter(None, listing.splitlines()):
        listed = json.loads(line)
        yield from listed if isinstance(listed, list) else [listed]
