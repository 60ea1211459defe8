"""A process that keeps one server for a whole test run: `python -m tests.support.server_keeper`.

The workers of pytest-xdist come and go, so none of them can own a server that all use. The keeper writes where
the server is to a file, and ends it when the process that leads the test run ends, however that ends.
"""

import argparse
import json
import os
import select
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docker.errors import DockerException  # type: ignore[import-untyped]  # has no types

from local_stack import environment
from local_stack.mongodb import MongoDB
from local_stack.processes import free_port
from local_stack.progress import say
from local_stack.rabbitmq import RabbitMQ
from tests.support import docker_servers

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder with a name of our own is made in it
_ENOUGH_BYTES = 4 * 2**30

_IN_DOCKER = {"rabbitmq": docker_servers.rabbitmq, "mongodb": docker_servers.mongodb}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server", choices=sorted(_IN_DOCKER))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--until-end-of", type=int, required=True, metavar="PID")
    arguments = parser.parse_args()
    leader = os.pidfd_open(arguments.until_end_of)
    with _running(arguments.server, arguments.folder) as addresses:
        _publish(addresses, arguments.folder / "addresses.json")
        select.select([leader], [], [])


@contextmanager
def _running(server: str, folder: Path) -> Iterator[dict[str, str]]:
    if environment.given("CONVOKE_TESTS_USE_DOCKER") != "0" and docker_servers.usable():
        try:
            with _IN_DOCKER[server]() as addresses:
                yield addresses
                return
        except DockerException as failure:
            say(f"the Docker engine has no {server} for us ({failure}): using local processes")
    with _LOCAL[server](_folder_for_data(folder)) as addresses:
        yield addresses


def _folder_for_data(folder: Path) -> Path:
    """Return one in memory where there is room: no test kills these servers, and a disk costs them a seventh more."""
    if _IN_MEMORY.is_dir() and shutil.disk_usage(_IN_MEMORY).free > _ENOUGH_BYTES:
        return Path(tempfile.mkdtemp(prefix="convoke-tests-", dir=_IN_MEMORY))
    return folder / "server"


@contextmanager
def _local_rabbitmq(folder: Path) -> Iterator[dict[str, str]]:
    node = RabbitMQ(folder, management_port=free_port())
    with _ended_with_its_data(node, folder):
        node.start()
        node.wait_until_ready()
        yield {"url": node.url, "management_url": str(node.management_url)}


@contextmanager
def _local_mongodb(folder: Path) -> Iterator[dict[str, str]]:
    server = MongoDB(folder)
    with _ended_with_its_data(server, folder):
        server.start()
        server.wait_until_ready()
        yield {"url": server.url}


@contextmanager
def _ended_with_its_data(server: RabbitMQ | MongoDB, folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


_LOCAL = {"rabbitmq": _local_rabbitmq, "mongodb": _local_mongodb}


def _publish(addresses: dict[str, str], target: Path) -> None:
    # A rename, so that no worker reads half a file.
    draft = target.with_suffix(".draft")
    draft.write_text(json.dumps(addresses))
    draft.rename(target)


if __name__ == "__main__":
    main()
