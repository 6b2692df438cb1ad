"""What people call things: `node-7`, `node-7/ntp-client`, `system/dns-service`, or a number."""

from collections.abc import Collection

from readystate.domain.declaration import did_you_mean
from readystate.domain.errors import BadRequest, NotFound
from readystate.domain.graph import HoldScope
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId
from readystate.domain.node import Node
from readystate.domain.node_role import NodeRole
from readystate.ports.store import Reader

#: Names of more digits are no number of ours.
_MOST_DIGITS = 18
#: So many names are looked through for one that was meant.
_LOOKED_THROUGH = 2000


def get_node(reader: Reader, name: str) -> Node:
    """By name, or by number. Raises NotFound with the nearest name there is."""
    try:
        return reader.node(NodeId(int(name)) if _is_number(name) else name)
    except NotFound as error:
        known = [node.name for node in reader.nodes(limit=_LOOKED_THROUGH)]
        hint = did_you_mean(name, known, else_hint="readystate nodes list")
        raise NotFound(f"no node {name!r}", hint=hint) from error


def get_deployment_id(reader: Reader, name: str) -> DeploymentId:
    """Raises NotFound with the nearest name there is."""
    known = {item.name: item.id for item in reader.deployments()}
    if name in known:
        return known[name]
    raise NotFound(
        f"no deployment {name!r}",
        hint=did_you_mean(name, known, else_hint="readystate deployments list"),
    )


def get_node_role(reader: Reader, path: str) -> NodeRole:
    """`NODE/ROLE`, `DEPLOYMENT/ROLE` of a vertex without a node, its role alone where only one
    deployment has it, or a number. Raises NotFound, and BadRequest where two could be meant."""
    if _is_number(path):
        return reader.node_role(NodeRoleId(int(path)))
    place, slash, role = path.rpartition("/")
    if not slash:
        return _only_vertex(reader, role)
    node = _find_node(reader, place)
    if node is not None:
        found = reader.find_node_role(role, node_id=node.id, deployment_id=node.deployment_id)
    else:
        found = _find_vertex(reader, place, role)
    if found is None:
        raise NotFound(
            f"no node-role {path!r}",
            why=f"{role} is not bound to {place}",
            hint=_bound_to(reader, node, role) if node is not None else "",
        )
    return found


def get_hold_subject(reader: Reader, scope: HoldScope, subject: str) -> int:
    """The number of what is held. A node-role's path also names its node and its deployment."""
    match scope:
        case HoldScope.EVERYTHING:
            return 0
        case HoldScope.NODE_ROLE:
            return get_node_role(reader, subject).id
        case HoldScope.NODE:
            return get_node(reader, subject.partition("/")[0]).id
        case HoldScope.DEPLOYMENT:
            if "/" in subject:
                return get_node_role(reader, subject).deployment_id
            return get_deployment_id(reader, subject)


def hold_subject_name(reader: Reader, scope: HoldScope, subject_id: int) -> str:
    match scope:
        case HoldScope.EVERYTHING:
            return ""
        case HoldScope.NODE:
            return reader.node(NodeId(subject_id)).name
        case HoldScope.DEPLOYMENT:
            return reader.deployment(DeploymentId(subject_id)).name
        case HoldScope.NODE_ROLE:
            return node_role_path(reader, reader.node_role(NodeRoleId(subject_id)))


def node_role_path(reader: Reader, node_role: NodeRole) -> str:
    if node_role.node_id is not None:
        return f"{reader.node(node_role.node_id).name}/{node_role.role}"
    return f"{reader.deployment(node_role.deployment_id).name}/{node_role.role}"


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) <= _MOST_DIGITS


def _find_node(reader: Reader, place: str) -> Node | None:
    try:
        return reader.node(NodeId(int(place)) if _is_number(place) else place)
    except NotFound:
        return None


def _find_vertex(reader: Reader, place: str, role: str) -> NodeRole | None:
    known = {item.name: item.id for item in reader.deployments()}
    if place not in known:
        raise NotFound(f"neither a node nor a deployment is called {place!r}")
    return reader.find_node_role(role, node_id=None, deployment_id=known[place])


def _bound_to(reader: Reader, node: Node, role: str) -> str:
    bound = [item.role for item in reader.node_roles(node_id=node.id)]
    return did_you_mean(role, bound, else_hint=f"readystate nodes show {node.name}")


def _only_vertex(reader: Reader, role: str) -> NodeRole:
    found = [
        vertex
        for item in reader.deployments()
        if (vertex := reader.find_node_role(role, node_id=None, deployment_id=item.id)) is not None
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(f"no deployment runs {role!r}", hint=f"write NODE/{role} for one of a node")
    raise BadRequest(
        f"{role!r} could be any of {len(found)}",
        hint=f"write DEPLOYMENT/{role}: {_paths(reader, found)}",
    )


def _paths(reader: Reader, node_roles: Collection[NodeRole]) -> str:
    return ", ".join(node_role_path(reader, item) for item in node_roles)
