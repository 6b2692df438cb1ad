"""A role as one file declares it, with the lines on which it does so. The shape is already checked;
what it means together with the others is `catalog.py`'s business."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from readystate.domain.errors import AnnotationInvalid
from readystate.domain.ids import RoleName
from readystate.domain.role import Declared, Role
from readystate.domain.role_order import RoleOrder, derive_raises

KeyPath = tuple[str | int, ...]  #: of a value inside a file: ("wants", 2, "attribute")


_JIG_KEYS = ("jig", "call", "script", "playbook")


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
    scripts: frozenset[str] = frozenset()  #: files that `script` may name

    @property
    def is_script_known(self) -> bool:
        return self.role.argument in self.scripts

    @property
    def name(self) -> RoleName:
        return self.role.name

    @property
    def jig_key(self) -> str:
        """The key that says which jig: `jig`, else the one that holds its argument."""
        return next((key for key in _JIG_KEYS if (key,) in self.lines), "jig")

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

    def need_path(self, need: RoleName) -> KeyPath:
        """Where the role says that it needs this name."""
        if need in self.role.requires:
            return ("requires", self.role.requires.index(need))
        for i, want in enumerate(self.role.wants):
            if want.source == need:
                return ("wants", i, "from")
        return ("when",)


@dataclass(frozen=True)
class Book:
    """The declarations, indexed."""

    declared: Sequence[DeclaredRole]
    unread: frozenset[RoleName]  #: known by name only

    @cached_property
    def by_name(self) -> dict[RoleName, DeclaredRole]:
        return {item.name: item for item in self.declared}

    @cached_property
    def order(self) -> RoleOrder:
        return RoleOrder(
            derive_raises(item.role for item in self.declared),
            defaulted=[item.name for item in self.declared if not item.says_invalidated_by],
        )

    @cached_property
    def outputs(self) -> dict[str, tuple[DeclaredRole, Declared]]:
        return {out.name: (item, out) for item in self.declared for out in item.role.outputs}

    @cached_property
    def attributes(self) -> dict[str, tuple[DeclaredRole, Declared]]:
        return {it.name: (item, it) for item in self.declared for it in item.role.attributes}

    @cached_property
    def names(self) -> frozenset[str]:
        provided = {name for item in self.declared for name in item.role.provides}
        return frozenset({*self.by_name, *provided, *self.unread})

    @property
    def unread_remark(self) -> str:
        if not self.unread:
            return ""
        return f"; not counting what could not be read: {', '.join(sorted(self.unread))}"


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
