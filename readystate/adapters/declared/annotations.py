"""Annotation files to declared roles. Checks every file's shape, and leaves meaning
to `domain.catalog`; no problem hides another, so a file with a bad key still takes part."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from readystate.adapters.declared.annotation_files import AnnotationFiles
from readystate.adapters.declared.annotation_shape import ARGUMENT_KEYS, AnnotationShape
from readystate.adapters.declared.located_yaml import Located, parse_located
from readystate.adapters.declared.shape_problem import shape_problems
from readystate.domain.catalog import Catalog
from readystate.domain.catalog_check import catalog_problems
from readystate.domain.declaration import DeclaredRole
from readystate.domain.errors import AnnotationInvalid, AnnotationsInvalid
from readystate.domain.ids import RoleName
from readystate.domain.role import Declared, Retry, Role, Want


def load_catalog(folder: Path) -> Catalog:
    """All roles of a folder. Raises AnnotationsInvalid with every problem of every file."""
    return build_catalog(AnnotationFiles.read(folder))


def build_catalog(files: AnnotationFiles) -> Catalog:
    """Raises AnnotationsInvalid with every problem of every file."""
    declared, problems = declare_roles(files)
    if problems:
        raise AnnotationsInvalid([*problems, *catalog_problems(declared, unread(files, declared))])
    return Catalog.build(declared)


def declare_roles(files: AnnotationFiles) -> tuple[list[DeclaredRole], list[AnnotationInvalid]]:
    """What can be read, and the problems of shape. Files are named as `<folder name>/<file>`."""
    declared: list[DeclaredRole] = []
    problems = list(files.problems)
    for name, data in files.roles.items():
        one, found = _declare_file(files, name, data)
        problems += found
        if one is not None:
            declared.append(one)
    return declared, problems


def unread(files: AnnotationFiles, declared: Iterable[DeclaredRole]) -> frozenset[RoleName]:
    """Roles whose files could not be read: known by name only."""
    return files.stems - {item.name for item in declared}


def _declare_file(
    files: AnnotationFiles, name: str, data: bytes
) -> tuple[DeclaredRole | None, list[AnnotationInvalid]]:
    file = f"{files.name}/{name}"
    stem, _, suffix = name.rpartition(".")
    if suffix != "yml":
        hint = f"rename it {stem}.yml"
        what = "the file is not named *.yml"
        return None, [AnnotationInvalid(what, file=file, line=1, hint=hint)]
    document, problems = parse_located(data, file)
    if document is None:
        return None, problems
    if not isinstance(document.value, dict):
        what = "the file must hold keys and values"
        return None, [*problems, AnnotationInvalid(what, file=file, line=1, hint="role: NAME")]
    one, more = declared_role(document, file, stem, scripts=files.scripts)
    return one, problems + more


def declared_role(
    document: Located, file: str, stem: str, *, scripts: Mapping[str, bytes]
) -> tuple[DeclaredRole, list[AnnotationInvalid]]:
    """The role as far as its shape is sound, and the problems of its shape."""
    raw: dict[str, Any] = document.value
    problems, sound, failed = shape_problems(AnnotationShape, raw, document.lines, file)
    shape = AnnotationShape.model_validate({"role": "unnamed", "summary": "-", **sound})
    jig, argument, more = _jig(shape, file, document)
    content = {**raw, "role": stem}
    if jig == "script" and argument in scripts:
        # A changed script is changed work, as a changed annotation is.
        content["script"] = hashlib.sha256(scripts[argument]).hexdigest()
    return (
        DeclaredRole(
            role=_role(shape, stem, jig, argument),
            file=file,
            lines=document.lines,
            content=content,
            failed=failed | ({"jig"} if more else set()),
            stated_name=shape.role if "role" in sound else "",
            says_invalidated_by=shape.invalidated_by is not None,
            scripts=frozenset(scripts),
        ),
        problems + more,
    )


def _jig(
    shape: AnnotationShape, file: str, document: Located
) -> tuple[str, str, list[AnnotationInvalid]]:
    given = [key for key in ARGUMENT_KEYS if getattr(shape, key) is not None]
    problems = []

    def refuse(what: str, key: str, *, why: str = "", hint: str = "") -> None:
        line = document.lines.get((key,), 1)
        problems.append(AnnotationInvalid(what, file=file, line=line, why=why, hint=hint))

    for key in given[1:]:
        refuse(
            f"{key}: the jig's argument is given twice",
            key,
            why=f"{given[0]} is there too",
            hint="keep one",
        )
    jig = shape.jig or (ARGUMENT_KEYS[given[0]] if given else None)
    argument = str(getattr(shape, given[0])) if given else ""
    if jig is None:
        if "jig" not in document.value:
            refuse("jig is missing", "role", hint="jig: noop, or call: FUNCTION, script: FILE")
        return "noop", "", problems
    wanted = next((key for key, value in ARGUMENT_KEYS.items() if value == jig), None)
    if given and given[0] != wanted:
        hint = f"{wanted}: ..." if wanted else f"remove {given[0]}"
        refuse(f"{given[0]}: not the argument of the jig {jig}", given[0], hint=hint)
    elif wanted is not None and not argument.strip():
        what = f"{wanted}: empty" if given else f"jig {jig} has no argument"
        refuse(what, wanted if given else "jig", hint=f"{wanted}: NAME says what is carried out")
    return jig, argument, problems


def _role(shape: AnnotationShape, stem: str, jig: str, argument: str) -> Role:
    return Role(
        name=RoleName(stem),
        summary=shape.summary,
        jig=jig,
        argument=argument,
        lane=shape.lane,
        scope=shape.scope,
        flags=frozenset(shape.flags),
        when=tuple(sorted(shape.when.items(), key=lambda item: item[0])),
        requires=_names(shape.requires),
        after=_names(shape.after),
        provides=_names(shape.provides),
        conflicts=_names(shape.conflicts),
        wants=tuple(
            Want(
                attribute=want.attribute,
                source=RoleName(want.from_) if want.from_ is not None else None,
                take=want.as_,
                default=want.default,
                has_default=is_given(want, "default"),
                given_name=want.name or "",
            )
            for want in shape.wants
        ),
        attributes=tuple(
            Declared(
                name=name,
                schema=item.schema_,
                default=item.default,
                has_default=is_given(item, "default"),
                secret=item.secret,
            )
            for name, item in shape.attributes.items()
        ),
        outputs=tuple(
            Declared(name=name, schema=item.schema_, given_name=item.name or "")
            for name, item in shape.outputs.items()
        ),
        reboot=shape.reboot,
        raises=frozenset(shape.raises),
        invalidated_by=frozenset(shape.invalidated_by or ()),
        retry=Retry(shape.retry.attempts, tuple(shape.retry.backoff_s)),
        deadline_s=shape.deadline_s,
        priority=shape.priority,
    )


def _names(names: Iterable[str]) -> tuple[RoleName, ...]:
    return tuple(RoleName(name) for name in names)


def is_given(shape: BaseModel, key: str) -> bool:
    return key in shape.model_fields_set
