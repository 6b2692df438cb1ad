"""YAML with the line of every key and item. A subset that cannot surprise: YAML 1.2's core scalars
(`on` and `12:30` are text), text keys, no duplicate keys, no anchors, no tags."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from readystate.domain.declaration import KeyPath, path_text
from readystate.domain.errors import AnnotationInvalid

MAX_FILE_BYTES = 256 * 1024  #: the largest shipped one has 5 kB
MAX_DEPTH = 32  #: schemas nest; whoever checks them does so level by level


@dataclass(frozen=True)
class Located:
    """A document and where each part of it stands."""

    value: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)  #: () is the document itself


class _CoreLoader(yaml.SafeLoader):
    """YAML 1.1 turns `on`, `1:30` and `2026-01-01` into something else; 1.2 does not."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way to say this


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+",
        list("-+.0123456789"),
    ),
):
    _CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first
    )


def parse_located(data: bytes, file: str) -> tuple[Located | None, list[AnnotationInvalid]]:
    """The document, or None when it cannot be read at all; and every problem found."""

    def refuse(what: str, line: int, *, why: str = "", hint: str = "") -> AnnotationInvalid:
        return AnnotationInvalid(what, file=file, line=line, why=why, hint=hint)

    if len(data) > MAX_FILE_BYTES:
        return None, [
            refuse(
                f"the file is too large ({len(data)} bytes)",
                1,
                why=f"at most {MAX_FILE_BYTES} bytes are read",
                hint="split it, or move data out of it",
            )
        ]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return None, [
            refuse("the file is not UTF-8", line, why=error.reason, hint="save it as UTF-8")
        ]
    try:
        root = yaml.compose(text, Loader=_CoreLoader)
    except yaml.MarkedYAMLError as error:
        return None, [_syntax_problem(error, text, file)]
    except yaml.YAMLError as error:  # the reader's: characters that YAML does not allow
        position = getattr(error, "position", 0)
        return None, [
            refuse(
                "not YAML",
                text.count("\n", 0, position) + 1,
                why=str(getattr(error, "reason", "")),
                hint="remove the unprintable character",
            )
        ]
    except RecursionError:
        return None, [refuse("nested too deeply", 1, hint="an annotation needs a few levels")]
    if root is None:
        return None, [refuse("the file is empty", 1, hint="write it, or remove it")]
    reader = _Reader(file)
    value = reader.read(root, ())
    reader.lines[()] = root.start_mark.line + 1
    return Located(value, reader.lines), reader.problems


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, file: str) -> AnnotationInvalid:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else 1
    source = text.splitlines()[line - 1] if line <= len(text.splitlines()) else ""
    if "\t" in source[: len(source) - len(source.lstrip())] or "'\\t'" in (error.problem or ""):
        return AnnotationInvalid(
            "a tab stands where YAML wants spaces",
            file=file,
            line=line,
            hint="indent with two spaces",
        )
    context = f" {error.context}" if error.context else ""
    return AnnotationInvalid(
        "not YAML",
        file=file,
        line=line,
        why=f"{error.problem or 'syntax error'}{context}",
        hint="look at brackets, quotes and indentation, here and just above",
    )


class _Reader:
    """Turns nodes into values, and remembers where they stood."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[AnnotationInvalid] = []
        self._seen: set[int] = set()
        self._scalars = yaml.constructor.SafeConstructor()

    def read(self, node: yaml.Node, path: KeyPath) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._seen.add(id(node))
        if len(path) >= MAX_DEPTH:
            self._refuse(node, path[:1], "nested too deeply", f"at most {MAX_DEPTH} levels")
            return None
        if isinstance(node, yaml.SequenceNode):
            return list(self._items(node, path))
        return dict(self._pairs(node, path))

    def _is_alias(self, node: yaml.Node, path: KeyPath) -> bool:
        """Aliases could make a small file endless, so they are left out."""
        if isinstance(node, yaml.ScalarNode) or id(node) not in self._seen:
            return False
        self._refuse(node, path, "anchors and aliases are not read", "write the value out")
        return True

    def _items(self, node: yaml.SequenceNode, path: KeyPath) -> Iterator[Any]:
        read = 0
        for child in node.value:
            if not self._is_alias(child, (*path, read)):
                self.lines[(*path, read)] = child.start_mark.line + 1
                yield self.read(child, (*path, read))
                read += 1

    def _pairs(self, node: yaml.Node, path: KeyPath) -> Iterator[tuple[str, Any]]:
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(key_node, path, "a key must be text", "quote it")
                continue
            key = self._scalar(key_node, path)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                self._refuse(key_node, path, f"the key {key_node.value} is not text", "quote it")
            elif key in first:
                self._refuse(
                    key_node,
                    (*path, key),
                    f"given twice, first in line {first[key]}",
                    "keep one of them",
                )
            elif not self._is_alias(value_node, (*path, key)):
                first[key] = line
                self.lines[(*path, key)] = line
                yield key, self.read(value_node, (*path, key))

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        if not re.fullmatch(r"tag:yaml\.org,2002:(null|bool|int|float|str)", node.tag):
            self._refuse(node, path, f"the tag {node.tag} is not read", "remove it")
            return node.value
        return self._scalars.construct_object(node)

    def _refuse(self, node: yaml.Node, path: KeyPath, what: str, hint: str) -> None:
        where = path_text(path)
        self.problems.append(
            AnnotationInvalid(
                f"{where}: {what}" if where else what,
                file=self.file,
                line=node.start_mark.line + 1,
                hint=hint,
            )
        )
