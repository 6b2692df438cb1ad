"""Pydantic's findings as problems with a line, a cause and a remedy; and what is left of a document
without its unsound parts."""

import copy
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from readystate.adapters.declared.annotation_shape import (
    NAME_PATTERN,
    PATH_PATTERN,
    SHORT_PATTERN,
)
from readystate.domain.declaration import KeyPath, did_you_mean, path_text
from readystate.domain.errors import AnnotationInvalid

#: pydantic's error type -> what we say, and the remedy
_WANTED = {
    "string_type": ("text expected", "put it in quotes"),
    "int_type": ("a whole number expected", "write a number, without quotes"),
    "float_type": ("a number expected", "write a number, without quotes"),
    "bool_type": ("true or false expected", "write true or false, without quotes"),
    "list_type": ("a list expected", "write it as [one, two]"),
    "dict_type": ("keys and values expected", "write it as {key: value}"),
    "model_type": ("keys and values expected", "write it as {key: value}"),
    "model_attributes_type": ("keys and values expected", "write it as {key: value}"),
}
#: pattern -> what it means, what stands between words, what else is allowed
_NAMES = {
    NAME_PATTERN: ("small letters, digits and dashes", "-", ""),
    PATH_PATTERN: ("small letters, digits and dashes, in parts separated by slashes", "-", "/"),
    SHORT_PATTERN: ("small letters, digits and underscores, a letter first", "_", ""),
}


def shape_problems(
    model: type[BaseModel], raw: Mapping[str, Any], lines: Mapping[KeyPath, int], file: str
) -> tuple[list[AnnotationInvalid], dict[str, Any], frozenset[str]]:
    """The problems; the document without the parts that have them; the top-level keys concerned.
    What is left is valid but for keys that are missing."""
    try:
        model.model_validate(raw)
    except ValidationError as error:
        found = error.errors(include_url=False)
    else:
        return [], dict(raw), frozenset()
    problems = []
    sound = copy.deepcopy(dict(raw))
    for item in found:
        path = _path(item["loc"], raw)
        problems.append(_problem(item, path, model, lines, file))
    cuts = {_cut(_path(item["loc"], raw), raw) for item in found}
    for path in sorted(cuts, key=_last_first):
        if path[0] in sound:  # else the problem is that it is missing
            _remove(sound, path)
    failed = frozenset(str(item["loc"][0]) for item in found if item["loc"])
    return problems, sound, failed


def _last_first(path: KeyPath) -> tuple[int, ...]:
    return tuple(-part if isinstance(part, int) else 0 for part in path)


def _path(loc: tuple[str | int, ...], raw: Any) -> KeyPath:
    """Pydantic's location without what it adds: `[key]` markers and branches of a union."""
    path: list[str | int] = []
    value = raw
    for part in loc:
        if part == "[key]":
            continue
        has_part = part in value if isinstance(value, Mapping) else isinstance(value, list)
        if has_part:
            value = value[part]
        elif part is not loc[-1] or not isinstance(value, Mapping):
            continue
        path.append(part)
    return tuple(path)


def _cut(path: KeyPath, raw: Mapping[str, Any]) -> KeyPath:
    """The smallest part that can be left out: an item of a list or map, else the whole key."""
    if not path:
        return ()
    if len(path) > 1 and isinstance(raw.get(str(path[0])), list):
        return path[:2]
    if len(path) > 1 and path[0] in ("when", "attributes", "outputs"):
        return path[:2]
    return path[:1]


def _remove(value: Any, path: KeyPath) -> None:
    *around, last = path
    for part in around:
        value = value[part]
    value.pop(last)  # an index of a list, or a key of a mapping


def _problem(
    item: Any,
    path: KeyPath,
    model: type[BaseModel],
    lines: Mapping[KeyPath, int],
    file: str,
) -> AnnotationInvalid:
    what, why, hint = _words(item, path, model)
    if item["type"] == "missing":
        where = path_text(path[:-1])
        what = f"{where}: {path[-1]} is missing" if where else f"{path[-1]} is missing"
    else:
        where = path_text(path)
        what = f"{where}: {what}" if where else what
    line = next((lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in lines), 1)
    return AnnotationInvalid(what, file=file, line=line, why=why, hint=hint)


def _words(item: Any, path: KeyPath, model: type[BaseModel]) -> tuple[str, str, str]:
    """What, why, hint."""
    kind, given = item["type"], item["input"]
    context = item.get("ctx", {})
    if kind == "extra_forbidden":
        known = _keys_at(model, item["loc"][:-1])
        return "unknown key", "", did_you_mean(str(path[-1]), known, else_hint=_list_of(known))
    if kind in ("literal_error", "enum"):
        words = context["expected"].replace(" or ", ", ").split(", ")
        allowed = [word.strip("'") for word in words]
        hint = did_you_mean(str(given), allowed, else_hint="take one of these")
        return f"{_shown(given)} is not allowed here", f"one of {', '.join(allowed)}", hint
    if kind == "string_pattern_mismatch":
        what, between, also = _NAMES[context["pattern"]]
        better = re.sub(rf"[^a-z0-9{also}]+", between, given.lower())
        better = re.sub(rf"(^|/)[{between}/]+|[{between}/]+(/|$)", r"\1\2", better)
        is_name = re.fullmatch(context["pattern"], better)
        hint = f'did you mean "{better}"?' if is_name else "choose another name"
        return f"{_shown(given)} is not a name", what, hint
    if kind == "missing":
        return "", "", _MISSING_HINTS.get(str(path[-1]), f"add {path[-1]}:")
    if kind in _WANTED:
        what, hint = _WANTED[kind]
        return what, f"this is {_kind(given)}", hint
    return str(item["msg"]).lower(), f"this is {_shown(given)}", "correct it"


_MISSING_HINTS = {
    "role": "role: NAME, the same as the file's name without .yml",
    "summary": "summary: one sentence that says what it brings about",
    "schema": "schema: {type: string} or another JSON Schema",
    "attribute": "attribute: PATH of what is wanted",
}


def _keys_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    current = model
    for part in loc:
        field = next(
            (f for name, f in current.model_fields.items() if part in (name, f.alias)), None
        )
        inner = _model_in(field.annotation) if field is not None else None
        current = inner or current
    return [field.alias or name for name, field in current.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None


def _list_of(keys: list[str]) -> str:
    return f"known here: {', '.join(keys)}"


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= 60 else f"{text[:57]}..."


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "keys and values"
