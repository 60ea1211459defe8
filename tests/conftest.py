"""Fixtures every test may ask for; they live beside what they start, in `tests/support`."""

import functools
import gc
import ssl
import sys
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
import structlog

from convoke import due_work

pytest_plugins = ["tests.support.lanes", "tests.support.servers", "pytester"]

LONGEST_FIRST = (
    "tests/e2e/",
    "tests/faults/",
    "tests/integration/booking_service/",
    "tests/integration/security/",
    "tests/integration/meeting_service/",
    "tests/integration/leaving/",
    "tests/integration/convoke/test_safe_defaults.py",
    "tests/integration/local_stack/",
    "tests/integration/",
)


def pytest_sessionstart() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage from here on, and only in what is made now: collecting makes none, and took a third longer."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that at the end no worker is left alone with one of them."""
    items.sort(key=lambda item: [not item.nodeid.startswith(folder) for folder in LONGEST_FIRST])


@pytest.fixture(autouse=True, scope="session")
def plain_logs() -> None:
    """Log in plain lines: structlog's own default lays out every local variable of a traceback, which takes seconds."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
        ]
    )


@pytest.fixture(autouse=True, scope="session")
def certificates_read_once() -> Iterator[None]:
    """Read the known authorities once: it takes 50 ms for each HTTP client, and nearly every test makes some."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))
        yield


@pytest.fixture(autouse=True, scope="session")
def sniffio_is_known_to_be_missing() -> Iterator[None]:
    """Look for it once: httpcore does so for each lock of each connection, half a millisecond along the whole path."""
    with pytest.MonkeyPatch.context() as patch:
        if find_spec("sniffio") is None:
            patch.setitem(sys.modules, "sniffio", None)
        yield


@pytest.fixture(autouse=True, scope="session")
def jumping_clocks_are_noticed() -> Iterator[None]:
    """Have the workers inside of tests look every second: none foresees that a test moves its clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(due_work, "LOOK_EVERY", 1.0)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what tests have counted: how many worlds, steps or faults they went through."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "counted":
                terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {value}")
