"""The shipped graph with nothing to do: its roles, edges, conditions and layered attributes, but
work that ends at once. Padded to thirty roles a node, which is where the graph is going."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import yaml

from readystate.adapters.declared.annotation_files import AnnotationFiles
from readystate.shipped import Shipped, shipped_path

ROLES_A_NODE = 30
DEPLOYMENT_ROLES = 4  #: one vertex of each for all nodes
GOAL = "ready"
FUNCTION = "nothing"  #: what `call` roles carry out

#: What the shipped roles want of a site and do not default.
SITE: Mapping[str, Any] = {
    "services/dns/servers": ["192.0.2.53"],
    "services/ntp/servers": ["192.0.2.123"],
    "network/admin/range": {
        "network": "198.18.0.0/15",
        "first": "198.18.0.10",
        "last": "198.19.255.250",
    },
}


class Work(StrEnum):
    NOOP = "noop"  #: all settled by the annealer itself
    CALL = "call"  #: what has a jig keeps one, and its lane; milestones need no work


def graph_files(work: Work) -> AnnotationFiles:
    read = AnnotationFiles.read(shipped_path(Shipped.ANNOTATIONS))
    shipped = [yaml.safe_load(data) for data in read.roles.values()]
    roles = {role["role"]: _emptied(role, work) for role in shipped}
    on_nodes = sum(role.get("scope", "node") == "node" for role in roles.values())
    extra = [_extra(number, work) for number in range(1, ROLES_A_NODE - on_nodes + 1)]
    roles[GOAL]["requires"] += [role["role"] for role in extra]
    roles |= {role["role"]: role for role in extra}
    texts = {f"{name}.yml": yaml.safe_dump(role) for name, role in roles.items()}
    return AnnotationFiles.of_texts(texts)


def _emptied(role: Mapping[str, Any], work: Work) -> dict[str, Any]:
    """Outputs go, because nothing puts them out; who wanted one still waits for its role."""
    kept = {key: role[key] for key in _KEPT if key in role}
    wants = role.get("wants", [])
    sources = dict.fromkeys([*role.get("requires", []), *_sources(wants)])
    kept["requires"] = list(sources)
    kept["wants"] = [want for want in wants if "from" not in want]
    if work is Work.NOOP or role.get("jig") == "noop":
        flags = [flag for flag in role.get("flags", []) if flag != "destructive"]
        return {**kept, "jig": "noop", "flags": flags}
    return {**kept, **{key: role[key] for key in _OF_WORK if key in role}, "call": FUNCTION}


_KEPT = ("role", "summary", "scope", "when", "after", "attributes", "invalidated_by", "priority")
_OF_WORK = ("lane", "flags", "reboot", "raises")


def _sources(wants: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    return (want["from"] for want in wants if "from" in want)


def _extra(number: int, work: Work) -> dict[str, Any]:
    """A client like those that are there: behind the network, or behind another client."""
    before = [f"client-{number - 1}"] if number % 3 else ["network-admin"]
    if number == 1:
        before = ["network-admin"]
    role: dict[str, Any] = {
        "role": f"client-{number}",
        "summary": "Stands for a role of later.",
        "requires": [*before, "dns-client"],
        "wants": [{"attribute": "os/packages/mirror"}],
    }
    if work is Work.NOOP:
        return {**role, "jig": "noop"}
    return {**role, "call": FUNCTION, "lane": "os"}
