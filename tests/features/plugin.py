"""`make features`: runs the tests that carry numbers of rows, and prints row, title, tests and how they ended.

A plugin of pytest: `pytest -p tests.features.plugin --rows "F28 F29"` does it for two rows.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.features.rows import Row, read_rows, rows_in, rows_of
from tests.features.table import Outcome, lines, open_rows

WORSE: Mapping[Outcome, int] = {"passed": 0, "skipped": 1, "failed": 2}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rows", default="", help="only these rows, for instance 'F28 F29': all of them are required")


def pytest_configure(config: pytest.Config) -> None:
    asked = set(config.getoption("rows").upper().split())
    if unknown := asked - read_rows().keys():
        raise pytest.UsageError(f"no such row: {', '.join(sorted(unknown))}; tests/features/rows.toml has them all")
    rows = [replace(row, is_required=True) for row in read_rows().values() if row.number in asked]
    config.pluginmanager.register(Features(rows or list(read_rows().values())))


class Features:
    """Keeps how each test ended, on the process that gathers the results of all workers."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows
        self._numbers = {row.number for row in rows}
        self._outcomes: dict[str, Outcome] = {}

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Pass over a file that names none of the rows: reading it costs less than importing it."""
        if collection_path.suffix != ".py" or self._numbers.intersection(rows_in(collection_path)):
            return None
        return True

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out the tests that show none of the rows."""
        chosen: list[pytest.Item] = []
        left_out: list[pytest.Item] = []
        for item in items:
            (chosen if self._numbers.intersection(rows_of(item.nodeid)) else left_out).append(item)
        config.hook.pytest_deselected(items=left_out)
        items[:] = chosen

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            before = self._outcomes.get(report.nodeid, "passed")
            self._outcomes[report.nodeid] = max(before, report.outcome, key=WORSE.__getitem__)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail where a required row is open, unless it failed for another reason already."""
        nothing_worse = session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
        if nothing_worse and open_rows(self._rows, self._outcomes):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("features")
        for line in lines(self._rows, self._outcomes):
            terminalreporter.write_line(line)
        missing = open_rows(self._rows, self._outcomes)
        terminalreporter.write_line(f"open: {', '.join(missing)}" if missing else "every required row is shown")
