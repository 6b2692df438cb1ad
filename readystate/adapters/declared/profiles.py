"""Profile files (`annotations/profiles/<name>.yml`), checked against the attributes that the
annotations declare."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, JsonValue

from readystate.adapters.declared.annotation_shape import NameText, PathText, Shape
from readystate.adapters.declared.located_yaml import Located, parse_located
from readystate.adapters.declared.shape_problem import shape_problems
from readystate.domain.declaration import Book, DeclaredRole, did_you_mean
from readystate.domain.errors import AnnotationInvalid
from readystate.domain.json_schema import schema_problem, value_problem
from readystate.domain.profile import RULE_ATTRIBUTES, Profile, overlapping, rule_text

PROFILES = "profiles"  #: folder beside the annotations


class ProfileShape(Shape):
    """A named set of attribute values."""

    profile: Annotated[NameText, Field(description="The same as the file's name without .yml.")]
    summary: Annotated[str, Field(min_length=1, max_length=200, description="One sentence.")]
    attributes: dict[PathText, JsonValue]


def load_profiles(
    folder: Path, declared: Sequence[DeclaredRole]
) -> tuple[tuple[Profile, ...], list[AnnotationInvalid]]:
    """The sound profiles beside the annotations in `folder`, by name, and all problems."""
    profiles: list[Profile] = []
    problems: list[AnnotationInvalid] = []
    book = Book(declared, frozenset())
    where = folder / PROFILES
    for path in sorted(where.glob("*.yml")) if where.is_dir() else ():
        file = f"{folder.name}/{PROFILES}/{path.name}"
        document, found = parse_located(path.read_bytes(), file)
        if document is not None and not isinstance(document.value, dict):
            what = "the file must hold keys and values"
            found.append(AnnotationInvalid(what, file=file, line=1, hint="profile: NAME"))
        elif document is not None:
            reader = _Reader(document, file, book)
            profile = reader.read(path.stem)
            found += reader.problems
            if not found:
                profiles.append(profile)
        problems += found
    return tuple(profiles), problems


class _Reader:
    """One file."""

    def __init__(self, document: Located, file: str, book: Book) -> None:
        self.document = document
        self.file = file
        self.book = book
        self.problems: list[AnnotationInvalid] = []

    def read(self, stem: str) -> Profile:
        """The profile as far as it is sound."""
        self.problems, sound, _ = shape_problems(
            ProfileShape, self.document.value, self.document.lines, self.file
        )
        missing = {"profile": stem, "summary": "-", "attributes": {}}
        shape = ProfileShape.model_validate({**missing, **sound})
        if shape.profile != stem:
            self._refuse(
                f'profile: "{shape.profile}" is not the file\'s name',
                "profile",
                hint=f"profile: {stem}, or rename the file {shape.profile}.yml",
            )
        for name, value in shape.attributes.items():
            self._check(name, value)
        return Profile(shape.profile, shape.summary, shape.attributes)

    def _check(self, name: str, value: Any) -> None:
        path = ("attributes", name)
        if name in self.book.outputs:
            owner = self.book.outputs[name][0].name
            why = f"the role {owner} puts it out"
            self._refuse(f"{name}: no profile may set it", *path, why=why, hint="remove it")
        elif name not in self.book.attributes:
            hint = did_you_mean(name, self.book.attributes, else_hint="remove it")
            self._refuse(f"{name}: no role declares this attribute", *path, hint=hint)
        elif self.book.attributes[name][1].secret:
            why, hint = "a secret in a file is none", "set it in a deployment"
            self._refuse(f"{name}: a secret", *path, why=why, hint=hint)
        elif not schema_problem(schema := self.book.attributes[name][1].schema):
            wrong = value_problem(schema, value)
            if wrong is not None:
                what = f"{name}: the value does not match its schema"
                self._refuse(what, *path, why=wrong, hint="correct it")
            elif name in RULE_ATTRIBUTES:
                self._check_rules(name, value)

    def _check_rules(self, name: str, rules: Sequence[Mapping[str, Any]]) -> None:
        path = ("attributes", name)
        for i, k in overlapping(rules):
            first = self.document.lines[*path, i]
            self._refuse(
                f"{name}: a machine could match this rule and the one in line {first}",
                *path,
                k,
                why=f'"{rule_text(rules[i])}" and "{rule_text(rules[k])}" overlap',
                hint="narrow one of them",
            )

    def _refuse(self, what: str, *path: str | int, why: str = "", hint: str = "") -> None:
        lines = self.document.lines
        line = next(lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in lines)
        self.problems.append(AnnotationInvalid(what, file=self.file, line=line, why=why, hint=hint))
