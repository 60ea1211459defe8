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


class Installation(Protocol):
    """Where a Convoke is, and how to run a service's commands there."""

    @property
    def urls(self) -> Mapping[str, str]:
        """Addresses by name: the services, `zoom` and `mails`."""

    def command(self, service: str, *arguments: str) -> str:
        """Run a command of a service's own program and return what it prints. Raises CommandFailedError."""


@dataclass(frozen=True)
class OnProcesses:
    """A system on processes of this machine."""

    system: System

    @property
    def urls(self) -> Mapping[str, str]:
        return self.system.urls

    def command(self, service: str, *arguments: str) -> str:
        package = service.replace("-", "_")
        return _output([sys.executable, "-m", package, *arguments], self.system.settings(service))


@dataclass(frozen=True)
class InContainers:
    """The system of docker-compose.yml."""

    repository: Path

    @property
    def urls(self) -> Mapping[str, str]:
        return {name: f"http://127.0.0.1:{port}" for name, port in _PUBLISHED.items()}

    def command(self, service: str, *arguments: str) -> str:
        package = service.replace("-", "_")
        inside = ["exec", "--no-TTY", service, "python", "-m", package, *arguments]
        return _output([*_compose(self.repository), *inside], environment.caller())

    def is_running(self) -> bool:
        """Tell whether all four services run there and are healthy."""
        if shutil.which("docker") is None:
            return False
        listing = [*_compose(self.repository), "ps", "--format", "json"]
        try:
            containers = _listed(_output(listing, environment.caller()))
        except CommandFailedError:
            return False
        healthy = {one["Service"] for one in containers if one.get("Health") == "healthy"}
        return {"auth-service", "booking-service", "meeting-service", "notifier"} <= healthy


def _compose(repository: Path) -> list[str]:
    return ["docker", "compose", "--file", str(repository / "docker-compose.yml")]


def _listed(listing: str) -> Iterator[dict[str, str]]:
    # One object per line since Compose 2.21; before, one line with a list of them.
    for line in filter(None, listing.splitlines()):
        listed = json.loads(line)
        yield from listed if isinstance(listed, list) else [listed]


def _output(command: list[str], settings: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    except subprocess.TimeoutExpired as late:
        raise CommandFailedError(f"{' '.join(command[-5:])}: no end within {late.timeout:g} s") from late
    if done.returncode:
        raise CommandFailedError(f"{' '.join(command[-5:])}: {done.stderr.strip()[-500:]}")
    return done.stdout
