"""Match rules: exactly one may fit a machine, and two that could both fit are found beforehand."""

from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readystate.domain.errors import BadRequest
from readystate.domain.profile import choose_rule, is_matching, overlapping


def rule(vendor: str, model: str | None = None) -> dict[str, Any]:
    match = {"vendor": vendor} if model is None else {"vendor": vendor, "model": model}
    return {"match": match, "settings": {}}


def choose(*rules: dict[str, Any]) -> Any:
    return choose_rule(
        rules, vendor="Dell", model="PowerEdge R640", attribute="hardware/bios/profile"
    )


def test_the_one_rule_that_matches_is_chosen() -> None:
    assert choose(rule("HPE"), rule("dell", "poweredge r6*")) == rule("dell", "poweredge r6*")


def test_no_matching_rule_is_refused() -> None:
    with pytest.raises(BadRequest, match="no rule matches Dell PowerEdge R640"):
        choose(rule("HPE"), rule("Dell", "PowerEdge R7*"))


def test_two_matching_rules_are_refused_and_named() -> None:
    with pytest.raises(BadRequest, match=r"2 rules match .*Dell \*; \* \*R640"):
        choose(rule("Dell"), rule("*", "*R640"))


def test_brackets_in_model_names_mean_themselves() -> None:
    assert is_matching(rule("Acme", "X[1]*"), vendor="Acme", model="X[1]-a")
    assert not is_matching(rule("Acme", "X[1]"), vendor="Acme", model="X1")


def test_rules_that_no_machine_could_both_match_do_not_overlap() -> None:
    assert (
        overlapping([rule("Dell"), rule("HPE"), rule("Dell*x", "A?"), rule("Dell*x", "B*")]) == ()
    )


def test_rules_that_some_machine_could_both_match_overlap() -> None:
    assert overlapping([rule("Dell*", "R6*"), rule("HPE"), rule("dell inc.", "*40")]) == ((0, 2),)


PATTERNS = st.text(alphabet="aB*?[", max_size=5)


@given(PATTERNS, PATTERNS, st.text(alphabet="abB[", max_size=6))
def test_a_machine_that_matches_two_rules_proves_their_overlap(a: str, b: str, text: str) -> None:
    rules = [rule(a), rule(b)]

    both = all(is_matching(item, vendor=text, model="m") for item in rules)

    assert not both or overlapping(rules) == ((0, 1),)


@given(st.text(alphabet="ab*?", max_size=4), st.text(alphabet="ab*?", max_size=4))
def test_an_overlap_is_proved_by_some_machine(a: str, b: str) -> None:
    """All texts of up to four letters; longer ones are never needed for patterns this short."""
    texts = [""]
    for _ in range(6):
        texts += [text + letter for text in texts for letter in "ab" if len(text) < 6]
    proved = any(fnmatchcase(text, a) and fnmatchcase(text, b) for text in set(texts))

    assert bool(overlapping([rule(a), rule(b)])) == proved
