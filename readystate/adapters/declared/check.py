"""Everything that is wrong with a folder of declared files, in one go: what `readystate check`
prints, offline."""

from collections.abc import Iterable
from pathlib import Path

from readystate.adapters.declared.annotation_files import AnnotationFiles
from readystate.adapters.declared.annotations import declare_roles, unread
from readystate.adapters.declared.profiles import load_profiles
from readystate.adapters.declared.quirks import load_quirks
from readystate.domain.catalog_check import catalog_problems
from readystate.domain.errors import AnnotationInvalid, AnnotationsInvalid, NotFound

QUIRKS = "quirks"  #: folder beside the annotations


def check_folder(folder: Path) -> tuple[AnnotationInvalid, ...]:
    """Problems of the annotations, profiles and quirks of a folder, by file and line; none if it is
    sound. Raises NotFound when there is no such folder."""
    if not folder.is_dir():
        raise NotFound(f"no folder {folder}", hint="name a folder of annotations")
    files = AnnotationFiles.read(folder)
    if not files.roles and not files.problems:
        return (_nothing_in(folder),)
    declared, problems = declare_roles(files)
    problems += catalog_problems(declared, unread(files, declared))
    _, more = load_profiles(folder, declared)
    return AnnotationsInvalid([*problems, *more, *_quirk_problems(folder)]).problems


def _nothing_in(folder: Path) -> AnnotationInvalid:
    return AnnotationInvalid(
        f"no annotation files in {folder}",
        file=folder.name,
        line=1,
        why="none of its files ends in .yml or .yaml",
        hint="name the folder that holds the annotations",
    )


def _quirk_problems(folder: Path) -> tuple[AnnotationInvalid, ...]:
    if not (folder / QUIRKS).is_dir():
        return ()
    try:
        load_quirks(folder / QUIRKS)
    except AnnotationsInvalid as error:
        return error.problems
    return ()


def problems_text(problems: Iterable[AnnotationInvalid]) -> str:
    """For people: place, cause, and the remedy on a line of its own."""
    return "".join(
        f"{problem}\n" + (f"    {problem.hint}\n" if problem.hint else "") for problem in problems
    )
