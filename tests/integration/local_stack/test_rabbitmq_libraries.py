"""What a node of RabbitMQ reads at its start: its own libraries as far as they are used, and no module of Erlang's."""

from pathlib import Path

import pytest

from local_stack import installed, rabbitmq_libraries


def library(folder: Path, name: str, modules: str, applications: str = "kernel") -> None:
    description = folder / name / "ebin" / f"{name.rpartition('-')[0]}.app"
    description.parent.mkdir(parents=True)
    description.write_text(f"{{application, x, [{{modules, [{modules}]}}, {{applications, [{applications}]}}]}}.")


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """Return an installed RabbitMQ of which a node uses two libraries of three."""
    library(tmp_path / "server" / "plugins", "rabbit-3", "rabbit", "kernel, ranch")
    library(tmp_path / "server" / "plugins", "ranch-2", "ranch")
    library(tmp_path / "server" / "plugins", "rabbitmq_shovel-3", "shovel", "rabbit")
    return tmp_path / "server"


def test_only_what_is_used_is_linked_and_nothing_of_another_version_is_left(server: Path, tmp_path: Path):
    target = tmp_path / "target"
    rabbitmq_libraries.link_used(server, target, ["rabbit"])
    (server / "plugins" / "ranch-2").rename(server / "plugins" / "ranch-3")
    rabbitmq_libraries.link_used(server, target, ["rabbit"])
    assert {link.name for link in (target / "plugins").iterdir()} == {"rabbit-3", "ranch-3"}
    assert (server / "plugins" / "ranch-3" / "ebin" / "ranch.app").exists()


def test_erlangs_libraries_are_described_without_their_modules(tmp_path: Path):
    library(tmp_path / "lib", "kernel-8", "application,\n code", "")
    rabbitmq_libraries.describe_erlang((tmp_path / "lib").iterdir(), tmp_path / "described")
    described = (tmp_path / "described" / "kernel.app").read_text()
    assert described == "{application, x, [{modules, []}, {applications, []}]}."


def test_erlangs_libraries_are_found_above_its_port_mapper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    epmd = tmp_path / "erlang" / "erts-13" / "bin" / "epmd"
    epmd.parent.mkdir(parents=True)
    epmd.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(epmd.parent))
    assert installed.erlang_libraries() == []
    library(tmp_path / "erlang" / "lib", "kernel-8", "application")
    assert installed.erlang_libraries() == [tmp_path / "erlang" / "lib" / "kernel-8"]


def test_those_of_this_machine_are_found():
    assert {"kernel", "stdlib"} <= {folder.name.rpartition("-")[0] for folder in installed.erlang_libraries()}
