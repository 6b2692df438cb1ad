"""`readystate lab`: virtual racks to try everything on. The commands import `readystate.lab` when
they run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from readystate.cli.output import Format, Output, say, show_data, show_list
from readystate.domain.errors import BadRequest, NotFound, ReadystateError

if TYPE_CHECKING:
    from readystate.lab.control_client import LabClient
    from readystate.lab.rack_plan import RackPlan

app = typer.Typer(no_args_is_help=True, help="Virtual racks to try everything on.")

LAB_DIR = "lab"  #: in a data folder

StateDir = Annotated[
    Path | None,
    typer.Option(help="The lab's folder; default: `lab` in the data folder, or the rack's."),
]
Machine = Annotated[
    str, typer.Argument(help="BMC address, serial or number in the rack; or a node's name.")
]


@app.command()
def up(
    nodes: Annotated[int, typer.Option(min=1, help="How many machines.")] = 12,
    boot_url: Annotated[
        str | None, typer.Option(help="Where the machines netboot from. Default: this API.")
    ] = None,
    state_dir: StateDir = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Come back when it is up; `lab down` ends it.")
    ] = False,
    network: Annotated[
        str | None, typer.Option(help="127.N: BMCs live in this /16, ssh in the next.")
    ] = None,
    personalities: Annotated[
        str | None, typer.Option(help="In turn, with commas: dell, hpe, supermicro, generic-ipmi.")
    ] = None,
    pace: Annotated[
        float, typer.Option(min=0, help="Multiplies every delay of the machines.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Another number gives other machines.")] = 0,
    ipmi_port: Annotated[int | None, typer.Option(help="Default: 623, else 6230.")] = None,
    redfish_port: Annotated[int | None, typer.Option(help="Default: 443, else 4430.")] = None,
    ssh_port: Annotated[int | None, typer.Option(help="Default: 22, else 2222.")] = None,
) -> None:
    """Put a virtual rack on the loopback interface, powered off."""
    from readystate.bootstrap import BOOT_FILES
    from readystate.lab.boot_placeholders import put_boot_placeholders
    from readystate.lab.process import LabWish, run_lab, spawn_lab
    from readystate.lab.rack_plan import MIXED
    from readystate.settings import load_settings

    settings = load_settings()
    put_boot_placeholders(settings.data_dir / BOOT_FILES)
    wish = LabWish(
        state_dir=(state_dir or settings.data_dir / LAB_DIR).absolute(),
        boot_url=boot_url or settings.api_url,
        nodes=nodes,
        network=network,
        personalities=tuple(personalities.split(",")) if personalities else MIXED,
        pace=pace,
        seed=seed,
        ipmi_port=ipmi_port,
        redfish_port=redfish_port,
        ssh_port=ssh_port,
    )
    if not detach:
        run_lab(wish, on_ready=lambda plan: _tell_plan(plan, wish.state_dir))
        return
    started = spawn_lab(wish, is_detached=True)
    status = started.client.status()
    _tell_up(status["bmc_range"], status["ports"], len(status["machines"]), wish.state_dir)
    say(f"It runs as process {started.process.pid}; `readystate lab down` ends it.")


def _tell_plan(plan: "RackPlan", state_dir: Path) -> None:
    from dataclasses import asdict

    _tell_up(plan.bmc_range, asdict(plan.ports), len(plan.machines), state_dir)
    say("Ctrl-C ends it.")


def _tell_up(bmc_range: str, ports: Mapping[str, int], count: int, state_dir: Path) -> None:
    from readystate.lab.process import PASSWORD_FILE, USERNAME

    said = ", ".join(f"{name} {port}" for name, port in ports.items())
    say(f"{count} machines; BMCs at {bmc_range} (ports: {said})")
    say(f"BMC user {USERNAME}, password in {state_dir / PASSWORD_FILE}")


@app.command()
def status(state_dir: StateDir = None, output: Output = Format.TABLE) -> None:
    """What each machine is, does, and has really done."""
    found = _client(state_dir).status()
    if output is not Format.TABLE:
        show_data(found, output)
        return
    show_list(
        found["machines"],
        {
            "BMC": lambda it: it["bmc_address"],
            "MODEL": lambda it: f"{it['manufacturer']} {it['model']}",
            "SERIAL": lambda it: it["serial"],
            "STATE": lambda it: it["state"],
            "SYSTEM": lambda it: it["hostname"],
            "BOOTS": lambda it: str(it["ledger"]["boots"]),
            "INSTALLS": lambda it: str(it["ledger"]["installs"]),
            "FAULTS": lambda it: ", ".join(it["faults"]),
        },
        output,
        none="the rack is empty",
    )


@app.command()
def fault(
    machine: Machine,
    fault: Annotated[str, typer.Argument(help="Which one; --clear needs none.")] = "",
    for_time: Annotated[
        str | None, typer.Option("--for", help="Ends by itself after this: 10s, 2m.")
    ] = None,
    delay: Annotated[str | None, typer.Option(help="Of each answer, for `slow`: 2s.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take it away.")] = False,
    state_dir: StateDir = None,
) -> None:
    """Let something go wrong with one BMC, on the wire.

    Faults: unreachable, wrong-password, slow, unavailable, power-lies, drops-boot-override,
    session-exhaustion, bmc-resets.
    """
    client = _client(state_dir)
    if not fault and not clear:
        raise BadRequest("which fault?", hint="name one, or say --clear: readystate lab fault -h")
    if clear:
        found = _on_machine(machine, lambda key: client.clear(key, fault))
    else:
        for_s = parse_seconds(for_time) if for_time else None
        delay_s = parse_seconds(delay) if delay else None
        found = _on_machine(
            machine, lambda key: client.plant(key, fault, for_s=for_s, delay_s=delay_s)
        )
    say(f"{found['bmc_address']}: {', '.join(found['faults']) or 'no fault'}")


@app.command()
def crash(machine: Machine, state_dir: StateDir = None) -> None:
    """Restart a machine as a crash does: with nothing said to anyone."""
    client = _client(state_dir)
    found = _on_machine(machine, client.crash)
    say(f"{found['bmc_address']}: crashed")


@app.command()
def down(state_dir: StateDir = None) -> None:
    """End the lab."""
    _client(state_dir).stop()
    say("the lab is down")


def parse_seconds(text: str) -> float:
    """`10s`, `1.5s`, `2m` or a number of seconds. Raises BadRequest."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number = text[:-1] if text[-1:] in units else text
    try:
        seconds = float(number) * units.get(text[-1:], 1.0)
    except ValueError as error:
        raise BadRequest(f"{text!r} is no time", hint="write 10s, 2m or 1.5") from error
    if not 0 < seconds < 1e9:
        raise BadRequest(f"{text!r} is no time that something could last")
    return seconds


def _client(state_dir: Path | None) -> "LabClient":
    """Of the folder given, else of the data folder's lab if one runs there, else of the rack."""
    from readystate.cli.running_rack import find_rack
    from readystate.lab.control import SOCKET_NAME, is_served
    from readystate.lab.control_client import LabClient
    from readystate.settings import load_settings

    if state_dir is not None:
        return LabClient(state_dir.absolute())
    own = load_settings().data_dir / LAB_DIR
    rack = find_rack()
    if rack is not None and not is_served(own / SOCKET_NAME):
        return LabClient(Path(rack.data_dir) / LAB_DIR)
    return LabClient(own)


def _on_machine(name: str, act: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """A lab knows no node's name: that one is looked up where nodes are known."""
    from readystate.lab.control_client import NoLab

    try:
        return act(name)
    except NoLab:
        raise
    except NotFound:
        address = _bmc_of_node(name)
        if address is None:
            raise
        return act(address)


def _bmc_of_node(name: str) -> str | None:
    """None where there is no such node, or nobody to ask."""
    from readystate.cli.client import connect

    try:
        with connect() as api:
            accesses = api.get(f"/nodes/{name}")["bmc"]
    except ReadystateError:
        return None
    return str(accesses[0]["address"]) if accesses else None
