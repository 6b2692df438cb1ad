"""`readystate rack`, as the README tells it: from BMC scan to ready, over the real wires."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from readystate.lab.control_client import LabClient, NoLab
from tests.e2e.racks import RACK_DEADLINE_S, Rack, environment, rack_command, wait_for
from tests.e2e.serving import curl, free_port

NODES = 12
MARKED = "Ctrl-C ends it."


@pytest.fixture(scope="module")
def rack() -> Iterator[Rack]:
    """One that has come to the end of its tour, and goes on serving."""
    with rack_command() as (process, state_dir, url):
        output = state_dir.parent / "output"
        wait_for(lambda: MARKED in output.read_text() or process.poll() is not None, "the rack")
        assert process.poll() is None, output.read_text()
        lab = LabClient(state_dir / "lab")
        yield Rack(url, state_dir, lab, output, (process.pid, lab.status()["pid"]))


def curled(rack: Rack, path: str) -> Any:
    """Asked by curl; the token goes in by its configuration on stdin."""
    config = f'header = "Authorization: Bearer {rack.token}"\nurl = "{rack.url}{path}"\n'
    answer = subprocess.run(
        [curl(), "--fail-with-body", "--silent", "--config", "-"],
        input=config, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert 0 == answer.returncode, answer.stdout + answer.stderr
    return json.loads(answer.stdout)


def truth_of(rack: Rack) -> dict[str, dict[str, Any]]:
    """By BMC address, told by the machines themselves."""
    addresses = [item["bmc_address"] for item in rack.lab.status()["machines"]]
    return {address: rack.lab.truth(address) for address in addresses}


def test_it_stops_by_itself_when_all_nodes_are_ready() -> None:
    with rack_command("--once", "--nodes", "12") as (process, state_dir, _url):
        assert 0 == process.wait(RACK_DEADLINE_S), (state_dir.parent / "output").read_text()
        said = (state_dir.parent / "output").read_text()
        with pytest.raises(NoLab):
            LabClient(state_dir / "lab").status()

    assert "scan: 12 BMCs on 12 addresses" in said
    assert NODES == said.count("[ready]")
    assert "time to ready:" in said
    assert "\x1b" not in said, "no terminal: no escape sequences"


def test_it_says_what_each_node_does(rack: Rack) -> None:
    lines = rack.output.read_text().splitlines()

    for number in range(1, NODES + 1):
        mine = [line for line in lines if f" node-{number} " in line]
        assert any("inventory" in line for line in mine), mine
        assert any("os-installed" in line for line in mine), mine
        assert any("[ready]" in line for line in mine), mine


def test_every_node_is_ready(rack: Rack) -> None:
    listed = json.loads(rack.cli("nodes", "list", "-o", "json").stdout)

    assert {f"node-{number}" for number in range(1, NODES + 1)} == {it["name"] for it in listed}
    assert {"ready"} == {it["milestone"] for it in listed}
    assert {"settled"} == {it["condition"] for it in listed}


def test_nothing_stands_in_the_way_of_anything(rack: Rack) -> None:
    answer = rack.cli("why", "node-1")

    assert 0 == answer.returncode
    assert "nothing stands in the way" in answer.stdout


def test_each_nodes_inventory_is_the_truth(rack: Rack) -> None:
    truths = truth_of(rack)
    nodes = curled(rack, "/api/v1/nodes")["items"]
    assert NODES == len(nodes)
    for item in nodes:
        node = curled(rack, f"/api/v1/nodes/{item['name']}")
        known, true = node["hardware"], truths[node["bmc"][0]["address"]]["inventory"]
        told = {
            name: known[f"hardware/{name.replace('_', '-')}"]
            for name in ("serial", "uuid", "model", "cpu_model", "cpu_sockets", "cpu_cores",
                         "memory_bytes", "bios_version", "bmc_version", "nics")
        }  # fmt: skip
        assert {name: true[name] for name in told} == told
        assert true["manufacturer"] == known["hardware/vendor"]
        assert [nic["mac"] for nic in true["nics"]] == node["macs"]


def test_disks_are_those_of_the_machine_before_its_volumes_were_made(rack: Rack) -> None:
    truths = truth_of(rack)
    for item in curled(rack, "/api/v1/nodes")["items"]:
        node = curled(rack, f"/api/v1/nodes/{item['name']}")
        truth = truths[node["bmc"][0]["address"]]
        taken = {drive for volume in truth["volumes"] for drive in volume["drives"]}
        known = {disk["serial"]: disk["size_bytes"] for disk in node["hardware"]["hardware/disks"]}
        now = {
            disk["serial"]: disk["size_bytes"]
            for disk in truth["inventory"]["disks"]
            if "RAID" not in disk["model"]
        }
        assert now.items() <= known.items()
        assert len(taken) == len(known) - len(now)


def test_bios_and_volumes_are_really_as_declared(rack: Rack) -> None:
    truths = list(truth_of(rack).values())
    dells = [it for it in truths if it["personality"] == "dell"]
    hpes = [it for it in truths if it["personality"] == "hpe"]
    supermicros = [it for it in truths if it["personality"] == "supermicro"]

    assert {"PerfOptimized"} == {it["bios"]["SysProfile"] for it in dells}
    assert {"Enabled"} == {it["bios"]["Sriov"] for it in hpes}
    assert {"Enabled"} == {it["bios"]["SRIOVSupport"] for it in supermicros}
    for truth in dells + hpes:
        assert [("system", "RAID1", 2)] == [
            (volume["name"], volume["level"], len(volume["drives"])) for volume in truth["volumes"]
        ]
    assert [] == [it["volumes"] for it in supermicros if it["volumes"]]


def test_staged_changes_shared_one_power_cycle(rack: Rack) -> None:
    """Discovery, the shared cycle where something was staged, the installer, the installed system:
    a cycle more, and BIOS and RAID would not have shared."""
    boots = {truth["personality"]: truth["ledger"]["boots"] for truth in truth_of(rack).values()}

    assert {"dell": 4, "hpe": 4, "supermicro": 4, "generic-ipmi": 3} == boots


def test_each_machine_was_installed_once_and_runs_what_was_installed(rack: Rack) -> None:
    for truth in truth_of(rack).values():
        assert ("running", 1, 1) == (
            truth["state"], truth["ledger"]["installs"], truth["ledger"]["wipes"]
        )  # fmt: skip


def test_curl_reads_the_documentation_and_the_description(rack: Rack) -> None:
    page = subprocess.run(
        [curl(), "--silent", "--fail", f"{rack.url}/docs"],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip

    assert "readystate" in page.stdout
    assert "3.1" in curled(rack, "/api/v1/openapi.json")["openapi"]


def test_the_example_commands_that_it_prints_can_be_typed(rack: Rack) -> None:
    lines = [line.strip() for line in rack.output.read_text().splitlines()]
    examples = [line.split()[1:] for line in lines if line.startswith("readystate ")]

    assert 3 == len(examples)
    for words in examples:
        answer = rack.cli(*words)
        assert 0 == answer.returncode, answer.stderr
    rack.lab.clear("1")


def test_a_node_of_the_rack_is_named_to_its_lab_by_its_name(rack: Rack) -> None:
    assert 0 == rack.cli("lab", "fault", "node-2", "slow", "--delay", "1s").returncode
    assert ["slow"] == rack.lab.truth("2")["faults"]

    assert 0 == rack.cli("lab", "fault", "node-2", "--clear").returncode
    assert [] == rack.lab.truth("2")["faults"]


def test_an_unknown_fault_is_refused_with_a_guess(rack: Rack) -> None:
    answer = rack.cli("lab", "fault", "node-2", "unreachabel")

    assert 6 == answer.returncode
    assert 'did you mean "unreachable"?' in answer.stderr


def test_a_second_rack_in_its_folder_is_refused(rack: Rack) -> None:
    answer = rack.cli("rack", "--once", "--state-dir", str(rack.data_dir))

    assert 5 == answer.returncode
    assert f"a rack is running in {rack.data_dir}" in answer.stderr


def test_a_port_in_use_is_refused(rack: Rack, tmp_path: Path) -> None:
    port = rack.url.rpartition(":")[2]

    answer = rack.cli("rack", "--once", "--port", port, "--state-dir", str(tmp_path / "other"))

    assert 5 == answer.returncode
    assert f"cannot listen on 127.0.0.1 port {port}" in answer.stderr


def test_a_folder_with_something_else_in_it_is_not_emptied(rack: Rack, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("of mine")

    answer = rack.cli("rack", "--once", "--state-dir", str(tmp_path))

    assert 6 == answer.returncode
    assert "holds something else than a rack" in answer.stderr
    assert (tmp_path / "thesis.txt").exists()


def test_ctrl_c_ends_it_and_its_lab() -> None:
    with rack_command("--nodes", "1") as (process, state_dir, _url):
        output = state_dir.parent / "output"
        wait_for(lambda: MARKED in output.read_text(), "the rack")

        process.send_signal(signal.SIGINT)

        assert 0 == process.wait(RACK_DEADLINE_S), output.read_text()
        with pytest.raises(NoLab):
            LabClient(state_dir / "lab").status()


def test_ctrl_c_in_the_middle_ends_it_with_the_shells_code() -> None:
    with rack_command("--nodes", "4") as (process, state_dir, _url):
        output = state_dir.parent / "output"
        wait_for(lambda: "inventory" in output.read_text(), "the rack")

        process.send_signal(signal.SIGINT)

        assert 130 == process.wait(RACK_DEADLINE_S), output.read_text()


def _plants(lab: LabClient, machine: str, fault: str) -> bool:
    try:
        lab.plant(machine, fault)
    except NoLab:
        return False
    return True


def test_it_fails_with_the_reasons_when_a_node_cannot_become_ready() -> None:
    with rack_command("--once", "--nodes", "2") as (process, state_dir, _url):
        output = state_dir.parent / "output"
        lab = LabClient(state_dir / "lab")
        wait_for(lambda: _plants(lab, "2", "wrong-password"), "the lab")

        code = process.wait(RACK_DEADLINE_S)

        assert 1 == code, output.read_text()
        said = output.read_text()
        assert "node-2 is not ready (failed):" in said
        assert re.search(r"node-2/bmc-managed; error; refused; .*BMC 127\.\d+\.0\.2", said), said
        assert "node-1 is not ready" not in said


def test_on_a_terminal_it_draws_a_table_and_ends_with_the_summary(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 150, 0, 0))
    said = bytearray()
    with TemporaryDirectory(prefix="rack-") as folder:
        command = [sys.executable, "-m", "readystate", "rack", "--once", "--nodes", "1"]
        process = subprocess.Popen(
            [*command, "--port", str(free_port()), "--state-dir", f"{folder}/state"],
            env=environment(Path(folder), "http://127.0.0.1:1") | {"TERM": "xterm"},
            stdout=theirs,
        )
        os.close(theirs)
        with suppress(OSError):  # how a pseudo-terminal tells that the other end is closed
            while part := os.read(ours, 65536):
                said += part
        assert 0 == process.wait(RACK_DEADLINE_S)
    os.close(ours)
    text = said.decode()

    assert "1 of 1 nodes ready" in text
    assert "●●●●● ready" in text
    assert text.rindex("nodes ready,") < text.rindex("time to ready:")
