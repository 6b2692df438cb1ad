"""YAML that remembers its lines and cannot surprise."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readystate.adapters.declared.located_yaml import Located, parse_located


def parse(text: str) -> Any:
    located, problems = parse_located(text.encode(), "x.yml")
    assert problems == []
    assert located is not None
    return located.value


def test_every_key_and_item_has_its_line() -> None:
    located, _ = parse_located(
        b"# first\na:\n  - b: 1\n  -\n    c: {d: 2,\n        e: 3}\n", "x.yml"
    )

    assert located == Located(
        {"a": [{"b": 1}, {"c": {"d": 2, "e": 3}}]},
        {
            (): 2,
            ("a",): 2,
            ("a", 0): 3,
            ("a", 0, "b"): 3,
            ("a", 1): 5,
            ("a", 1, "c"): 5,
            ("a", 1, "c", "d"): 5,
            ("a", 1, "c", "e"): 6,
        },
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("off", "off"),
        ("12:30", "12:30"),
        ("00:11:22:33:44:55", "00:11:22:33:44:55"),
        ("2026-01-31", "2026-01-31"),
        ("0o17", "0o17"),
        ("017", "017"),
        ("1_000", "1_000"),
        ("=", "="),
        ("<<", "<<"),
        (".inf", ".inf"),
        ("true", True),
        ("~", None),
        ("-17", -17),
        ("1e3", 1000.0),
        ("1.5", 1.5),
        ("'1.5'", "1.5"),
    ],
)
def test_only_plain_scalars_are_more_than_text(text: str, value: Any) -> None:
    found = parse(f"key: {text}\n")["key"]

    assert (found, type(found)) == (value, type(value))


def test_many_duplicate_keys_are_all_reported() -> None:
    _, problems = parse_located(b"a: 1\na: 2\nb: {c: 1, c: 2}\n", "x.yml")

    assert [item.what for item in problems] == [
        "x.yml:2 a: given twice, first in line 1",
        "x.yml:3 b.c: given twice, first in line 3",
    ]


@pytest.mark.parametrize("text", ["[" * 2000, f"a: {'[' * 40}{']' * 40}"])
def test_deep_nesting_is_refused(text: str) -> None:
    _, problems = parse_located(text.encode(), "x.yml")

    assert len(problems) == 1
    assert problems[0].what in ("x.yml:1 nested too deeply", "x.yml:1 a: nested too deeply")


def test_a_bomb_of_aliases_stays_small() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40)]

    located, problems = parse_located("\n".join(lines).encode(), "x.yml")

    assert located is not None
    assert located.value["a39"] == []
    assert len(problems) == 78


@given(st.binary(max_size=60) | st.text(alphabet="ab:- \n[]{}&*!#'\"|>%@\t,?", max_size=60))
def test_any_file_gives_a_document_or_a_problem(content: bytes | str) -> None:
    data = content if isinstance(content, bytes) else content.encode()

    located, problems = parse_located(data, "x.yml")

    assert located is not None or problems
    lines = data.count(b"\n") + 1
    assert all(1 <= item.line <= lines + 1 for item in problems)
