"""Profiles: named sets of attribute values that are attached to deployments or nodes. And the match
rules by which one profile serves nodes of many models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from readystate.domain.errors import BadRequest

#: attributes whose value is a list of rules, each `{match: {vendor, model}, ...}`
RULE_ATTRIBUTES = ("hardware/bios/profile", "hardware/raid/profile")


@dataclass(frozen=True)
class Profile:
    name: str
    summary: str
    values: Mapping[str, Any]  #: by attribute; never a secret


def choose_rule(
    rules: Sequence[Mapping[str, Any]], *, vendor: str, model: str, attribute: str
) -> Mapping[str, Any]:
    """The one rule that matches. Raises BadRequest when none does, or more than one: which of them
    is meant would be a guess."""
    found = [rule for rule in rules if is_matching(rule, vendor=vendor, model=model)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise BadRequest(
            f"{attribute}: no rule matches {vendor} {model}",
            why=f"{len(rules)} rules were tried",
            hint="add a rule for it, or disable the subsystem for this node",
        )
    raise BadRequest(
        f"{attribute}: {len(found)} rules match {vendor} {model}",
        why="; ".join(rule_text(rule) for rule in found),
        hint="narrow them until one is left",
    )


def is_matching(rule: Mapping[str, Any], *, vendor: str, model: str) -> bool:
    """Upper and lower case are alike; * and ? stand for anything. No model is any model."""
    wanted_vendor, wanted_model = _patterns(rule)
    return _is_like(vendor, wanted_vendor) and _is_like(model, wanted_model)


def overlapping(rules: Sequence[Mapping[str, Any]]) -> tuple[tuple[int, int], ...]:
    """Pairs of rules that some machine could match both of."""
    return tuple(
        (i, k)
        for i, first in enumerate(rules)
        for k, second in enumerate(rules[i + 1 :], start=i + 1)
        if all(
            _can_both_match(one, other)
            for one, other in zip(_patterns(first), _patterns(second), strict=True)
        )
    )


def rule_text(rule: Mapping[str, Any]) -> str:
    return " ".join(_patterns(rule))


def _patterns(rule: Mapping[str, Any]) -> tuple[str, str]:
    match = rule["match"]
    return match["vendor"], match.get("model", "*")


def _is_like(text: str, pattern: str) -> bool:
    # Brackets mean themselves here: model names have them, and nobody expects a set.
    return fnmatchcase(text.lower(), pattern.lower().replace("[", "[[]"))


def _can_both_match(first: str, second: str) -> bool:
    @cache
    def meet(i: int, k: int) -> bool:
        """Whether some text matches the rest of both patterns."""
        a, b = first[i : i + 1].lower(), second[k : k + 1].lower()
        if not a and not b:
            return True
        if a == "*":
            return meet(i + 1, k) or (bool(b) and meet(i, k + 1))
        if b == "*":
            return meet(i, k + 1) or (bool(a) and meet(i + 1, k))
        return bool(a and b) and (a == b or "?" in (a, b)) and meet(i + 1, k + 1)

    return meet(0, 0)
