"""Lanes: files of tests that one worker runs one after the other.

What they share is then started once a test run, and not in each worker: two systems for the end-to-end tests, which
mostly wait, and the services of a folder for its tests. Crash points share nothing, but only compute: in one lane they
use what time those who wait leave. No lane is longer than all that the other workers have to run.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # has no types

_LANES = {
    "killing": (
        "tests/e2e/test_broker_lost_everything",
        "tests/e2e/test_kill_any_service",
        "tests/e2e/test_zoom_outage",
    ),
    "using": ("tests/e2e/",),
    "crashing": ("tests/faults/crashes/test_crash_",),
    "attacking": ("tests/integration/security/",),
    "booking": ("tests/integration/booking_service/",),
    "meeting": ("tests/integration/meeting_service/",),
    "leaving": ("tests/integration/leaving/", "tests/integration/replicas/"),
}


class Lanes(LoadFileScheduling):  # type: ignore[misc]  # as above
    """Keeps on one worker what is in one file, or in one lane."""

    def _split_scope(self, nodeid: str) -> str:
        return lane_of(super()._split_scope(nodeid))


def lane_of(file: str) -> str:
    """Return in which lane a test file goes: in the first that it fits, or alone in one of its own."""
    return next((lane for lane, files in _LANES.items() if file.startswith(files)), file)


@pytest.hookimpl(optionalhook=True)  # xdist may be switched off
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes | None:
    """Take the place of `--dist loadfile`."""
    return Lanes(config, log) if config.getvalue("dist") == "loadfile" else None
