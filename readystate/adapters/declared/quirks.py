"""Loads `annotations/quirks/*.yml`: one quirk a file, and `vendors.yml` with the vendors' names.

All problems are reported at once with file and line. A quirk must name the machines it was seen on:
they are checked to match, and to match without contradiction."""

import re
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from readystate.adapters.declared.located_yaml import Located, parse_located
from readystate.domain.errors import AnnotationInvalid, AnnotationsInvalid, Invalid
from readystate.domain.quirk import QUIRK_FIELDS, Machine, Quirk, Quirks, QuirkTable

VENDORS_FILE = "vendors.yml"
_KEYS = {"quirk", "source", "match", "seen_on", "set"}
_FACTS = tuple(item.name for item in fields(Machine))
_DEFAULTS = Quirks()
#: Quirks whose default is None need another example of their type.
_KINDS: dict[str, type] = {"cipher_suite": int}


def load_quirks(folder: Path) -> QuirkTable:
    """Raises AnnotationsInvalid with every problem of the folder."""
    problems: list[AnnotationInvalid] = []
    vendors: Mapping[str, re.Pattern[str]] = {}
    quirks: list[Quirk] = []
    for path in sorted(folder.glob("*.yml")):
        located, found = parse_located(path.read_bytes(), f"quirks/{path.name}")
        problems += found
        if located is None:
            continue
        reader = _Reader(f"quirks/{path.name}", located, problems)
        if path.name == VENDORS_FILE:
            vendors = reader.vendors()
        else:
            quirk = reader.quirk(path.stem)
            if quirk is not None:
                quirks.append(quirk)
    table = QuirkTable(quirks, vendors)
    if not problems:
        problems += _contradictions(table)
    if problems:
        raise AnnotationsInvalid(problems)
    return table


def _contradictions(table: QuirkTable) -> list[AnnotationInvalid]:
    problems = []
    for quirk in table.quirks:
        file, _, line = quirk.place.rpartition(":")
        for machine in quirk.seen_on:
            name = " ".join(filter(None, (machine.vendor, machine.model, machine.firmware)))
            try:
                resolved = table.resolve(machine)
            except Invalid as error:
                problems.append(
                    AnnotationInvalid(
                        error.what, file=file, line=int(line), why=error.why, hint=error.hint
                    )
                )
                continue
            verdict = next(item for item in resolved.trace if item.quirk == quirk.name)
            if not verdict.applies:
                problems.append(
                    AnnotationInvalid(
                        f"seen_on: does not match its own machine {name}",
                        file=file,
                        line=int(line),
                        why=verdict.why,
                        hint="correct the pattern or the machine",
                    )
                )
    return problems


class _Reader:
    """One file; problems go to the shared list."""

    def __init__(self, file: str, located: Located, problems: list[AnnotationInvalid]) -> None:
        self._file = file
        self._value = located.value
        self._lines = located.lines
        self._problems = problems

    def vendors(self) -> Mapping[str, re.Pattern[str]]:
        names = self._mapping(self._value, ())
        found = {name: self._pattern(value, (name,)) for name, value in names.items()}
        return {name: pattern for name, pattern in found.items() if pattern is not None}

    def quirk(self, stem: str) -> Quirk | None:
        before = len(self._problems)
        top = self._mapping(self._value, ())
        for key in top.keys() - _KEYS:
            self._refuse((key,), f"{key}: no such key", self._guess(key, _KEYS))
        for key in sorted(_KEYS - top.keys()):
            self._refuse((), f"{key}: missing", "every quirk has " + ", ".join(sorted(_KEYS)))
        if len(self._problems) > before:
            return None
        if top["quirk"] != stem:
            self._refuse(("quirk",), f"quirk: {top['quirk']!r} is not the file's name", stem)
        match = self._mapping(top["match"], ("match",))
        for key in match.keys() - set(_FACTS):
            self._refuse(("match", key), f"match.{key}: no such fact", self._guess(key, _FACTS))
        if "vendor" not in match:
            self._refuse(("match",), "match.vendor: missing", "a quirk belongs to a vendor")
        patterns = {key: self._pattern(value, ("match", key)) for key, value in match.items()}
        values = self._values(self._mapping(top["set"], ("set",)))
        seen_on = self._machines(top["seen_on"])
        vendor = patterns.get("vendor")
        if len(self._problems) > before or vendor is None:
            return None
        return Quirk(
            name=stem,
            place=f"{self._file}:{self._lines[('quirk',)]}",
            source=str(top["source"]),
            vendor=vendor,
            model=patterns.get("model"),
            firmware=patterns.get("firmware"),
            values=values,
            seen_on=seen_on,
        )

    def _values(self, given: Mapping[str, Any]) -> dict[str, object]:
        values: dict[str, object] = {}
        for name, value in given.items():
            if name not in QUIRK_FIELDS:
                self._refuse(
                    ("set", name), f"set.{name}: no such quirk", self._guess(name, QUIRK_FIELDS)
                )
                continue
            kind = _KINDS.get(name, type(getattr(_DEFAULTS, name)))
            if kind is tuple and isinstance(value, list):
                value = tuple(str(item) for item in value)
            elif kind is float and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)
            if type(value) is not kind:
                self._refuse(
                    ("set", name), f"set.{name}: {value!r} is no {kind.__name__}", "see Quirks"
                )
            values[name] = value
        return values

    def _machines(self, given: Any) -> tuple[Machine, ...]:
        if not isinstance(given, list) or not given:
            self._refuse(("seen_on",), "seen_on: empty", "name one machine that behaves so")
            return ()
        machines = []
        for position, item in enumerate(given):
            facts = self._mapping(item, ("seen_on", position))
            if facts.keys() <= set(_FACTS) and "vendor" in facts:
                machines.append(Machine(**{key: str(value) for key, value in facts.items()}))
            else:
                self._refuse(
                    ("seen_on", position),
                    f"seen_on[{position}]: not a machine",
                    "vendor, and what else is known of model and firmware",
                )
        return tuple(machines)

    def _mapping(self, value: Any, path: tuple[str | int, ...]) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return value
        self._refuse(path, f"{'.'.join(map(str, path)) or 'file'}: not a mapping", "key: value")
        return {}

    def _pattern(self, value: Any, path: tuple[str | int, ...]) -> re.Pattern[str] | None:
        try:
            return re.compile(str(value), re.IGNORECASE)
        except re.error as error:
            where = ".".join(map(str, path))
            self._refuse(path, f"{where}: not a regular expression", "escape it", why=str(error))
            return None

    def _guess(self, key: str, known: Any) -> str:
        close = get_close_matches(key, list(known), n=1)
        return f"did you mean {close[0]!r}?" if close else "known: " + ", ".join(sorted(known))

    def _refuse(self, path: tuple[str | int, ...], what: str, hint: str, *, why: str = "") -> None:
        line = self._lines.get(path) or self._lines.get(()) or 1
        self._problems.append(
            AnnotationInvalid(what, file=self._file, line=line, why=why, hint=hint)
        )
