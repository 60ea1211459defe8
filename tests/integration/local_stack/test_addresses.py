"""The ports of a system: all different, kept from run to run, and chosen anew where they cannot be had."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local_stack import processes
from local_stack.addresses import load_or_choose
from local_stack.processes import free_ports


@pytest.fixture
def _few_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave so few to choose from that what was chosen a moment ago is looked at again."""
    monkeypatch.setattr(processes, "_PORTS", free_ports(14))


@pytest.mark.usefixtures("_few_ports")
def test_no_two_processes_of_a_system_get_the_same_port(tmp_path: Path) -> None:
    numbers = load_or_choose(tmp_path / "ports.json", {"meeting-service": 2}).numbers
    assert len(set(numbers)) == len(numbers) == 12


@pytest.mark.usefixtures("_few_ports")
def test_ports_that_are_to_be_left_alone_are_not_chosen() -> None:
    """A port that is free and already meant for something else does not count."""
    meant_for_others = free_ports(9)
    for _ in range(2):  # the first time round, these are not looked at again yet
        assert not set(free_ports(5, besides=meant_for_others)) & set(meant_for_others)


def test_a_port_somebody_listens_on_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    few = free_ports(3)
    monkeypatch.setattr(processes, "_PORTS", few)
    with socket.create_server(("127.0.0.1", few[1])):
        assert set(free_ports(2)) == {few[0], few[2]}
        with pytest.raises(OSError, match="3 free ports are wanted, and there are 2"):
            free_ports(3)


def test_a_port_of_a_server_is_none_that_the_kernel_gives_to_a_client() -> None:
    """Else any connection may take it before the server listens, or while it is down."""
    first_of_clients = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(port < first_of_clients for port in free_ports(100))


def test_two_that_look_at_the_same_time_choose_different_ports() -> None:
    """Nobody holds them yet: each begins to look somewhere else."""
    code = "from local_stack.processes import free_ports; print(*free_ports(20))"
    command = [sys.executable, "-c", code]
    looking = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]  # noqa: S603
    one, other = (set(process.communicate()[0].split()) for process in looking)
    assert len(one) == len(other) == 20
    assert not one & other


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
