"""When the demo takes the containers for a running system: told by a `docker` that says what an engine would say."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from local_stack.addresses import SERVICES
from local_stack.installation import CommandFailedError, InContainers

Says = Callable[[str, int], None]


@pytest.fixture
def docker_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Says:
    """Put a `docker` first on the path that prints a text and ends with a status."""

    def say(text: str, status: int = 0) -> None:
        (tmp_path / "answer").write_text(text)
        program = tmp_path / "docker"
        program.write_text(f'#!/bin/sh\nwhile read -r line; do echo "$line"; done <{tmp_path}/answer\nexit {status}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return say


def _container(service: str, health: str = "healthy") -> dict[str, str]:
    return {"Service": service, "State": "running", "Health": health}


def test_the_system_runs_when_its_four_services_are_healthy(docker_says: Says, tmp_path: Path) -> None:
    """Compose lists them one per line, and did so as one list before 2.21."""
    listed = [_container(name) for name in (*SERVICES, "mailpit")]
    docker_says("\n".join(map(json.dumps, listed)) + "\n", 0)
    assert InContainers(tmp_path).is_running()
    docker_says(json.dumps(listed) + "\n", 0)
    assert InContainers(tmp_path).is_running()


@pytest.mark.parametrize(
    "listed", [[], [_container("notifier")], [_container(name, "starting") for name in SERVICES]], ids=len
)
def test_the_system_does_not_run_while_a_service_is_missing(
    docker_says: Says, tmp_path: Path, listed: list[dict[str, str]]
) -> None:
    """Nothing there, a part of it, or all of it still starting: the demo then starts a system of its own."""
    docker_says("".join(json.dumps(one) + "\n" for one in listed), 0)
    assert not InContainers(tmp_path).is_running()


def test_without_an_engine_nothing_runs(docker_says: Says, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a client without an engine nor a machine without either is an error."""
    docker_says("Cannot connect to the Docker daemon\n", 1)
    assert not InContainers(tmp_path).is_running()
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert not InContainers(tmp_path).is_running()


def test_a_command_that_fails_says_so(docker_says: Says, tmp_path: Path) -> None:
    """Its status becomes an error, its output the answer."""
    docker_says("client_id=1\n", 0)
    assert InContainers(tmp_path).command("auth-service", "clients", "list") == "client_id=1\n"
    docker_says("", 2)
    with pytest.raises(CommandFailedError, match="auth_service clients list"):
        InContainers(tmp_path).command("auth-service", "clients", "list")
