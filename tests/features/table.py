"""How the tests of each row ended, as lines to print."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from tests.features.rows import Row, rows_of

Outcome = Literal["passed", "failed", "skipped"]
IN_ORDER = {"passed", "not ours"}


def tests_by_row(outcomes: Mapping[str, Outcome]) -> dict[str, dict[str, list[Outcome]]]:
    """Return row → test → its outcomes, one for each set of parameters; `outcomes` is by node id."""
    found: dict[str, dict[str, list[Outcome]]] = {}
    for node_id, outcome in sorted(outcomes.items()):
        for number in rows_of(node_id):
            found.setdefault(number, {}).setdefault(node_id.partition("[")[0], []).append(outcome)
    return found


def state(row: Row, tests: Mapping[str, list[Outcome]]) -> str:
    """Return `passed`, `not ours`, `FAILED`, `SKIPPED` or `MISSING`: what was only skipped shows nothing."""
    outcomes = {outcome for each in tests.values() for outcome in each}
    if not outcomes:
        return "not ours" if row.not_ours else "MISSING"
    if "failed" in outcomes:
        return "FAILED"
    return "passed" if "passed" in outcomes else "SKIPPED"


def lines(rows: Iterable[Row], outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    """Yield the table: the required rows, then the others that have tests."""
    found = tests_by_row(outcomes)
    for row in rows:
        tests = found.get(row.number, {})
        if tests or row.is_required:
            yield f"{row.number:4} {row.title:72} {state(row, tests)}"
            yield from _shown_by(row, tests)


def open_rows(rows: Iterable[Row], outcomes: Mapping[str, Outcome]) -> list[str]:
    """Return the numbers of the required rows that no passing test shows."""
    found = tests_by_row(outcomes)
    return [row.number for row in rows if row.is_required and state(row, found.get(row.number, {})) not in IN_ORDER]


def _shown_by(row: Row, tests: Mapping[str, list[Outcome]]) -> Iterator[str]:
    if not tests and row.not_ours:
        yield f"       {row.not_ours}"
    for test, outcomes in tests.items():
        cases = f" ({len(outcomes)} cases)" if len(outcomes) > 1 else ""
        bad = "".join(f" {outcome}" for outcome in sorted(set(outcomes)) if outcome != "passed")
        yield f"       {test.removeprefix('tests/')}{cases}{bad}"
