"""The system as one thing: up, down, kill and start again, with stand-ins for the services.

What it cannot prove is that the services take the settings they are given; the end-to-end tests do.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from local_stack import environment, state
from local_stack.addresses import SERVICES
from local_stack.processes import ProcessDiedError
from local_stack.system import System

_STAND_IN = """
import json, os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({**os.environ, "started": True}).encode())

HTTPServer((os.environ["HTTP_HOST"], int(os.environ["HTTP_PORT"])), Answers).serve_forever()
"""
_DIES_AFTER_ONE_ANSWER = (
    _STAND_IN.replace("serve_forever()", "handle_request()")
    + """
raise SystemExit("address already in use")
"""
)
_WAITS_FOR_A_DEATH = (
    """
import os, psutil, time

def is_dead_neighbour(process):
    try:
        return process.status() == "zombie" and process.ppid() == os.getppid()
    except psutil.NoSuchProcess:
        return False

while not any(map(is_dead_neighbour, psutil.process_iter())):
    time.sleep(0.05)
"""
    + _STAND_IN
)


@pytest.fixture
def place(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rabbitmq_url: str,
    mongodb_url: str,
) -> Iterator[Path]:
    """Return a working folder whose stand-ins go before the real packages, beside servers that run already."""
    for package in SERVICES.values():
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        (tmp_path / package / "__main__.py").write_text(_STAND_IN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RABBITMQ_URL", rabbitmq_url)
    monkeypatch.setenv("MONGODB_URL", mongodb_url)
    yield tmp_path
    if (tmp_path / "run" / "state.json").exists():
        _command(tmp_path, "down")


@pytest.fixture
def system(place: Path) -> Iterator[System]:
    """Run a system with two meeting-services."""
    with System(place / "run", replicas={"meeting-service": 2}) as running:
        yield running


def _settings_seen(url: str) -> dict[str, str]:
    return dict(httpx.get(url, trust_env=False).json())


def _command(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local_stack", "--folder", str(place / "run"), *arguments]
    return subprocess.run(  # noqa: S603  # this package's own command
        command,
        cwd=place,
        env=dict(environment.caller()),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_killed_replica_starts_again_at_its_address(system: System) -> None:
    """SIGKILL ends one replica and leaves the other; the same command brings it back."""
    system.kill("meeting-service", 1)
    assert not system.process("meeting-service", 1).running
    assert system.process("meeting-service", 0).running
    system.start_again("meeting-service", 1)
    assert _settings_seen(system.url("meeting-service", 1))["SERVICE_CLIENT_ID"] == "meeting-service"


def test_every_service_knows_the_others_and_only_its_own_secrets(system: System) -> None:
    """Addresses and passwords fit together across the services."""
    auth, notifier = (_settings_seen(system.url(name)) for name in ("auth-service", "notifier"))
    assert notifier["AUTH_SERVICE_URL"] == auth["PUBLIC_URL"] == system.url("auth-service")
    assert f"notifier={notifier['SERVICE_CLIENT_SECRET']}=" in auth["SERVICE_CLIENTS"]
    assert auth["ZOOM_API_URL"] == system.urls["zoom"]
    assert "ZOOM_CLIENT_SECRET" not in notifier


def test_a_service_that_does_not_start_takes_the_system_down_with_its_log(place: Path) -> None:
    """One bad service is reported by its last words, and nothing is left running."""
    (place / "notifier" / "__main__.py").write_text("raise SystemExit('cannot start: SMTP_URL is missing')")
    system = System(place / "run")
    with pytest.raises(ProcessDiedError, match="SMTP_URL is missing"):
        system.start()
    assert not any(system.process(name).running for name in [*SERVICES, "mail-sink", "zoom-sandbox"])


def test_a_service_that_dies_while_the_others_start_is_found(place: Path) -> None:
    """Somebody else may have answered for it, all too like itself."""
    (place / "auth_service" / "__main__.py").write_text(_DIES_AFTER_ONE_ANSWER)
    (place / "notifier" / "__main__.py").write_text(_WAITS_FOR_A_DEATH)
    with pytest.raises(ProcessDiedError, match="address already in use"):
        System(place / "run").start()


def test_up_leaves_the_system_running_and_down_ends_it(place: Path) -> None:
    """The commands find each other's system through the run folder, whose secrets and addresses stay."""
    first = _command(place, "up")
    assert first.returncode == 0, first.stderr
    assert "booking-service" in first.stdout
    assert "runs already" in _command(place, "up").stdout
    assert _command(place, "status").returncode == 0
    secrets = (place / "run" / "secrets.json").read_bytes()
    assert "stopped booking-service" in _command(place, "down").stdout
    assert _command(place, "status").returncode == 1
    assert (place / "run" / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert System(place / "run").recorded().groups == ((), ())
    assert (place / "run" / "secrets.json").read_bytes() == secrets


def _left(place: Path) -> state.State | None:
    return state.read(place / "run" / "state.json")


def _pids(place: Path) -> dict[str, int]:
    left = _left(place)
    return {name: process.pid for name, process in left.running().items()} if left else {}


def test_up_starts_only_what_ended(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest keeps running, and the sandbox what it remembers; servers stay the same, whatever is given now."""
    _command(place, "up")
    first = _pids(place)
    psutil.Process(first["notifier"]).kill()
    monkeypatch.setenv("RABBITMQ_URL", "amqp://elsewhere/")
    again = _command(place, "up")
    assert "starting what ended: notifier\n" in again.stdout, again.stderr
    second = _pids(place)
    assert second.keys() == first.keys()
    assert {name for name in first if first[name] != second[name]} == {"notifier"}
    notifier, auth = (
        _settings_seen(System(place / "run", left=_left(place)).url(name)) for name in ("notifier", "auth-service")
    )
    assert notifier["RABBITMQ_URL"] == auth["RABBITMQ_URL"]
    _command(place, "down")
    assert _pids(place) == {}


def test_up_that_fails_leaves_what_ran_before(place: Path) -> None:
    """What could not be started is said, and `down` still knows the rest."""
    _command(place, "up")
    first = _pids(place)
    psutil.Process(first["notifier"]).kill()
    (place / "notifier" / "__main__.py").write_text("raise SystemExit('cannot start: SMTP_URL is missing')")
    failed = _command(place, "up")
    assert failed.returncode == 1
    assert "SMTP_URL is missing" in failed.stderr
    assert _pids(place) == {name: pid for name, pid in first.items() if name != "notifier"}
    assert "stopped zoom-sandbox" in _command(place, "down").stdout


def test_a_command_of_a_service_runs_in_the_environment_of_the_running_system(place: Path) -> None:
    """Its output, its options and its exit status are the program's own."""
    _command(place, "up")
    address = _settings_seen(System(place / "run", left=_left(place)).url("notifier"))["SMTP_URL"]
    (place / "notifier" / "__main__.py").write_text(
        "import os, sys; print(os.environ['SMTP_URL'], *sys.argv[1:]); sys.exit(3)"
    )
    done = _command(place, "exec", "notifier", "mails", "list", "--name", "two words")
    assert (done.stdout, done.returncode) == (f"{address} mails list --name two words\n", 3)
    assert "NOTIFIER_URL=http" in _command(place, "addresses").stdout


@pytest.mark.parametrize("command", [("exec", "notifier", "mails"), ("addresses",)], ids=" ".join)
def test_where_nothing_runs_there_is_nothing_to_run_a_command_in(place: Path, command: tuple[str, ...]) -> None:
    """Instead of an environment that leads nowhere, one line that tells how to start it."""
    refused = _command(place, *command)
    assert (refused.returncode, refused.stderr) == (1, "Nothing runs. `make up` starts it.\n")
