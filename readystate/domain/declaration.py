"""A role as one file declares it, with the lines on which it does so. The shape is already checked;
what it means together with the others is `catalog.py`'s business."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from readystate.domain.errors import AnnotationInvalid
from readystate.domain.ids import RoleName
from readystate.domain.role import Role

KeyPath = tuple[str | int, ...]  #: of a value inside a file: ("wants", 2, "attribute")


@dataclass(frozen=True)
class DeclaredRole:
    role: Role
    file: str
    lines: Mapping[KeyPath, int] = field(
        default_factory=dict
    )  #: path of a key or item -> line, from 1
    content: Mapping[str, Any] = field(default_factory=dict)  #: the file's data, JSON only
    failed: frozenset[str] = frozenset()  #: keys whose shape is wrong: reported already
    stated_name: str = ""  #: `role:` in the file; must be the file's stem, which is `role.name`
    says_invalidated_by: bool = False  #: else the catalog fills in the default
    is_script_known: bool = True  #: False: `script` names a file that is not there

    @property
    def name(self) -> RoleName:
        return self.role.name

    def line(self, *path: str | int) -> int:
        """The line of the value, or of the nearest thing around it that has one."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return self.lines.get((), 1)

    def says(self, *keys: str) -> bool:
        """Whether all these keys are sound, so that meaning may be read from them."""
        return not self.failed.intersection(keys)

    def place(self, *path: str | int) -> str:
        return f"{self.file}:{self.line(*path)}"

    def problem(
        self, what: str, *path: str | int, why: str = "", hint: str = ""
    ) -> AnnotationInvalid:
        where = path_text(path)
        return AnnotationInvalid(
            f"{where}: {what}" if where else what,
            file=self.file,
            line=self.line(*path),
            why=why,
            hint=hint,
        )


def path_text(path: KeyPath) -> str:
    """`wants[2].attribute`; a name with a slash stands in brackets too."""
    text = ""
    for part in path:
        if isinstance(part, int) or "/" in part:
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def did_you_mean(name: str, candidates: Iterable[str], *, else_hint: str = "") -> str:
    close = get_close_matches(name, sorted(set(candidates)), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else else_hint
