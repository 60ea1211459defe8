"""One running system for all end-to-end tests of a worker, whole again before each of them."""

from collections.abc import Iterator

import pytest

from tests.e2e.world import World
from tests.e2e.world import world as running_world


@pytest.fixture(scope="package")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run the system on servers of its own, also where the environment names some: the tests kill them."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("RABBITMQ_URL", raising=False)
        environment.delenv("MONGODB_URL", raising=False)
        with running_world(tmp_path_factory.mktemp("system")) as world:
            yield world


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """Return the system with everything running and no fault left over from another test."""
    shared_world.heal()
    yield shared_world
    shared_world.heal()
