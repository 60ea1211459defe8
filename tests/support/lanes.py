"""End-to-end tests run in two lanes, so that a test run starts two systems and not one in each of its workers.

What kills parts of the system goes beside what only uses it: both take about as long.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # has no types

_FOLDER = "tests/e2e/"
_KILLING = ("test_broker_lost_everything", "test_kill_any_service", "test_shutdown", "test_zoom_outage")


class Lanes(LoadFileScheduling):  # type: ignore[misc]  # as above
    """Keeps on one worker what is in one file, or in one lane."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return lane_of(file) if file.startswith(_FOLDER) else file


def lane_of(file: str) -> str:
    """Return in which lane an end-to-end test file goes."""
    return f"{_FOLDER}{'killing' if file.removeprefix(_FOLDER).startswith(_KILLING) else 'using'}"


@pytest.hookimpl(optionalhook=True)  # xdist may be switched off
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes | None:
    """Take the place of `--dist loadfile`."""
    return Lanes(config, log) if config.getvalue("dist") == "loadfile" else None
