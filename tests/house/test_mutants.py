"""Every clause that `make mutate` drops is still written where it says."""

import os

import pytest

from tools import mutate
from tools.mutate import MUTANTS


def test_every_mutant_still_applies_exactly_once() -> None:
    assert mutate.problems() == []


def test_every_mutant_changes_something_and_says_which_clause_it_drops() -> None:
    assert len(MUTANTS) >= 24
    assert [mutant.name for mutant in MUTANTS if mutant.old == mutant.new] == []
    assert [mutant.name for mutant in MUTANTS if not mutant.drops] == []


def test_the_scenarios_that_are_asked_first_exist() -> None:
    asked = {mutant.noticed_by for mutant in MUTANTS} - {""}
    folder = mutate.ROOT / "tests" / "property"

    assert [name for name in asked if not (folder / f"test_clauses_{name}.py").exists()] == []


def test_the_first_failure_is_read_from_what_pytest_prints() -> None:
    printed = (
        "..F\nFAILED tests/property/test_clauses_runs.py::test_a_doubled_answer_is_refused\n"
        "1 failed, 2 passed in 0.40s\n"
    )

    assert mutate.first_failure(printed) == "test_clauses_runs::test_a_doubled_answer_is_refused"
    assert mutate.first_failure("ERROR tests/property/test_why.py\n") == "test_why"
    assert mutate.first_failure("3 passed in 0.40s\n") == ""


@pytest.mark.skipif(not os.environ.get("LONG"), reason="minutes; LONG=1, or make mutate")
@pytest.mark.timeout(3600)
def test_every_dropped_clause_is_noticed() -> None:
    assert mutate.main([]) == 0
