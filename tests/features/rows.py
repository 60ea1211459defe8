"""The rows of `rows.toml`, and which of them a test's name carries."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("rows.toml")
NUMBER = re.compile(r"_([fb]\d+)(?=_|$)")


@dataclass(frozen=True)
class Row:
    """`not_ours` is the reason why there is nothing to show, or empty."""

    number: str
    title: str
    is_required: bool
    not_ours: str


def read_rows() -> dict[str, Row]:
    """Return all rows by number, the required ones first."""
    told = tomllib.loads(FILE.read_text())
    required, titles, not_ours = list(_spelled_out(told["required"])), told["titles"], told["not_ours"]
    others = [number for number in titles if number not in required]
    return {
        number: Row(number, titles[number], number in required, not_ours.get(number, ""))
        for number in [*required, *others]
    }


def rows_of(test: str) -> list[str]:
    """Return the numbers that a test carries, which is given by its name or its pytest node id."""
    name = test.rpartition(".py::")[2].partition("[")[0]
    return [number.upper() for number in NUMBER.findall(name)]


def rows_in(file: Path) -> set[str]:
    """Return the numbers that the tests of a file carry."""
    names = re.findall(r"^ *(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
    return {number for name in names for number in rows_of(f"{file}::{name}")}


def _spelled_out(ranges: Sequence[str]) -> Iterator[str]:
    for written in ranges:
        first, _, last = written.partition("-")
        for number in range(int(first[1:]), int((last or first)[1:]) + 1):
            yield f"{first[0]}{number}"
