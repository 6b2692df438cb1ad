"""Everything that is wrong with a folder of declared files, in one go: what `readystate check`
prints, offline."""

from collections.abc import Iterable
from pathlib import Path

from readystate.adapters.declared.annotations import load_declared, unread
from readystate.adapters.declared.profiles import load_profiles
from readystate.domain.catalog_check import catalog_problems
from readystate.domain.errors import AnnotationInvalid, AnnotationsInvalid


def check_folder(folder: Path) -> tuple[AnnotationInvalid, ...]:
    """Problems of the annotations and of the profiles beside them, by file and line; none for a
    sound folder. Raises NotFound when there is no such folder."""
    declared, problems = load_declared(folder)
    problems += catalog_problems(declared, unread(folder, declared))
    _, more = load_profiles(folder, declared)
    return AnnotationsInvalid([*problems, *more]).problems


def problems_text(problems: Iterable[AnnotationInvalid]) -> str:
    """For people: place, cause, and the remedy on a line of its own."""
    return "".join(
        f"{problem}\n" + (f"    {problem.hint}\n" if problem.hint else "") for problem in problems
    )
