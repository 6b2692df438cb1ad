"""Broken folders: every problem with file, line, cause and remedy, all in one go. Each case is a
folder of tests/fixtures/annotations-broken with the whole answer beside it."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from readystate.adapters.declared.annotations import load_catalog
from readystate.adapters.declared.check import check_folder, problems_text
from readystate.domain import catalog_check, role_check
from readystate.domain.errors import AnnotationInvalid, AnnotationsInvalid

BROKEN = Path(__file__).resolve().parents[3] / "fixtures" / "annotations-broken"
CASES = sorted(item for item in BROKEN.iterdir() if item.is_dir())


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_a_broken_folder_gets_the_expected_answer(folder: Path) -> None:
    text = problems_text(check_folder(folder))
    expected = folder / "expected"
    if os.environ.get("GOLDEN") == "write":
        expected.write_text(text)

    assert expected.read_text() == text
    assert text


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_every_problem_has_a_remedy_and_names_a_line_that_is_there(folder: Path) -> None:
    for problem in check_folder(folder):
        path = BROKEN / problem.file

        assert path.is_file()
        assert 1 <= problem.line <= path.read_bytes().count(b"\n")
        assert problem.hint
        assert str(problem).startswith(f"{problem.file}:{problem.line} ")


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_problems_are_sorted_by_file_and_line(folder: Path) -> None:
    places = [(problem.file, problem.line) for problem in check_folder(folder)]

    assert sorted(places) == places


@pytest.mark.parametrize(
    "folder",
    [item for item in CASES if not item.name.startswith("profile")],
    ids=lambda folder: folder.name,
)
def test_a_broken_folder_gives_no_catalog(folder: Path) -> None:
    with pytest.raises(AnnotationsInvalid) as refusal:
        load_catalog(folder)

    assert refusal.value.problems
    assert re.match(r"[0-9]+ problems? in declared files: ", str(refusal.value))


def test_ten_broken_files_are_all_reported_in_one_go() -> None:
    files = {problem.file for problem in check_folder(BROKEN / "ten-files")}

    assert files == {f"ten-files/{stem}.yml" for stem in "abcdefghij"}


def test_every_check_finds_something_in_some_broken_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: set[str] = set()

    def spied(check: Callable[..., Iterator[AnnotationInvalid]]) -> Callable[..., Any]:
        def spy(*arguments: Any) -> Iterator[AnnotationInvalid]:
            for problem in check(*arguments):
                found.add(check.__name__)
                yield problem

        return spy

    checks = (*role_check.CHECKS, *catalog_check.CHECKS_OF_EACH, *catalog_check.CHECKS_OF_ALL)
    spies = {spied(check): keys for check, keys in role_check.CHECKS.items()}
    monkeypatch.setattr(role_check, "CHECKS", spies)
    for name in ("CHECKS_OF_EACH", "CHECKS_OF_ALL"):
        monkeypatch.setattr(catalog_check, name, tuple(map(spied, getattr(catalog_check, name))))

    for folder in CASES:
        check_folder(folder)

    assert found == {check.__name__ for check in checks}


def test_secrets_in_files_are_not_repeated_in_messages() -> None:
    for folder in CASES:
        assert "hunter2" not in problems_text(check_folder(folder))
