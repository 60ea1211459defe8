"""Real servers for tests: given by the environment, in Docker, or local processes, in this order.

A test run starts each server once, when the first test asks for it. Each worker and each test has its own virtual
host and database names, so tests do not see each other. Where no server can be had, tests fail: they never skip.
"""

import fcntl
import json
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from pymongo import MongoClient

from local_stack import environment
from local_stack.processes import ChildProcess

_REPOSITORY = Path(__file__).parents[2]
_START_SECONDS = 150


@pytest.fixture(scope="session")
def rabbitmq_addresses(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the `url` of the broker and `management_url` of its HTTP API."""
    if url := environment.given("RABBITMQ_URL"):
        return {"url": url, "management_url": _given_management_url(url)}
    return _kept("rabbitmq", request)


@pytest.fixture(scope="session")
def rabbitmq_url(rabbitmq_addresses: dict[str, str], worker_prefix: str) -> Iterator[str]:
    """Return the address of a virtual host of this test worker's own."""
    with virtual_host(rabbitmq_addresses, worker_prefix) as url:
        yield url


@pytest.fixture
def fresh_vhost(rabbitmq_addresses: dict[str, str], worker_prefix: str) -> Iterator[str]:
    """Return the address of a virtual host of this test's own, with nothing in it."""
    with virtual_host(rabbitmq_addresses, f"{worker_prefix}-{uuid.uuid4().hex[:8]}") as url:
        yield url


@pytest.fixture(scope="session")
def mongodb_url(request: pytest.FixtureRequest) -> str:
    """Return the address of a replica set; begin database names with `fresh_database` or `worker_prefix`."""
    return environment.given("MONGODB_URL") or _kept("mongodb", request)["url"]


@pytest.fixture(scope="session")
def mongodb(mongodb_url: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """Return a client for what is to be made or dropped around the tests."""
    with MongoClient[dict[str, Any]](mongodb_url) as client:
        yield client


@pytest.fixture
def fresh_database(mongodb: MongoClient[dict[str, Any]], worker_prefix: str) -> Iterator[str]:
    """Return a database name of this test's own; all databases that begin with it are dropped afterwards."""
    prefix = f"{worker_prefix}-{uuid.uuid4().hex[:8]}"
    yield prefix
    for name in mongodb.list_database_names():
        if name.startswith(prefix):
            mongodb.drop_database(name)


@pytest.fixture(scope="session")
def worker_prefix() -> str:
    """Return what all names of this test worker begin with, so that test runs can share given servers."""
    return f"test-{uuid.uuid4().hex[:8]}"


def _kept(server: str, request: pytest.FixtureRequest) -> dict[str, str]:
    base: Path = request.getfixturevalue("tmp_path_factory").getbasetemp()
    if hasattr(request.config, "workerinput"):
        return _start_once(server, base.parent / "servers" / server, os.getppid())
    return _start_once(server, base / "servers" / server, os.getpid())


def _keeper(server: str, folder: Path, leader: int) -> ChildProcess:
    command = [sys.executable, "-m", "tests.support.server_keeper", server]
    return ChildProcess(
        f"the keeper of {server}",
        [*command, "--folder", str(folder), "--until-end-of", str(leader)],
        environment={
            **environment.caller(),
            "PYTHONPATH": str(_REPOSITORY),
            "TESTCONTAINERS_RYUK_DISABLED": "true",
        },
        log=folder / "keeper.log",
        detached=True,
    )


def _start_once(server: str, folder: Path, leader: int) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    addresses = folder / "addresses.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not addresses.exists():
            keeper = _keeper(server, folder, leader)
            keeper.start()
            keeper.wait_until(addresses.exists, within=_START_SECONDS)
            keeper.let_go()
    return dict(json.loads(addresses.read_text()))


def _given_management_url(url: str) -> str:
    parts = urlsplit(url)
    usual = f"http://{parts.username or 'guest'}:{parts.password or 'guest'}@{parts.hostname}:15672"
    return environment.given("RABBITMQ_MANAGEMENT_URL") or usual


@contextmanager
def virtual_host(addresses: dict[str, str], name: str) -> Iterator[str]:
    """Make a virtual host and give its address; deleted afterwards, with all that is in it."""
    broker = urlsplit(addresses["url"])
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    with _management(addresses) as management:
        management.put(f"/vhosts/{name}").raise_for_status()
        user = quote(broker.username or "guest")
        management.put(f"/permissions/{name}/{user}", json=everything).raise_for_status()
    yield broker._replace(path=f"/{name}").geturl()
    # On a new connection: the server closes one that lay idle, and may do so just when it is used again.
    with _management(addresses) as management:
        management.delete(f"/vhosts/{name}").raise_for_status()


def _management(addresses: dict[str, str]) -> httpx.Client:
    return httpx.Client(base_url=f"{addresses['management_url']}/api", trust_env=False, timeout=30)
