"""RabbitMQ and MongoDB in containers, for machines with a Docker engine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import docker  # type: ignore[import-untyped]  # has no types
from docker.errors import DockerException  # type: ignore[import-untyped]  # has no types
from testcontainers.core.container import DockerContainer

from local_stack.mongodb import REPLICA_SET, direct_client, primary_of_one
from local_stack.processes import wait_until
from local_stack.rabbitmq import speaks_amqp

_PING_SECONDS = 2
_START_SECONDS = 120
_USER = "convoke-tests"


def usable() -> bool:
    """Tell whether a Docker engine answers a ping within two seconds."""
    try:
        client = docker.from_env(timeout=_PING_SECONDS)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except (DockerException, OSError):
        return False
    finally:
        client.close()


@contextmanager
def rabbitmq() -> Iterator[dict[str, str]]:
    """Run RabbitMQ and yield its `url` and `management_url`."""
    # A user of our own: RabbitMQ lets its guest in from its own machine only, which to a container we are not.
    server = DockerContainer("rabbitmq:4-management").with_envs(
        RABBITMQ_DEFAULT_USER=_USER, RABBITMQ_DEFAULT_PASS=_USER
    )
    with server.with_exposed_ports(5672, 15672) as container:
        host, port = _address(container, 5672)
        _, management_port = _address(container, 15672)
        _wait(lambda: speaks_amqp(host, port), "rabbitmq")
        yield {
            "url": f"amqp://{_USER}:{_USER}@{host}:{port}/",
            "management_url": f"http://{_USER}:{_USER}@{host}:{management_port}",
        }


@contextmanager
def mongodb() -> Iterator[dict[str, str]]:
    """Run MongoDB as a replica set of one and yield its `url`."""
    server = DockerContainer("mongo:8.0").with_command(f"--replSet {REPLICA_SET} --bind_ip_all")
    with server.with_exposed_ports(27017) as container:
        host, port = _address(container, 27017)
        with direct_client(host, port) as client:
            # The set knows itself by its address inside the container, so clients must not follow what it says.
            _wait(lambda: primary_of_one(client, "127.0.0.1:27017"), "mongodb")
        yield {"url": f"mongodb://{host}:{port}/?directConnection=true"}


def _address(container: DockerContainer, port: int) -> tuple[str, int]:
    return container.get_container_host_ip(), int(container.get_exposed_port(port))


def _wait(ready: Callable[[], bool], name: str) -> None:
    wait_until(ready, name=name, within=_START_SECONDS)
