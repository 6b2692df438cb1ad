"""The graph as Graphviz text: of roles, of one node, or of a deployment by role."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from readystate.domain.catalog import Catalog
from readystate.domain.graph import Edge, EdgeKind
from readystate.domain.ids import DeploymentId, NodeRoleId, RoleName
from readystate.domain.node import Node
from readystate.domain.node_role import NodeRole
from readystate.domain.role import Flag
from readystate.engine.queries import state_word
from readystate.ports.store import Reader, Unit, UnitKind

_COLOURS = {
    "proposed": "#e5e7eb",
    "blocked": "#f3f4f6",
    "todo": "#fef9c3",
    "transition": "#bfdbfe",
    "active": "#bbf7d0",
    "error": "#fecaca",
    "skipped": "#ffffff",
    "stale": "#fed7aa",
}
_PAGE = 1000


def draw_roles(catalog: Catalog) -> str:
    """Hard needs solid, order only dashed. An abstract role is drawn as who provides it."""
    lines = [
        _vertex(name, name, shape="doubleoctagon" if Flag.MILESTONE in role.flags else "box")
        for name, role in catalog.roles.items()
        if Flag.ABSTRACT not in role.flags
    ]
    for name, role in catalog.roles.items():
        if Flag.ABSTRACT in role.flags:
            continue
        hard = set(catalog.hard_parent_roles(name))
        lines += [_edge(parent, name) for parent in sorted(hard)]
        soft = {item for need in catalog.soft_parents(name) for item in _bound(catalog, need.name)}
        lines += [_edge(parent, name, is_soft=True) for parent in sorted(soft - hard)]
    return _digraph("roles", lines)


def draw_node(reader: Reader, node: Node) -> str:
    """All node-roles of the node and the parents elsewhere that they rest on."""
    graph = reader.load([Unit(UnitKind.NODE, node.id)])
    lines = []
    for item, node_role in sorted(graph.node_roles.items()):
        elsewhere = item not in graph.focus
        label = f"{node_role.role}\\n{state_word(node_role)}"
        if elsewhere:
            label = f"{_place(reader, node_role)}\\n{label}"
        lines.append(_vertex(str(item), label, state=state_word(node_role), is_dashed=elsewhere))
    for item in sorted(graph.focus):
        lines += [_drawn(edge) for edge in graph.parents[item]]
    return _digraph(node.name, lines)


def draw_deployment(reader: Reader, deployment_id: DeploymentId) -> str:
    """One box for each role, with how many of its node-roles are in which state: node by node it
    could not be read."""
    members = {item.id: item for item in _members(reader, deployment_id)}
    counts: defaultdict[RoleName, Counter[str]] = defaultdict(Counter)
    for item in members.values():
        counts[item.role][state_word(item)] += 1
    lines = [
        _vertex(role, f"{role}\\n{_counted(states)}", state=_worst(states))
        for role, states in sorted(counts.items())
    ]
    joined = {
        (members[edge.parent].role, members[edge.child].role, edge.kind)
        for edge in reader.edges_among(members)
    }
    lines += [
        _edge(parent, child, is_soft=kind is EdgeKind.SOFT)
        for parent, child, kind in sorted(joined)
        if parent != child
    ]
    return _digraph(reader.deployment(deployment_id).name, lines)


def _members(reader: Reader, deployment_id: DeploymentId) -> Iterable[NodeRole]:
    after = 0
    while page := reader.node_roles(deployment_id=deployment_id, after=after, limit=_PAGE):
        yield from page
        after = page[-1].id


def _bound(catalog: Catalog, name: RoleName) -> set[RoleName]:
    return {
        item for item in catalog.providers(name) if Flag.ABSTRACT not in catalog.role(item).flags
    }


def _place(reader: Reader, node_role: NodeRole) -> str:
    if node_role.node_id is not None:
        return reader.node(node_role.node_id).name
    return reader.deployment(node_role.deployment_id).name


def _counted(states: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(states.items()))


def _worst(states: Mapping[str, int]) -> str:
    order = ("error", "transition", "todo", "stale", "blocked", "proposed", "active", "skipped")
    return next(word for word in order if states.get(word))


def _drawn(edge: Edge) -> str:
    return _edge(_id(edge.parent), _id(edge.child), is_soft=not edge.counts, label=edge.reason)


def _id(item: NodeRoleId) -> str:
    return str(item)


def _vertex(
    name: str, label: str, *, shape: str = "box", state: str = "", is_dashed: bool = False
) -> str:
    style = "filled,dashed" if is_dashed else "filled"
    look = f'shape={shape} style="{style}" fillcolor="{_COLOURS.get(state, "#ffffff")}"'
    return f"  {_quoted(name)} [label={_quoted(label)} {look}];"


def _edge(parent: str, child: str, *, is_soft: bool = False, label: str = "") -> str:
    style = "dashed" if is_soft else "solid"
    told = f" tooltip={_quoted(label)}" if label else ""
    return f"  {_quoted(parent)} -> {_quoted(child)} [style={style}{told}];"


def _quoted(text: str) -> str:
    r"""`\n` stays Graphviz's own line break."""
    return '"' + text.replace('"', '\\"') + '"'


def _digraph(name: str, lines: Iterable[str]) -> str:
    head = '  graph [rankdir=LR];\n  node [fontname="sans-serif" fontsize=10];'
    return f"digraph {_quoted(name)} {{\n{head}\n" + "\n".join(lines) + "\n}\n"
