"""A system with two replicas of meeting-service, and one tenant that uses it."""

import uuid
from collections.abc import Iterator

import pytest

from auth_service.domain.clients import TENANT_SCOPES
from local_stack.tenant import Tenant
from tests.integration.security.system import System
from tests.integration.security.system import system as running_system
from tests.support.queues import rabbitmq_url

__all__ = ["rabbitmq_url"]


@pytest.fixture(scope="package")
def system(
    tmp_path_factory: pytest.TempPathFactory, rabbitmq_url: str, mongodb_url: str, worker_prefix: str
) -> Iterator[System]:
    name = f"{worker_prefix}-replicas-{uuid.uuid4().hex[:4]}"
    folder = tmp_path_factory.mktemp("replicas")
    with running_system(folder, rabbitmq_url, mongodb_url, name, replicas={"meeting-service": 2}) as system:
        yield system


@pytest.fixture
def tenant(system: System) -> Iterator[Tenant]:
    _, credentials = system.organization(f"tenant-{uuid.uuid4().hex[:4]}", TENANT_SCOPES)
    with Tenant(system, credentials) as tenant:
        yield tenant
