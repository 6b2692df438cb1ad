"""What `readystate rack` does, step by step, through the API like anyone else: credentials, scan,
enrol, propose, plan, commit, and then look on until all nodes are ready or nothing moves."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from readystate.cli.client import Api
from readystate.domain.errors import Conflict, Failed
from readystate.domain.secret import Secret

DEPLOYMENT = "rack"
GOAL = "ready"
MILESTONES = ("discovered", "hardware-ready", "installed", "networked", "ready")

#: What the site says about itself. Names are of RFC 2606, addresses of RFC 5737 and RFC 2544:
#: they belong to nobody, and nothing is sent to them.
SITE: Mapping[str, Any] = {
    "services/dns/servers": ["192.0.2.53", "198.51.100.53"],
    "services/dns/search": ["rack.example"],
    "services/dns/domain": "rack.example",
    "services/ntp/servers": ["192.0.2.123"],
    "network/admin/range": {
        "network": "198.18.0.0/15",
        "first": "198.18.0.10",
        "last": "198.19.255.250",
        "gateway": "198.18.0.1",
    },
    "os/packages/mirror": "http://mirror.rack.example/debian",
    "os/disk": {"pick": "smallest"},
}
PROFILES = ("bios-virtualisation", "raid-mirrored-system")
#: Which subsystems are ours on the nodes of a vendor, as its BMC calls itself; where a BMC has no
#: Redfish, none is.
ENABLED: Mapping[str, tuple[str, ...]] = {
    "Dell": ("hardware/bios/enabled", "hardware/raid/enabled"),
    "HPE": ("hardware/bios/enabled", "hardware/raid/enabled"),
    "Supermicro": ("hardware/bios/enabled",),
}
_PAGE = 1000
_POLL_S = 0.1
_COMMIT_ATTEMPTS = 10


@dataclass(frozen=True)
class PlanDigest:
    """What a person reads of a plan before saying yes."""

    nodes: int
    runs: int
    destructive: int
    disks: int  #: that these steps name
    fewest_reboots: int
    most_reboots: int


@dataclass(frozen=True)
class Summary:
    ready_s: Mapping[str, float]  #: by node: from the scan to `ready`
    roles: Sequence[tuple[str, int, float, float]]  #: role, runs, median and longest; slowest first
    retries: int  #: runs that ended otherwise than well


@dataclass(frozen=True)
class RackTour:
    api: Api
    deployment: str = DEPLOYMENT

    def add_deployment(self, username: str, password: Secret) -> None:
        self.api.post("/deployments", {"name": self.deployment})
        self.api.put(
            f"/credentials/{self.deployment}",
            {"username": username, "password": password.reveal(), "deployment": self.deployment},
        )

    def scan(self, bmc_range: str) -> Iterator[Mapping[str, Any]]:
        """Progress of the scan until it is over. Raises Failed."""
        scan = self.api.post("/scans", {"ranges": [bmc_range]})
        while scan["state"] == "running":
            yield scan
            time.sleep(_POLL_S)
            scan = self.api.get(f"/scans/{scan['id']}")
        yield scan
        if scan["state"] != "done":
            raise Failed("the scan failed", why=scan["error"])

    def enroll(self, addresses: Sequence[str] = ()) -> list[dict[str, Any]]:
        """What was seen at these addresses, else all; what discovers them begins at once."""
        body = {"deployment": self.deployment, "addresses": list(addresses)}
        nodes: list[dict[str, Any]] = self.api.post("/sightings/enroll", body)["nodes"]
        return nodes

    def propose(self, nodes: Sequence[Mapping[str, Any]]) -> int:
        """Site, profiles, and `ready` on each node; returns the proposal's number."""
        vendors = {it["node"]: it["vendor"] for it in self.api.items("/sightings")}
        changes: list[dict[str, Any]] = [
            {"change": "set-attribute", "name": name, "value": value}
            for name, value in SITE.items()
        ]
        changes.append(
            {"change": "attach-profiles", "scope": "deployment", "profiles": list(PROFILES)}
        )
        for node in nodes:
            changes += [
                {"change": "set-attribute", "scope": "node", "subject": node["name"],
                 "name": name, "value": True}
                for name in ENABLED.get(vendors[node["name"]], ())
            ]  # fmt: skip
        changes += [{"change": "bind", "role": GOAL, "node": node["name"]} for node in nodes]
        body = {
            "deployment": self.deployment,
            "title": "the rack becomes ready",
            "changes": changes,
        }
        proposal_id: int = self.api.post("/proposals", body)["id"]
        return proposal_id

    def commit(self, proposal_id: int) -> PlanDigest:
        """Look at the plan, and commit exactly that. Raises Conflict when the plan moves faster
        than it can be committed."""
        for _ in range(_COMMIT_ATTEMPTS - 1):
            try:
                return self._commit(proposal_id)
            except Conflict:  # a node that is still being discovered has moved meanwhile
                time.sleep(_POLL_S)
        return self._commit(proposal_id)

    def _commit(self, proposal_id: int) -> PlanDigest:
        plan = self.api.get(f"/proposals/{proposal_id}/plan")
        self.api.post(f"/proposals/{proposal_id}/commit", {"digest": plan["digest"]})
        reboots = plan["reboots"].values()
        return PlanDigest(
            nodes=len({item["node"] for item in plan["added"] if item["node"]}),
            runs=sum(item["count"] for item in plan["runs"]),
            destructive=len(plan["destructive"]),
            disks=len({disk for item in plan["destructive"] for disk in item["disks"]}),
            fewest_reboots=sum(fewest for fewest, _ in reboots),
            most_reboots=sum(most for _, most in reboots),
        )

    # -- looking on ------------------------------------------------------------------------------

    def nodes(self) -> list[dict[str, Any]]:
        return self.api.all("/nodes", deployment=self.deployment)

    def status(self) -> str:
        """finished, working or failed."""
        answer = self.api.get_with_status("/anneal", usual=(202, 409), deployment=self.deployment)
        state: str = answer["state"]
        return state

    def blocker(self, node: str) -> str:
        """The first thing that stands in a node's way, in a few words."""
        for found in self.api.get(f"/nodes/{node}")["blockers"]:
            detail = found["detail"] or found["kind"]
            return f"{found['node_role'].rpartition('/')[2]}: {detail}"
        return ""

    def roots(self, node: str) -> list[str]:
        """Why a node is not ready: a line for each root cause."""
        lines = []
        for why in self.api.items(f"/why/node/{node}"):
            for root in why["roots"]:
                blocker = root["blocker"]
                words = [root["path"], blocker["kind"], blocker["family"], blocker["detail"]]
                words.append(f"BMC {root['bmc']}" if root["bmc"] else "")
                line = "; ".join(word for word in words if word)
                if line not in lines:
                    lines.append(line)
        return lines

    def summary(self, scanned_at: str) -> Summary:
        start = datetime.fromisoformat(scanned_at)
        ready = self.api.all("/node-roles", deployment=self.deployment, role=GOAL)
        runs = self.api.all("/runs")
        took: dict[str, list[float]] = {}
        for run in runs:
            if run["started_at"] and run["finished_at"] and run["outcome"] == "succeeded":
                span = _seconds(run["started_at"], run["finished_at"])
                took.setdefault(run["role"] or f"power {run['action']}", []).append(span)
        roles = [
            (role, len(spans), sorted(spans)[len(spans) // 2], max(spans))
            for role, spans in took.items()
        ]
        return Summary(
            ready_s={
                item["node"]: (datetime.fromisoformat(item["since"]) - start).total_seconds()
                for item in ready
                if item["settled"] and item["since"]
            },
            roles=sorted(roles, key=lambda item: -item[2]),
            retries=sum(run["outcome"] in ("failed", "deferred") for run in runs),
        )


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
