"""The list of planted bugs keeps up with the code: `make mutants` itself takes minutes, and is not run here."""

import ast

import pytest

from tests.faults.mutants.mutant import REPOSITORY, DoesNotApply, Mutant
from tests.faults.mutants.planted import MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_applies_and_is_still_python(mutant: Mutant):
    ast.parse(mutant.text(REPOSITORY))
    assert [test for test in mutant.tests if not (REPOSITORY / test.partition("::")[0]).exists()] == []


def test_a_bug_for_code_that_is_no_longer_there_is_refused():
    gone = Mutant("gone", "README.md", "no such text", "", ())
    with pytest.raises(DoesNotApply, match="0 times"):
        gone.text(REPOSITORY)


def test_each_bug_is_listed_once():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 15
