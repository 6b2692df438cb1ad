"""`readystate nodes`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from readystate.cli.output import (
    Columns,
    Format,
    Output,
    Row,
    clock,
    counted,
    say,
    show_data,
    show_fields,
    show_list,
    tell,
)
from readystate.domain.errors import BadRequest
from readystate.domain.power import PowerAction

app = typer.Typer(no_args_is_help=True, help="The machines, from a BMC address to ready.")

Name = Annotated[str, typer.Argument(metavar="NODE", help="Its name or number.")]
Goal = Annotated[str, typer.Option(help="A role to propose for them, `ready` for instance.")]
Place = Annotated[str, typer.Option("--deployment", help="The deployment they belong to.")]


def _now(node: Row) -> str:
    return "; ".join(f"{it['role']}: {it['progress'] or it['phase']}" for it in node["doing"])


def _bmc(node: Row) -> str:
    found: dict[str, list[str]] = {}
    for item in node["bmc"]:
        found.setdefault(item["address"], []).append(item["protocol"])
    return ", ".join(f"{address} {'+'.join(spoken)}" for address, spoken in found.items())


COLUMNS: Columns = {
    "NODE": lambda it: str(it["name"]),
    "CONDITION": lambda it: str(it["condition"]),
    "MILESTONE": lambda it: str(it["milestone"] or "-"),
    "SETTLED": lambda it: (
        f"{it['counts'].get('active', 0) + it['counts'].get('skipped', 0)}"
        f"/{sum(it['counts'].values())}"
    ),
    "DEPLOYMENT": lambda it: str(it["deployment"]),
    "MODEL": lambda it: f"{it['vendor']} {it['model']}".strip() or "-",
    "SERIAL": lambda it: str(it["serial"] or "-"),
    "BMC": _bmc,
    "ADDRESS": lambda it: str(it["admin_address"] or "-"),
    "NOW": lambda it: f"held by {it['held_by']}" if it["held_by"] else _now(it),
}

_NODE_ROLE_COLUMNS: Columns = {
    "ROLE": lambda it: str(it["role"]),
    "STATE": lambda it: "stale" if it["stale"] else str(it["state"]),
    "SINCE": lambda it: clock(it["since"]),
    "NOW": lambda it: (
        it["progress"]
        or (it["error"]["message"] if it["error"] else "")
        or "; ".join(blocker["detail"] for blocker in it["blockers"])
        or ("drifted" if it["drifted"] else "")
    ),
}


@app.command("list")
def list_nodes(
    deployment: Annotated[str, typer.Option(help="Only those of this deployment.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """List nodes, and what each is doing."""
    from readystate.cli.client import connect

    with connect() as api:
        nodes = api.all("/nodes", deployment=deployment)
    show_list(nodes, COLUMNS, output, none="no nodes; `readystate scan RANGE` finds some")


@app.command("show")
def show_node(name: Name, output: Output = Format.TABLE) -> None:
    """Show a node: its hardware, its node-roles, what stands in its way."""
    from readystate.cli.client import connect

    with connect() as api:
        node = api.get(f"/nodes/{name}")
    if output is not Format.TABLE:
        show_data(node, output)
        return
    show_fields(
        {
            "node": f"{node['name']} ({node['id']})",
            "deployment": node["deployment"],
            "condition": node["condition"],
            "milestone": node["milestone"],
            "held by": node["held_by"],
            "available": "" if node["available"] else "no",
            "machine": f"{node['vendor']} {node['model']}".strip(),
            "serial": node["serial"] or "",
            "uuid": node["uuid"] or "",
            "macs": ", ".join(node["macs"]),
            "bmc": _bmc(node),
            "address": node["admin_address"] or "",
            "node-roles": counted(node["counts"]),
        }
    )
    if node["hardware"]:
        say("")
        show_fields({key: _short(value) for key, value in node["hardware"].items()})
    say("")
    show_list(node["node_roles"], _NODE_ROLE_COLUMNS, output, none="no role is bound")


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(_short(item) for item in value)
    if isinstance(value, dict):
        return " ".join(f"{key}={item}" for key, item in value.items() if item not in (None, ""))
    return str(value)


@app.command("import")
def import_nodes(
    name: Annotated[str, typer.Argument(metavar="NODE", help="Name of one node.")] = "",
    bmc: Annotated[list[str] | None, typer.Option(metavar="ADDRESS", help="Of its BMC.")] = None,
    protocol: Annotated[str, typer.Option(help="redfish or ipmi; of all --bmc.")] = "redfish",
    port: Annotated[int | None, typer.Option(help="Where the BMC answers.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="Or a YAML list of nodes: name, bmc, macs, uuid, serial.")
    ] = None,
    deployment: Place = "system",
    goal: Goal = "",
    output: Output = Format.TABLE,
) -> None:
    """Take in nodes that are known already."""
    from readystate.cli.client import connect

    if bool(name) == (file is not None):
        raise BadRequest("one node by name, or --file", hint="readystate nodes import --help")
    if file is not None:
        nodes = _read_nodes(file)
    else:
        access = [{"address": it, "protocol": protocol, "port": port} for it in bmc or ()]
        nodes = [{"name": name, "bmc": access}]
    with connect() as api:
        added = api.post("/nodes", {"nodes": nodes, "deployment": deployment, "goal": goal})
    show_enrolled(added, output)


def show_enrolled(enrolled: Row, output: Format) -> None:
    """The new nodes, and beside the answer what is proposed for them."""
    show_list(enrolled["nodes"], COLUMNS, output, none="no nodes")
    if (number := enrolled["proposal"]) is not None:
        tell(f"proposal {number} is open: readystate plan {number}")


def _read_nodes(file: Path) -> Any:
    import yaml

    try:
        nodes = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadRequest(f"{file} cannot be read", why=str(error)) from error
    if not isinstance(nodes, list):
        raise BadRequest(f"{file} holds no list", hint="- {name: node-7, bmc: [{address: ...}]}")
    return nodes


@app.command("bmc")
def set_bmc(
    name: Name,
    address: Annotated[str, typer.Argument(help="Where its BMC answers.")],
    protocol: Annotated[str, typer.Option(help="redfish or ipmi.")] = "redfish",
    port: Annotated[int | None, typer.Option(help="Not the protocol's own.")] = None,
) -> None:
    """Say where a known node's BMC is."""
    from readystate.cli.client import connect

    with connect() as api:
        api.put(f"/nodes/{name}/bmc", {"address": address, "protocol": protocol, "port": port})
    say(f"{name}: BMC at {address} over {protocol}")


@app.command("power")
def power_node(name: Name, action: PowerAction) -> None:
    """Ask for a power action; it waits for the node's lanes like other work."""
    from readystate.cli.client import connect

    with connect() as api:
        run = api.post(f"/nodes/{name}/power", {"action": action.value})["run"]
    say(f"{name}: power {action} is run {run}; `readystate runs show {run}` tells how it went")


@app.command("hold")
def hold_node(
    name: Name, reason: Annotated[str, typer.Option(help="Told to whoever asks why.")] = ""
) -> None:
    """Start nothing new on a node; what runs may finish."""
    from readystate.cli.client import connect

    with connect() as api:
        api.post(f"/nodes/{name}/hold", {"reason": reason})
    say(f"{name} is held")


@app.command("resume")
def resume_node(name: Name) -> None:
    """Lift the hold on a node."""
    from readystate.cli.client import connect

    with connect() as api:
        api.post(f"/nodes/{name}/resume")
    say(f"{name} goes on")


@app.command("available")
def make_available(
    name: Name, no: Annotated[bool, typer.Option("--no", help="We may not work on it.")] = False
) -> None:
    """Say whether we may work on a node at all."""
    from readystate.cli.client import connect

    with connect() as api:
        api.put(f"/nodes/{name}/available", {"available": not no})
    say(f"{name} is {'not ' if no else ''}available")
