"""One system for all tests of a worker that attack it, with two tenants in it: one to be attacked and one to attack."""

import uuid
from collections.abc import Iterator

import pytest

from tests.integration.security.system import System
from tests.integration.security.system import system as running_system
from tests.integration.security.tenants import Tenants, two_tenants
from tests.support.queues import rabbitmq_url

__all__ = ["rabbitmq_url"]


@pytest.fixture(scope="package")
def system(
    tmp_path_factory: pytest.TempPathFactory, rabbitmq_url: str, mongodb_url: str, worker_prefix: str
) -> Iterator[System]:
    name = f"{worker_prefix}-attacked-{uuid.uuid4().hex[:4]}"
    folder = tmp_path_factory.mktemp("attacked")
    with running_system(folder, rabbitmq_url, mongodb_url, name) as system:
        yield system


@pytest.fixture(scope="package")
def tenants(system: System) -> Iterator[Tenants]:
    with two_tenants(system) as tenants:
        yield tenants
