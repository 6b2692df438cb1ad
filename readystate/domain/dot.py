"""The roles of a catalog as a Graphviz graph: parents left of children, soft order dashed."""

from collections.abc import Iterator

from readystate.domain.catalog import Catalog
from readystate.domain.role import Flag, Lane, Role, Scope

_FILL = {Lane.BMC: "#dbeafe", Lane.OS: "#dcfce7", Lane.BOTH: "#fef3c7", Lane.NONE: "#ffffff"}


def to_dot(catalog: Catalog) -> str:
    """The same text for the same roles."""
    return "\n".join(["digraph roles {", *_lines(catalog), "}"]) + "\n"


def _lines(catalog: Catalog) -> Iterator[str]:
    yield '  rankdir=LR; node [style=filled, fontname="sans-serif"];'
    for name, role in catalog.roles.items():
        yield f"  {_quoted(name)} [{_look(role)}];"
    for name in catalog.order():
        for need in catalog.parents(name):
            for parent in catalog.providers(need.name):
                label = "" if parent == need.name else f", label={_quoted(need.name)}"
                yield f"  {_quoted(parent)} -> {_quoted(name)} [tooltip={need.reason}{label}];"
        for soft in catalog.soft_parents(name):
            look = f"style=dashed, constraint=false, tooltip={soft.reason}"
            yield f"  {_quoted(soft.name)} -> {_quoted(name)} [{look}];"


def _look(role: Role) -> str:
    if Flag.MILESTONE in role.flags:
        shape = "doubleoctagon"
    elif Flag.ABSTRACT in role.flags:
        shape = "plaintext"
    else:
        shape = {Scope.NODE: "box", Scope.DEPLOYMENT: "ellipse", Scope.CLUSTER: "box3d"}[role.scope]
    parts = [f"shape={shape}", f"fillcolor={_quoted(_FILL[role.lane])}"]
    if role.is_destructive:
        parts.append('color="#b91c1c", penwidth=2')
    parts.append(f"tooltip={_quoted(role.summary)}")
    return ", ".join(parts)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'
