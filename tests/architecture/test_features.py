"""The table of promises: numbers in names of tests are rows, and a row without a passing test is not passed over."""

import pytest

from tests.faults.mutants.mutant import REPOSITORY
from tests.features.rows import read_rows, rows_in, rows_of
from tests.features.table import Outcome, lines, open_rows, state

ROWS = read_rows()


def test_every_number_in_the_name_of_a_test_is_a_row():
    carried = {file: rows_in(file) for file in (REPOSITORY / "tests").rglob("test_*.py")}
    assert set().union(*carried.values()) > {"F30", "B4"}
    assert {file.name: numbers for file, numbers in carried.items() if numbers - ROWS.keys()} == {}


def test_a_test_may_carry_several_numbers_and_none_is_read_into_a_word():
    assert rows_of("tests/e2e/test_f1.py::test_f28_b9_pause[f30-1]") == ["F28", "B9"]
    assert rows_of("tests/test_a.py::test_hi_f28x_base64_of_b") == []


@pytest.mark.parametrize(
    ("number", "outcomes", "expected"),
    [
        ("F28", [], "MISSING"),
        ("F28", ["passed", "skipped"], "passed"),
        ("F28", ["passed", "failed"], "FAILED"),
        ("F28", ["skipped"], "SKIPPED"),
        ("F18", [], "not ours"),
        ("F18", ["failed"], "FAILED"),
    ],
)
def test_a_row_is_shown_only_by_a_test_that_ran_and_passed(number: str, outcomes: list[Outcome], expected: str):
    assert state(ROWS[number], {"test": outcomes} if outcomes else {}) == expected


def test_what_nobody_asked_for_and_nothing_shows_is_left_out():
    told = [line.split()[0] for line in lines(ROWS.values(), {}) if not line.startswith(" ")]
    assert "F28" in told
    assert "B23" not in told
    assert set(open_rows(ROWS.values(), {})) == {row.number for row in ROWS.values() if row.is_required} - {
        "F18",
        "F20",
    }


def test_the_run_has_only_tests_of_the_rows_and_fails_where_one_is_open(pytester: pytest.Pytester):
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = session")
    pytester.makepyfile(
        """
        import pytest

        def test_f28_pause(): pass
        @pytest.mark.parametrize("n", [1, 2])
        def test_f28_f29_warned(n): assert n < 2
        def test_b9_check_up(): pass
        def test_of_no_row(): assert False
        """
    )
    pytester.makepyfile(test_other="raise NotImplementedError('a file without any of the numbers is not imported')")
    plugin = ("-p", "tests.features.plugin")
    result = pytester.runpytest_inprocess(*plugin, "--rows", "f28 b9 b14")
    result.assert_outcomes(passed=3, failed=1, deselected=1)
    result.stdout.fnmatch_lines(
        ["F28 *FAILED", "*test_f28_f29_warned (2 cases) failed", "B9 *passed", "B14 *MISSING", "open: F28, B14"]
    )
    assert pytester.runpytest_inprocess(*plugin, "--rows", "b9 b14").ret == pytest.ExitCode.TESTS_FAILED
    assert pytester.runpytest_inprocess(*plugin, "--rows", "b9").ret == pytest.ExitCode.OK
