"""The script jig against a simulated machine and against OpenSSH's own server: one contract."""

import contextlib
import getpass
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from readystate.adapters.jigs.script import ScriptJig, load_identity, public_key_line
from readystate.adapters.jigs.script.connections import NodeConnections
from readystate.domain.errors import Failed, Invalid, Refused, Stopped, Unreachable, WorkError
from readystate.domain.ids import NodeId, NodeRoleId
from readystate.domain.outcome import Errored, NotDone, Succeeded
from readystate.domain.secret import Secret
from readystate.lab.bmc.virtual_bmc import VirtualBmc
from readystate.lab.machines.machine import BootDevice
from readystate.lab.machines.simulated import MachineState, SimulatedMachine
from readystate.ports.jig import NodeView, Ticket
from readystate.shipped import Shipped, shipped_path
from tests.fakes.recording_context import RecordingContext
from tests.protocol.openssh import ADDRESS, openssh_server
from tests.protocol.simulated_lab import (
    SimulatedLab,
    free_port,
    install_plan,
    simulated_lab,
    wait_for,
)

SHIPPED = shipped_path(Shipped.ANNOTATIONS) / "scripts"
MAC = "52:54:00:00:00:07"

#: Scripts that misbehave, and one that shows what it was given.
TEST_SCRIPTS = {
    "echo": "say('working')\nanswer(outputs={'given': sorted(INPUT), 'action': ACTION})",
    "fails": "say('looking')\nsay('the disk is full')\nraise SystemExit(3)",
    "raises": "open('/etc/no-such-file')",
    "garbage": "print('hello')",
    "list": "print('[1]')",
    "silent": "",
    "sleeps": "import os, time\nsay('pid %d' % os.getpid())\ntime.sleep(60)\nanswer(outputs={})",
    "slow-log": "import time\nsay('first')\ntime.sleep(0.6)\nsay('second')\nanswer(outputs={})",
    "secret": "say('password is ' + INPUT['password'])\nanswer(outputs={})",
    "undecided": "answer(outputs={})",
    "long": "print('x' * 2_000_000)",
    "talks": "for n in range(6000): say(f'line {n}')\nanswer(outputs={})",
    "argv": "import sys\nanswer(outputs={'argv': sys.argv})",
}


@dataclass
class Peer:
    """A node that answers ssh, and how a test looks behind its back."""

    node: NodeView
    root: str  #: under which the scripts work: `/`, or a folder
    jig: ScriptJig
    files: Any  #: path -> text
    machine: SimulatedMachine | None = None
    bmc: VirtualBmc | None = None
    lab: SimulatedLab | None = None
    contexts: list[RecordingContext] = field(default_factory=list)

    def ticket(self, script: str, given: Mapping[str, Any] | None = None, **changes: Any) -> Ticket:
        return Ticket(
            node_role_id=NodeRoleId(11), fence=5, role=script, jig="script", argument=script,
            node=changes.pop("node", self.node), input={"root": self.root, **(given or {})},
            secrets=changes.pop("secrets", {}), deadline_s=changes.pop("deadline_s", 30.0),
        )  # fmt: skip

    def context(self) -> RecordingContext:
        return RecordingContext()


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    folder = tmp_path / "scripts"
    folder.mkdir()
    for name, text in TEST_SCRIPTS.items():
        (folder / f"{name}.py").write_text(text)
    for path in SHIPPED.glob("*.py"):
        (folder / path.name).write_text(path.read_text())
    return folder


@pytest.fixture
def jig(tmp_path: Path, scripts: Path) -> Iterator[ScriptJig]:
    jig = ScriptJig(NodeConnections(load_identity(tmp_path)), scripts)
    yield jig
    jig.close()


def node_view(address: str, port: int) -> NodeView:
    return NodeView(
        id=NodeId(7), name="node-7", uuid=None, serial=None, macs=(MAC,), admin_address=address,
        ssh_port=port, ssh_host_key=None,
    )  # fmt: skip


@contextlib.contextmanager
def simulated_peer(jig: ScriptJig) -> Iterator[Peer]:
    with simulated_lab() as lab:
        machine, bmc = lab.add_machine()
        lab.api.ssh_key = public_key_line(jig.connections.identity)
        lab.api.plan = install_plan(machine, lab.api.ssh_key)
        lab.install(machine, bmc)

        def read(path: str) -> str:
            assert machine.system is not None
            return machine.system.fs.read_text(path)

        node = node_view(machine.ssh_address, machine.ssh_port)
        yield Peer(node, "/", jig, read, machine, bmc, lab)


@contextlib.contextmanager
def openssh_peer(jig: ScriptJig, folder: Path) -> Iterator[Peer]:
    root = folder / "root"
    for path in ("etc/network", "etc/apt", "sys/class/net/eno1"):
        (root / path).mkdir(parents=True)
    (root / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n')
    (root / "etc/hostname").write_text("node-7\n")
    (root / "etc/machine-id").write_text("0" * 32 + "\n")
    jig.connections.user = getpass.getuser()
    with openssh_server(folder, public_key_line(jig.connections.identity)) as server:

        def read(path: str) -> str:
            return (root / path.lstrip("/")).read_text()

        yield Peer(node_view(ADDRESS, server.port), str(root), jig, read)


@pytest.fixture(params=["simulated", "openssh"])
def peer(request: pytest.FixtureRequest, jig: ScriptJig, tmp_path: Path) -> Iterator[Peer]:
    peers = simulated_peer(jig) if request.param == "simulated" else openssh_peer(jig, tmp_path)
    with peers as peer:
        yield peer


@pytest.fixture
def simulated(jig: ScriptJig) -> Iterator[Peer]:
    with simulated_peer(jig) as peer:
        yield peer


def mac_of(peer: Peer) -> str:
    if peer.machine is not None:
        return peer.machine.hardware.nics[0].mac
    (Path(peer.root) / "sys/class/net/eno1/address").write_text(MAC + "\n")
    return MAC


def error_of(outcome: object) -> WorkError:
    assert isinstance(outcome, Errored), outcome
    return outcome.error


# -- the shipped scripts -------------------------------------------------------------------------


def wanted(peer: Peer) -> dict[str, tuple[dict[str, Any], dict[str, str]]]:
    """Input of each shipped client script, and what must stand in the files afterwards."""
    return {
        "dns-client": (
            {"servers": ["192.0.2.53", "192.0.2.54"], "search": ["rack.example"], "domain": "x"},
            {"/etc/resolv.conf": "search rack.example\nnameserver 192.0.2.53\nnameserver"},
        ),
        "ntp-client": (
            {"servers": ["192.0.2.123"]},
            {"/etc/chrony/sources.d/readystate.sources": "server 192.0.2.123 iburst\n"},
        ),
        "proxy-client": (
            {"proxy_url": "http://192.0.2.8:3128", "no_proxy": [".example", "127.0.0.1"]},
            {
                "/etc/environment": 'http_proxy="http://192.0.2.8:3128"\n',
                "/etc/apt/apt.conf.d/90readystate-proxy": 'Acquire::http::Proxy "http://192.0.2.8',
            },
        ),
        "package-sources": (
            {"mirror": "http://192.0.2.9/debian", "suite": "bookworm", "components": ["main"]},
            {"/etc/apt/sources.list.d/readystate.list": "deb http://192.0.2.9/debian bookworm"},
        ),
        "network-admin": (
            {"hostname": "node-7.example", "address": "192.0.2.17", "prefix_length": 24,
             "gateway": "192.0.2.1", "mac": mac_of(peer)},
            {
                "/etc/hostname": "node-7.example\n",
                "/etc/hosts": "192.0.2.17 node-7.example node-7\n",
                "/etc/network/interfaces.d/readystate": "address 192.0.2.17/24\n    gateway 192.0",
                "/etc/network/interfaces": "source /etc/network/interfaces.d/*",
            },
        ),
    }  # fmt: skip


SHIPPED_CLIENTS = ["dns-client", "network-admin", "ntp-client", "package-sources", "proxy-client"]


@pytest.mark.parametrize("script", SHIPPED_CLIENTS)
def test_shipped_script_is_checked_runs_reads_back_and_is_idempotent(
    peer: Peer, script: str
) -> None:
    given, files = wanted(peer)[script]
    first, second = peer.context(), peer.context()
    ticket = peer.ticket(script, given)
    before = peer.jig.check(ticket, peer.context())
    ran = peer.jig.run(ticket, first)
    after = peer.jig.check(ticket, peer.context())
    again = peer.jig.run(ticket, second)

    assert isinstance(before, NotDone)
    assert [Succeeded({})] * 3 == [ran, after, again]
    for path, text in files.items():
        assert text in peer.files(path)
        assert f"writing {path}" in first.lines
    assert [] == [line for line in second.lines if line.startswith("writing")]


def test_os_facts_tell_the_installed_system(peer: Peer) -> None:
    context = peer.context()
    outcome = peer.jig.run(peer.ticket("os-facts"), context)

    assert isinstance(outcome, Succeeded)
    assert ("node-7", "debian", "12") == (
        outcome.outputs["hostname"],
        outcome.outputs["os_id"],
        outcome.outputs["os_version"],
    )
    assert 32 == len(outcome.outputs["machine_id"])
    assert re.fullmatch(r"[0-9a-f-]{36}", context.facts["boot_id"])


def test_package_sources_comment_out_what_the_installer_left(peer: Peer) -> None:
    old = "deb http://deb.debian.org/debian bookworm main\n# a note\n"
    if peer.machine is not None and peer.machine.system is not None:
        peer.machine.system.fs.write("/etc/apt/sources.list", old.encode())
    else:
        (Path(peer.root) / "etc/apt/sources.list").write_text(old)
    peer.jig.run(peer.ticket("package-sources", wanted(peer)["package-sources"][0]), peer.context())

    assert "# " + old == peer.files("/etc/apt/sources.list")


def test_dns_client_replaces_a_link_by_a_file(peer: Peer) -> None:
    if peer.machine is not None and peer.machine.system is not None:
        peer.machine.system.fs.remove("/etc/resolv.conf")
        peer.machine.system.fs.symlink("/run/stub-resolv.conf", "/etc/resolv.conf")
    else:
        os.symlink("/run/no-stub-resolv.conf", f"{peer.root}/etc/resolv.conf")
    outcome = peer.jig.run(peer.ticket("dns-client", {"servers": ["192.0.2.53"]}), peer.context())

    assert Succeeded({}) == outcome
    assert "nameserver 192.0.2.53" in peer.files("/etc/resolv.conf")


def test_missing_input_fails_and_names_it(peer: Peer) -> None:
    error = error_of(peer.jig.run(peer.ticket("dns-client"), peer.context()))

    assert isinstance(error, Failed)
    assert "input 'servers' is missing" in error.why


def test_unknown_mac_fails_and_names_it(peer: Peer) -> None:
    given = wanted(peer)["network-admin"][0] | {"mac": "52:54:00:ff:ff:ff"}
    error = error_of(peer.jig.run(peer.ticket("network-admin", given), peer.context()))

    assert "no NIC has the MAC address 52:54:00:ff:ff:ff" in error.why


# -- the contract --------------------------------------------------------------------------------


def test_script_sees_its_input_and_its_action(peer: Peer) -> None:
    given = {"prefix_length": 24}
    context = peer.context()
    outcome = peer.jig.run(peer.ticket("echo.py", given), context)

    assert Succeeded({"given": ["prefix_length", "root"], "action": "run"}) == outcome
    assert ["working"] == context.lines


def test_log_lines_come_while_the_script_runs(peer: Peer) -> None:
    context = peer.context()
    thread = threading.Thread(target=peer.jig.run, args=(peer.ticket("slow-log"), context))
    thread.start()
    context.line_came.wait(10)
    seen = list(context.lines)
    thread.join(10)

    assert ["first"] == seen
    assert ["first", "second"] == context.lines


@pytest.mark.parametrize(
    ("script", "what", "why"),
    [
        ("fails", "exit status 3", "looking | the disk is full"),
        ("raises", "exit status 1", "No such file or directory: '/etc/no-such-file'"),
        ("garbage", "did not answer as it should", "hello"),
        ("list", "did not answer as it should", "a JSON list"),
        ("silent", "did not answer as it should", "nothing"),
        ("long", "more than", ""),
    ],
)
def test_script_that_misbehaves_has_failed(peer: Peer, script: str, what: str, why: str) -> None:
    error = error_of(peer.jig.run(peer.ticket(script), peer.context()))

    assert isinstance(error, Failed)
    assert what in error.what
    assert why in error.why


def test_log_of_a_script_that_never_stops_talking_is_cut(peer: Peer) -> None:
    context = peer.context()
    outcome = peer.jig.run(peer.ticket("talks"), context)

    assert Succeeded({}) == outcome
    assert 5001 == len(context.lines)
    assert "line 4999" == context.lines[-2]
    assert "not kept" in context.lines[-1]


def test_check_without_a_verdict_has_failed(peer: Peer) -> None:
    error = error_of(peer.jig.check(peer.ticket("undecided"), peer.context()))

    assert isinstance(error, Failed)


def test_script_that_takes_too_long_fails_and_is_dead(peer: Peer) -> None:
    context = peer.context()
    started_at = time.monotonic()
    error = error_of(peer.jig.run(peer.ticket("sleeps", deadline_s=0.8), context))

    assert isinstance(error, Failed)
    assert "took longer than 0.8 s" in error.what
    assert time.monotonic() - started_at < 8
    assert_dead(peer, context)


def test_cancelled_script_is_stopped_and_dead(peer: Peer) -> None:
    context = peer.context()
    threading.Thread(target=lambda: context.line_came.wait(10) and context.stopped.set()).start()

    with pytest.raises(Stopped):
        peer.jig.run(peer.ticket("sleeps"), context)
    assert_dead(peer, context)


def test_stop_kills_what_a_lost_worker_left_behind(
    peer: Peer, tmp_path: Path, scripts: Path
) -> None:
    lost = ScriptJig(NodeConnections(peer.jig.connections.identity), scripts)
    context = peer.context()

    def work() -> None:
        with pytest.raises(Stopped):
            lost.run(peer.ticket("sleeps"), context)

    worker = threading.Thread(target=work)
    worker.start()
    assert context.line_came.wait(10)
    lost.close()  # connections broken, nobody killed anything
    worker.join(10)
    peer.jig.stop(peer.ticket("sleeps"), peer.context())

    assert not worker.is_alive()
    assert_dead(peer, context)


def test_attempt_after_a_broken_connection_first_kills_what_still_runs(peer: Peer) -> None:
    first, second = peer.context(), peer.context()

    async def break_connection() -> None:
        peer.jig.connections.drop(peer.node)

    def breaker() -> None:
        if first.line_came.wait(10):
            peer.jig.connections.submit(break_connection())

    threading.Thread(target=breaker).start()
    error = error_of(peer.jig.run(peer.ticket("sleeps"), first))
    outcome = peer.jig.run(peer.ticket("echo"), second)

    assert isinstance(error, Unreachable)
    assert isinstance(outcome, Succeeded)
    assert_dead(peer, first)


def assert_dead(peer: Peer, context: RecordingContext) -> None:
    pid = int(context.lines[0].split()[1])
    if peer.machine is not None and peer.machine.system is not None:
        system = peer.machine.system
        wait_for(lambda: pid not in system.processes)
    else:
        wait_for(lambda: not Path(f"/proc/{pid}").exists())


def test_secret_reaches_the_script_and_neither_log_nor_argv(peer: Peer) -> None:
    context = peer.context()
    secrets = {"password": Secret("hunter22")}
    outcome = peer.jig.run(peer.ticket("secret", secrets=secrets), context)
    argv = peer.jig.run(peer.ticket("argv", secrets=secrets), peer.context())

    assert Succeeded({}) == outcome
    assert ["password is ***"] == context.lines
    assert isinstance(argv, Succeeded)
    assert re.fullmatch(r"-c readystate-[0-9a-f]{10}-11-5", " ".join(argv.outputs["argv"]))


def test_unknown_script_is_invalid(peer: Peer) -> None:
    assert isinstance(error_of(peer.jig.run(peer.ticket("nothing"), peer.context())), Invalid)


# -- connections ---------------------------------------------------------------------------------


def test_host_key_is_learned_once_and_the_connection_is_kept(peer: Peer) -> None:
    first, second = peer.context(), peer.context()
    peer.jig.run(peer.ticket("echo"), first)
    pinned = replace(peer.node, ssh_host_key=first.facts["ssh_host_key"])
    kept = dict(peer.jig.connections._kept)
    peer.jig.run(peer.ticket("echo", node=pinned), second)

    assert first.facts["ssh_host_key"].startswith("ssh-ed25519 AAAA")
    assert "ssh_host_key" not in second.facts
    assert kept == peer.jig.connections._kept


def test_another_host_key_than_the_pinned_is_refused(peer: Peer) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key("openssh").decode()
    pinned = replace(peer.node, ssh_host_key=other.strip())
    error = error_of(peer.jig.run(peer.ticket("echo", node=pinned), peer.context()))

    assert isinstance(error, Refused)
    assert "not the pinned one" in error.what
    assert "SHA256:" in error.why
    assert "reinstalled" in error.hint


def test_key_that_the_node_does_not_know_is_refused(
    peer: Peer, tmp_path: Path, scripts: Path
) -> None:
    stranger = ScriptJig(NodeConnections(load_identity(tmp_path / "other")), scripts)
    try:
        error = error_of(stranger.run(peer.ticket("echo"), peer.context()))
    finally:
        stranger.close()

    assert isinstance(error, Refused)
    assert "authorized_keys" in error.hint


def test_idle_connection_is_closed(peer: Peer) -> None:
    peer.jig.connections.idle_s = 0.2
    peer.jig.run(peer.ticket("echo"), peer.context())

    wait_for(lambda: not peer.jig.connections._kept, timeout_s=5)


def test_connections_are_bounded_and_the_longest_idle_goes_first(jig: ScriptJig) -> None:
    jig.connections.limit = 2
    with simulated_lab() as lab:
        lab.api.ssh_key = public_key_line(jig.connections.identity)
        peers = []
        for number in range(3):
            machine, bmc = lab.add_machine()
            lab.boot(bmc)
            node = node_view(machine.ssh_address, machine.ssh_port)
            peers.append(Peer(replace(node, id=NodeId(number)), "/", jig, None))
        wait_for(lambda: len(lab.api.told("inventory")) == 3)
        outcomes = [jig.run(peer.ticket("echo"), peer.context()) for peer in peers]

        assert all(isinstance(outcome, Succeeded) for outcome in outcomes)
        assert [NodeId(1), NodeId(2)] == list(jig.connections._kept)


def test_nothing_listening_is_unreachable(jig: ScriptJig) -> None:
    peer = Peer(node_view("127.0.0.1", free_port("127.0.0.1")), "/", jig, None)
    error = error_of(jig.run(peer.ticket("echo"), peer.context()))

    assert isinstance(error, Unreachable)
    assert "node-7 (127.0.0.1:" in error.what


def test_node_without_an_address_is_invalid(jig: ScriptJig) -> None:
    node = replace(node_view("127.0.0.1", 22), admin_address=None)
    peer = Peer(node, "/", jig, None)

    assert isinstance(error_of(jig.run(peer.ticket("echo"), peer.context())), Invalid)


# -- faults of the machine -----------------------------------------------------------------------


def test_power_cut_while_a_script_runs_is_unreachable(simulated: Peer) -> None:
    context = simulated.context()
    assert simulated.lab is not None
    assert simulated.bmc is not None
    lab, bmc = simulated.lab, simulated.bmc
    threading.Thread(target=lambda: context.line_came.wait(10) and lab.do(bmc.power_off())).start()
    error = error_of(simulated.jig.run(simulated.ticket("sleeps"), context))

    assert isinstance(error, Unreachable)


def test_kept_connection_that_a_reboot_cut_is_opened_again(simulated: Peer) -> None:
    machine, lab = simulated.machine, simulated.lab
    assert machine is not None
    assert lab is not None
    before, after = simulated.context(), simulated.context()
    simulated.jig.run(simulated.ticket("echo"), before)
    lab.api.mode = ""
    lab.loop.call_soon_threadsafe(machine.crash)
    wait_for(lambda: machine.ledger.boots["disk"] == 2 and machine.state is MachineState.RUNNING)
    node = replace(simulated.node, ssh_host_key=before.facts["ssh_host_key"])
    outcome = simulated.jig.run(simulated.ticket("echo", node=node), after)

    assert isinstance(outcome, Succeeded)
    assert before.facts["boot_id"] != after.facts["boot_id"]


def test_reinstalled_machine_is_refused_until_its_new_key_is_pinned(simulated: Peer) -> None:
    machine, lab, bmc = simulated.machine, simulated.lab, simulated.bmc
    assert machine is not None
    assert lab is not None
    assert bmc is not None
    before, after = simulated.context(), simulated.context()
    simulated.jig.run(simulated.ticket("echo"), before)
    pinned = replace(simulated.node, ssh_host_key=before.facts["ssh_host_key"])
    lab.api.calls.clear()
    lab.api.plan = lab.api.plan | {"wipe": "any"}
    lab.install(machine, bmc)
    refused = error_of(simulated.jig.run(simulated.ticket("echo", node=pinned), after))
    told = lab.api.told("first-boot")[0]["ssh"]["host_key"]
    repinned = replace(pinned, ssh_host_key=told)

    assert isinstance(refused, Refused)
    assert isinstance(simulated.jig.run(simulated.ticket("echo", node=repinned), after), Succeeded)


def test_ledger_names_the_scripts_that_really_ran(simulated: Peer) -> None:
    machine = simulated.machine
    assert machine is not None
    given = wanted(simulated)["ntp-client"][0]
    simulated.jig.check(simulated.ticket("ntp-client", given), simulated.context())
    simulated.jig.run(simulated.ticket("ntp-client", given), simulated.context())

    assert {("ntp-client", "check"): 1, ("ntp-client", "run"): 1} == dict(machine.ledger.scripts)
    assert 1 == machine.ledger.programs["chronyc reload sources"]


def test_discovery_to_scripts_over_one_life_of_a_machine(jig: ScriptJig) -> None:
    with simulated_lab() as lab:
        machine, bmc = lab.add_machine()
        lab.api.ssh_key = public_key_line(jig.connections.identity)
        lab.boot(bmc)
        wait_for(lambda: lab.api.told("inventory"))
        [disk, _] = lab.api.told("inventory")[0]["inventory"]["disks"]
        lab.api.plan = install_plan(machine, lab.api.ssh_key, disk={"serial": disk["serial"]})
        lab.install(machine, bmc)
        told = lab.api.told("first-boot")[0]["ssh"]
        node = replace(node_view(told["address"], told["port"]), ssh_host_key=told["host_key"])
        peer = Peer(node, "/", jig, None, machine, bmc, lab)
        outcomes = [
            jig.run(peer.ticket(script, wanted(peer)[script][0]), peer.context())
            for script in SHIPPED_CLIENTS
        ]
        lab.boot(bmc, BootDevice.DISK)
        wait_for(lambda: machine.ledger.boots["disk"] == 2)

        assert [Succeeded({})] * 5 == outcomes


def test_identity_is_made_once_and_is_ours_alone(tmp_path: Path) -> None:
    first, second = load_identity(tmp_path), load_identity(tmp_path)
    path = tmp_path / "ssh" / "id_ed25519"
    told = subprocess.run(["ssh-keygen", "-y", "-f", path], capture_output=True, text=True)

    assert public_key_line(first) == public_key_line(second)
    assert 0o600 == path.stat().st_mode & 0o777
    assert public_key_line(first).split()[1] == told.stdout.split()[1]


def test_identity_that_others_can_read_is_invalid(tmp_path: Path) -> None:
    load_identity(tmp_path)
    (tmp_path / "ssh" / "id_ed25519").chmod(0o644)

    with pytest.raises(Invalid, match="can be read by others"):
        load_identity(tmp_path)
