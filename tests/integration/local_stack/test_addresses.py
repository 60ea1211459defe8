"""The ports of a system: all different, kept from run to run, and chosen anew where they cannot be had."""

import json
import socket
from collections import deque
from pathlib import Path

import pytest

from local_stack.addresses import load_or_choose
from local_stack.processes import free_ports


@pytest.fixture
def _few_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the kernel give the port first that was let go last, as it may: only a port that is held is not given."""
    given = deque[int]()
    bind, close = socket.socket.bind, socket.socket.close

    class Probe(socket.socket):
        def bind(self, address: tuple[str, int]) -> None:  # type: ignore[override]
            bind(self, (address[0], given.pop()) if given and address[1] == 0 else address)

        def close(self) -> None:
            if self.fileno() != -1 and (port := self.getsockname()[1]):
                given.append(port)
            close(self)

    monkeypatch.setattr(socket, "socket", Probe)


@pytest.mark.usefixtures("_few_ports")
def test_no_two_processes_of_a_system_get_the_same_port(tmp_path: Path) -> None:
    """Also where the kernel gives a port again as soon as it is let go."""
    numbers = load_or_choose(tmp_path / "ports.json", {"meeting-service": 2}).numbers
    assert len(set(numbers)) == len(numbers) == 12


@pytest.mark.usefixtures("_few_ports")
def test_ports_that_are_to_be_left_alone_are_not_chosen() -> None:
    """A port that is free and already meant for something else does not count."""
    meant_for_others = free_ports(3)
    assert not set(free_ports(3, besides=meant_for_others)) & set(meant_for_others)


def test_the_ports_of_the_last_run_are_kept(tmp_path: Path) -> None:
    """Addresses that stand in mails stay good."""
    first = load_or_choose(tmp_path / "ports.json", {})
    assert load_or_choose(tmp_path / "ports.json", {}) == first


def test_saved_ports_that_are_not_all_different_are_chosen_anew(tmp_path: Path) -> None:
    """A run that once wrote such a file is not the reason why every later one fails."""
    file = tmp_path / "ports.json"
    load_or_choose(file, {})
    saved = json.loads(file.read_text())
    saved["services"]["meeting-service"] = [saved["mongodb"]]
    file.write_text(json.dumps(saved))
    numbers = load_or_choose(file, {}).numbers
    assert len(set(numbers)) == len(numbers)


def test_saved_ports_of_which_somebody_else_has_one_are_chosen_anew(tmp_path: Path) -> None:
    """The port of a stranger is not waited for."""
    taken = load_or_choose(tmp_path / "ports.json", {}).zoom
    with socket.create_server(("127.0.0.1", taken)):
        assert taken not in load_or_choose(tmp_path / "ports.json", {}).numbers


@pytest.mark.parametrize("text", ["", "[]", '{"rabbitmq": 5672}'], ids=["empty", "a list", "of another version"])
def test_a_file_that_cannot_be_read_is_no_obstacle(tmp_path: Path, text: str) -> None:
    """Ports are chosen and written again."""
    file = tmp_path / "ports.json"
    file.write_text(text)
    assert load_or_choose(file, {}) == load_or_choose(file, {})
