"""What a rack is in the end, as readystate believes it and as the machines have it, in a form that
two racks can be compared by; and what must hold of the way there."""

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from readystate.cli.client import Api
from readystate.lab.control_client import LabClient
from tests.e2e.crash.mortal_rack import MortalRack

#: The files of an installed system that no two installations share: keys and identity made anew.
_OWN_TO_AN_INSTALLATION = (
    "/etc/ssh/ssh_host_ed25519_key",
    "/etc/ssh/ssh_host_ed25519_key.pub",
    "/etc/machine-id",
)
#: Our public key, made anew for each rack.
_OUR_KEY = re.compile(r"ssh-ed25519 [A-Za-z0-9+/=]+( readystate\S*)?")
#: Of the lab: which loopback network it found free, and the port of the API.
_LOOPBACK = re.compile(r"\b127\.(\d+)\.(\d+\.\d+)\b")
_API_PORT = re.compile(r"(http://127\.0\.0\.1):\d+")


@dataclass(frozen=True)
class EndState:
    node_roles: dict[str, Any]  #: by path: state, whether stale, outputs
    machines: dict[str, Any]  #: by node
    wipes: dict[str, int]  #: by node: how often a disk was really wiped


def end_state(rack: MortalRack, api: Api) -> EndState:
    """Equal for two racks that came to the same end. Left out is only what is named above, and
    which of the free admin addresses a node got: they are given in the order of asking."""
    node_roles = {
        item["path"]: (item["state"], item["stale"], item["outputs"])
        for item in api.all("/node-roles")
    }
    addresses = {
        path.partition("/")[0]: outputs["network/admin/address"]
        for path, (_, _, outputs) in node_roles.items()
        if "network/admin/address" in outputs
    }
    assert len(addresses) == len(set(addresses.values())), f"one address for two: {addresses}"
    machines, wipes = {}, {}
    for item in rack.lab.client.status()["machines"]:
        name = f"node-{item['number']}"
        machines[name] = _machine(rack.lab.client, item["bmc_address"])
        wipes[name] = item["ledger"]["wipes"]
    return EndState(_alike(node_roles, addresses), _alike(machines, addresses), wipes)


def _machine(lab: LabClient, address: str) -> dict[str, Any]:
    truth = lab.truth(address)
    files = lab.files(address)
    return {
        "state": truth["state"],
        "hostname": truth["hostname"],
        "inventory": truth["inventory"],
        "bios": truth["bios"],
        "volumes": truth["volumes"],
        "files": {
            path: text for path, text in files.items() if path not in _OWN_TO_AN_INSTALLATION
        },
    }


def _alike(found: Any, addresses: dict[str, str]) -> Any:
    """As JSON holds it, with what is the rack's own in every text replaced."""
    if isinstance(found, dict):
        return {key: _alike(value, addresses) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [_alike(value, addresses) for value in found]
    if not isinstance(found, str):
        return found
    for name, address in addresses.items():
        found = re.sub(rf"\b{re.escape(address)}\b", f"address of {name}", found)
    found = _OUR_KEY.sub("our key", found)
    found = _LOOPBACK.sub(lambda match: f"127.{int(match[1]) % 2}.{match[2]}", found)
    return _API_PORT.sub(r"\1", found)


def differences(expected: EndState, found: EndState) -> list[str]:
    """A line for each place where they differ."""
    lines = []
    for what in ("node_roles", "machines"):
        before, after = getattr(expected, what), getattr(found, what)
        for key in sorted({*before, *after}):
            if before.get(key) != after.get(key):
                lines.append(f"{key}: {_first_difference(before.get(key), after.get(key))}")
    return lines


def _first_difference(before: Any, after: Any) -> str:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            if before.get(key) != after.get(key):
                return f"{key}: {_first_difference(before.get(key), after.get(key))}"
    return f"{before!r} became {after!r}"


# -- the way there ---------------------------------------------------------------------------------


def assert_sound(rack: MortalRack, api: Api, found: EndState) -> None:
    """No lane is left taken, nothing was done twice at once, nothing destroyed without a yes."""
    runs = api.all("/runs")
    assert [] == [run["id"] for run in runs if run["open"]], "a run was left open"
    _assert_none_at_once(runs)
    for name, wipes in found.wipes.items():
        # The commit is the first yes, each retry of the installation another one.
        given = 1 + rack.retried.count(f"{name}/os-installed")
        assert wipes <= given, f"{name}: {wipes} wipes, {given} confirmations"
        effects = [
            run
            for run in runs
            if run["node"] == name
            and run["role"] == "os-installed"
            and run["past_point_of_no_return"]
        ]
        assert len(effects) <= given, f"{name}: {len(effects)} installations, {given} confirmations"
    _assert_one_worker_at_a_time(rack)


def _assert_none_at_once(runs: list[dict[str, Any]]) -> None:
    """Two runs of a node-role never overlap, nor do two of a node that need the same lane, other
    than those which stage: they give their lane back."""
    spans: dict[tuple[str, str], list[tuple[datetime, datetime, int]]] = defaultdict(list)
    for run in runs:
        if run["started_at"] is None:
            continue
        begun = datetime.fromisoformat(run["started_at"])
        ended = datetime.fromisoformat(run["finished_at"])
        if run["node_role"] is not None:
            spans["node-role", str(run["node_role"])].append((begun, ended, run["id"]))
        if run["node"] and run["lane"] == "both":
            spans["lanes", run["node"]].append((begun, ended, run["id"]))
    for place, found in spans.items():
        found.sort()
        for (_, ended, first), (begun, _, second) in pairwise(found):
            assert ended <= begun, f"{place}: runs {first} and {second} overlapped"


def _assert_one_worker_at_a_time(rack: MortalRack) -> None:
    """By the victims' own journal: work on a run begins when the work before has ended, or the
    process that did it."""
    under_way: dict[str, str] = {}
    for line in (rack.folder / "journal").read_text().splitlines():
        if line.startswith("="):
            under_way.clear()
        elif line.startswith("("):
            begun, ident = line[1] == "b", line[2:]
            if begun:
                assert ident not in under_way, f"two workers on {ident}"
                under_way[ident] = line
            else:
                under_way.pop(ident, None)
