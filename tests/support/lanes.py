"""End-to-end tests run in three lanes, so that a test run starts three systems and not one in each of its workers.

All take about as long, and none longer than the rest of the tests on the other workers.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # has no types

_FOLDER = "tests/e2e/"
_LANES = {
    "killing": ("test_broker_lost_everything", "test_kill_any_service"),
    "stopping": ("test_shutdown", "test_zoom_outage"),
}


class Lanes(LoadFileScheduling):  # type: ignore[misc]  # as above
    """Keeps on one worker what is in one file, or in one lane."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return lane_of(file) if file.startswith(_FOLDER) else file


def lane_of(file: str) -> str:
    """Return in which lane an end-to-end test file goes."""
    name = file.removeprefix(_FOLDER)
    return _FOLDER + next((lane for lane, files in _LANES.items() if name.startswith(files)), "using")


@pytest.hookimpl(optionalhook=True)  # xdist may be switched off
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes | None:
    """Take the place of `--dist loadfile`."""
    return Lanes(config, log) if config.getvalue("dist") == "loadfile" else None
