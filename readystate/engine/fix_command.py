"""What to type for a fix, with the full names of things (`naming`): it must do that and no more."""

import json

from readystate.domain.graph import UNKNOWN
from readystate.domain.node_role import NodeRole
from readystate.engine.naming import node_role_path
from readystate.engine.smallest_fix import Fix, FixVerb
from readystate.ports.store import Reader


def command_for(reader: Reader, fix: Fix) -> str:
    node_role = reader.node_role(fix.node_role_id)
    path = node_role_path(reader, node_role)
    place = path.rpartition("/")[0]
    match fix.verb:
        case FixVerb.SET_ATTRIBUTE:
            told = "VALUE" if fix.value is UNKNOWN else json.dumps(fix.value)
            change = f"--set {fix.subject}={told} --at {_scope(node_role)}:{place}"
            return _plan(reader, node_role, change)
        case FixVerb.COMMIT:
            return _plan(reader, node_role, f"--recommit {path}")
        case FixVerb.RESUME if fix.hold is not None:
            subject = "" if fix.hold.subject_id == 0 else f" {path}"
            return f"readystate resume --{fix.hold.scope}{subject}"
        case FixVerb.SET_AVAILABLE:
            return f"readystate nodes available {place}"
        case FixVerb.ADD_BMC:
            return f"readystate nodes bmc {place} ADDRESS"
        case _:
            return f"readystate {fix.verb} {path}"


def _plan(reader: Reader, node_role: NodeRole, change: str) -> str:
    """A proposal belongs to a deployment: that of the node-role."""
    deployment = reader.deployment(node_role.deployment_id).name
    return f"readystate plan --deployment {deployment} {change}"


def _scope(node_role: NodeRole) -> str:
    return "node" if node_role.node_id is not None else "deployment"
