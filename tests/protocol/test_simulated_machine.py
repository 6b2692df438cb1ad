"""A simulated machine over its real wires: HTTP to the boot API, ssh to whoever has the key."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from readystate.adapters.jigs.script import load_identity, public_key_line
from readystate.lab.bmc.virtual_bmc import Volume
from readystate.lab.machines.machine import BootDevice
from readystate.lab.machines.simulated import MachineState
from tests.protocol.simulated_lab import SimulatedLab, install_plan, simulated_lab, wait_for


@pytest.fixture
def lab() -> Iterator[SimulatedLab]:
    with simulated_lab() as lab:
        yield lab


@pytest.fixture
def key_file(tmp_path: Path, lab: SimulatedLab) -> Path:
    lab.api.ssh_key = public_key_line(load_identity(tmp_path))
    return tmp_path / "ssh" / "id_ed25519"


def ssh(machine, key_file: Path, *command: str, known_hosts: Path | None = None, user="root"):
    """The stock OpenSSH client."""
    options = ["-F", "none", "-i", str(key_file), "-p", str(machine.ssh_port)]
    options += ["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=5"]
    if known_hosts is None:
        options += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    else:
        options += ["-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={known_hosts}"]
    return subprocess.run(
        ["ssh", *options, f"{user}@{machine.ssh_address}", *command],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=20,
    )


def test_discovery_posts_true_inventory_and_gives_ssh(lab: SimulatedLab, key_file: Path) -> None:
    machine, bmc = lab.add_machine()
    lab.boot(bmc)
    wait_for(lambda: lab.api.told("inventory"))
    [told] = lab.api.told("inventory")
    inventory = told["inventory"]

    assert machine.hardware.uuid == inventory["uuid"]
    assert 32 == inventory["cpu_cores"]
    assert bmc.address == inventory["bmc_address"]
    assert [machine.hardware.nics[0].mac] == [nic["mac"] for nic in inventory["nics"]]
    assert ["sda", "sdb"] == [disk["name"] for disk in inventory["disks"]]
    assert [True, True] == [disk["blank"] for disk in inventory["disks"]]
    assert MachineState.LIVE_IMAGE is machine.state
    assert "readystate-live\n" == ssh(machine, key_file, "hostname").stdout


def test_first_request_says_who_the_machine_is(lab: SimulatedLab) -> None:
    machine, bmc = lab.add_machine()
    lab.boot(bmc)
    wait_for(lambda: lab.api.told("ipxe"))

    assert {
        "mac": machine.hardware.nics[0].mac,
        "uuid": machine.hardware.uuid,
        "serial": machine.hardware.serial,
        "arch": "x86_64",
    } == lab.api.told("ipxe")[0]


def test_raid_volume_hides_its_drives_and_loses_its_data_when_made_anew(
    lab: SimulatedLab, key_file: Path
) -> None:
    machine, bmc = lab.add_machine()
    volume = Volume("Disk.Virtual.0", "os", "RAID1", ("Disk.Bay.0", "Disk.Bay.1"), 480 * 10**9)
    bmc.volumes_pending.append(volume)
    lab.boot(bmc)
    wait_for(lambda: lab.api.told("inventory"))
    [disk] = lab.api.told("inventory")[0]["inventory"]["disks"]
    lab.api.plan = install_plan(machine, lab.api.ssh_key, disk={"serial": disk["serial"]})
    lab.install(machine, bmc)
    bmc.volumes_doomed.add(volume.id)
    bmc.volumes_pending.append(Volume(volume.id, "os", "RAID1", volume.drives, volume.size_bytes))
    lab.api.mode = "discovery"
    lab.boot(bmc)
    wait_for(lambda: len(lab.api.told("inventory")) == 2)

    assert lab.api.told("inventory")[1]["inventory"]["disks"] == [disk]
    assert disk["blank"] is True


def test_install_reboots_into_the_system_that_calls_home_once(
    lab: SimulatedLab, key_file: Path
) -> None:
    machine, bmc = lab.add_machine()
    lab.api.plan = install_plan(machine, lab.api.ssh_key)
    lab.install(machine, bmc)
    names = [name for name, _ in lab.api.calls]
    first_boot = lab.api.told("first-boot")[0]
    lab.boot(bmc, BootDevice.DISK)
    wait_for(lambda: machine.ledger.boots["disk"] == 2 and machine.state is MachineState.RUNNING)

    assert ["ipxe", "install-started", "installed", "first-boot"] == names
    assert first_boot["ssh"] == lab.api.told("installed")[0]["ssh"]
    assert "node-7" == first_boot["hostname"]
    assert machine.system is not None
    assert first_boot["boot_id"] != machine.system.boot_id
    assert 1 == len(lab.api.told("first-boot"))
    assert "node-7\n" == machine.find_installed_file("/etc/hostname")
    assert machine.find_installed_file("/etc/none") is None
    assert [machine.hardware.drives[0].serial] == machine.ledger.wipes
    assert [3] == [install.generation for install in machine.ledger.installs]


def test_stock_ssh_client_accepts_the_host_key_that_was_told(
    lab: SimulatedLab, key_file: Path, tmp_path: Path
) -> None:
    machine, bmc = lab.add_machine()
    lab.api.plan = install_plan(machine, lab.api.ssh_key)
    lab.install(machine, bmc)
    told = lab.api.told("first-boot")[0]["ssh"]
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"[{told['address']}]:{told['port']} {told['host_key']}\n")
    answer = ssh(machine, key_file, "cat", "/etc/hostname", known_hosts=known_hosts)
    unknown = ssh(machine, key_file, "no-such-program", known_hosts=known_hosts)
    stranger = ssh(machine, key_file, "true", user="operator")

    assert (0, "node-7\n") == (answer.returncode, answer.stdout)
    assert (127, "no-such-program: command not found\n") == (unknown.returncode, unknown.stderr)
    assert 255 == stranger.returncode
    assert "Permission denied" in stranger.stderr


def test_reboot_clears_memory_and_keeps_the_disk(lab: SimulatedLab, key_file: Path) -> None:
    machine, bmc = lab.add_machine()
    lab.api.plan = install_plan(machine, lab.api.ssh_key)
    lab.install(machine, bmc)
    assert machine.system is not None
    machine.system.fs.write("/run/lock", b"here")
    machine.system.fs.write("/etc/motd", b"here")
    before = machine.system.boot_id
    ssh(machine, key_file, "reboot")
    wait_for(lambda: machine.ledger.boots["disk"] == 2 and machine.state is MachineState.RUNNING)

    assert machine.system is not None
    assert before != machine.system.boot_id
    assert not machine.system.fs.exists("/run/lock")
    assert machine.system.fs.exists("/etc/motd")
    assert machine.ledger.reboots == 2  # the installer's own, and this one


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"disk": {"serial": "ELSEWHERE"}}, "no disk with serial ELSEWHERE"),
        ({"wipe": "blank"}, "is not blank"),
        ({"disk": {}}, "not complete"),
    ],
)
def test_installer_refuses_and_touches_nothing(
    lab: SimulatedLab, key_file: Path, changes: dict[str, object], reason: str
) -> None:
    machine, bmc = lab.add_machine()
    lab.api.plan = install_plan(machine, lab.api.ssh_key)
    lab.install(machine, bmc)
    lab.api.calls.clear()
    lab.api.plan = install_plan(machine, lab.api.ssh_key, **changes)
    lab.boot(bmc)
    wait_for(lambda: lab.api.told("install-failed"))

    assert reason in lab.api.told("install-failed")[0]["reason"]
    assert [] == lab.api.told("install-started")
    assert 1 == len(machine.ledger.wipes)


def test_install_that_may_not_start_wipes_nothing(lab: SimulatedLab, key_file: Path) -> None:
    machine, bmc = lab.add_machine()
    lab.api.plan = install_plan(machine, lab.api.ssh_key)
    lab.api.mode, lab.api.refuse = "install", {"install-started": 409}
    lab.boot(bmc)
    wait_for(lambda: any("HTTP 409" in line for line in machine.console_lines))

    assert [] == machine.ledger.wipes


def test_wipe_any_reinstalls_over_the_old_system(lab: SimulatedLab, key_file: Path) -> None:
    machine, bmc = lab.add_machine()
    lab.api.plan = install_plan(machine, lab.api.ssh_key, wipe="any")
    lab.install(machine, bmc)
    assert machine.system is not None
    machine.system.fs.write("/etc/motd", b"of the first system")
    old_key = lab.api.told("first-boot")[0]["ssh"]["host_key"]
    lab.api.calls.clear()
    lab.install(machine, bmc)

    assert not machine.system.fs.exists("/etc/motd")
    assert old_key != lab.api.told("first-boot")[0]["ssh"]["host_key"]


def test_power_cut_during_the_install_leaves_a_disk_that_does_not_boot(key_file: Path) -> None:
    with simulated_lab(pace=3) as lab:
        machine, bmc = lab.add_machine()
        lab.api.plan, lab.api.mode = install_plan(machine, lab.api.ssh_key), "install"
        lab.boot(bmc)
        wait_for(lambda: machine.ledger.wipes)
        time.sleep(0.1)
        lab.do(bmc.power_off())
        lab.api.mode = "local"
        lab.boot(bmc, BootDevice.DISK)
        wait_for(lambda: machine.state is MachineState.NOTHING_BOOTED)

        assert [] == machine.ledger.installs
        assert machine.find_installed_file("/etc/hostname") is None
        assert 1 == machine.ledger.power_cuts
        assert not machine.shelf.is_blank(machine.disks()[0])
        assert "disk: nothing to boot" in machine.console_lines


def test_power_off_ends_connections_and_listener_at_once(lab: SimulatedLab, key_file: Path) -> None:
    machine, bmc = lab.add_machine()
    lab.boot(bmc)
    wait_for(lambda: lab.api.told("inventory"))

    async def cut() -> str:
        connection = await asyncssh.connect(
            machine.ssh_address, machine.ssh_port, username="root", known_hosts=None,
            client_keys=[str(key_file)], config=[],
        )  # fmt: skip
        await bmc.power_off()
        await connection.wait_closed()
        try:
            await asyncssh.connect(machine.ssh_address, machine.ssh_port, config=[])
        except ConnectionRefusedError:
            return "refused"
        return "accepted"

    assert "refused" == lab.do(cut())


def test_unknown_machine_goes_to_its_next_device(lab: SimulatedLab) -> None:
    machine, bmc = lab.add_machine()
    lab.api.mode = ""
    lab.boot(bmc)
    wait_for(lambda: machine.state is MachineState.NOTHING_BOOTED)

    assert ["disk: nothing to boot"] == [line for line in machine.console_lines if "disk" in line]


def test_crash_is_a_reboot_that_the_bmc_did_not_order(lab: SimulatedLab, key_file: Path) -> None:
    machine, bmc = lab.add_machine()
    lab.api.plan = install_plan(machine, lab.api.ssh_key)
    lab.install(machine, bmc)
    lab.api.mode = ""
    lab.loop.call_soon_threadsafe(machine.crash)
    wait_for(lambda: machine.ledger.boots["disk"] == 2 and machine.state is MachineState.RUNNING)

    assert (0, 1) == (bmc.ledger.resets, machine.ledger.crashes)


def test_machine_that_found_nothing_tries_again_and_finds_the_api(lab: SimulatedLab) -> None:
    machine, bmc = lab.add_machine()
    lab.api.mode = ""
    lab.boot(bmc)
    wait_for(lambda: machine.state is MachineState.NOTHING_BOOTED)
    lab.api.mode = "discovery"
    wait_for(lambda: lab.api.told("inventory"))

    assert 1 == bmc.ledger.boots


def test_callback_is_repeated_while_the_api_is_not_well(lab: SimulatedLab) -> None:
    machine, bmc = lab.add_machine()
    lab.api.refuse = {"inventory": 503}
    lab.boot(bmc)
    wait_for(lambda: machine.state is MachineState.LIVE_IMAGE)
    time.sleep(0.1)
    lab.api.refuse = {}
    wait_for(lambda: lab.api.told("inventory"))


def test_refused_token_is_not_tried_again(lab: SimulatedLab) -> None:
    machine, bmc = lab.add_machine()
    lab.api.refuse = {"inventory": 401}
    lab.boot(bmc)
    wait_for(lambda: any("HTTP 401" in line for line in machine.console_lines))
    lab.api.refuse = {}
    time.sleep(0.3)

    assert [] == lab.api.told("inventory")
    assert MachineState.LIVE_IMAGE is machine.state


def test_kernel_of_another_kind_runs_nothing_of_ours(lab: SimulatedLab) -> None:
    machine, bmc = lab.add_machine()
    lab.api.mode = "rescue"
    lab.boot(bmc)
    wait_for(lambda: any("'rescue'" in line for line in machine.console_lines))

    assert machine.system is None


def test_first_boot_that_was_cut_short_is_told_at_the_next(
    lab: SimulatedLab, key_file: Path
) -> None:
    machine, bmc = lab.add_machine()
    lab.api.plan, lab.api.mode = install_plan(machine, lab.api.ssh_key), "install"
    lab.api.refuse = {"first-boot": 503}
    lab.boot(bmc)
    wait_for(lambda: machine.state is MachineState.RUNNING)
    lab.do(bmc.power_off())
    lab.api.refuse = {}
    lab.boot(bmc, BootDevice.DISK)
    wait_for(lambda: lab.api.told("first-boot"))

    assert 1 == len(machine.ledger.installs)


def test_reset_in_the_middle_of_the_install_starts_it_over(key_file: Path) -> None:
    with simulated_lab(pace=1) as lab:
        machine, bmc = lab.add_machine()
        bmc.boot_order = (BootDevice.PXE, BootDevice.DISK)
        lab.api.plan, lab.api.mode = install_plan(machine, lab.api.ssh_key, wipe="any"), "install"
        lab.boot(bmc)
        wait_for(lambda: machine.ledger.wipes)
        lab.do(bmc.reset())
        wait_for(lambda: machine.ledger.installs)
        lab.api.mode = "local"
        wait_for(lambda: lab.api.told("first-boot"))

        assert 2 == len(machine.ledger.wipes)
        assert 1 == len(machine.ledger.installs)


def test_button_stops_a_system_and_not_firmware(lab: SimulatedLab) -> None:
    machine, bmc = lab.add_machine()
    lab.boot(bmc, BootDevice.BIOS_SETUP)
    wait_for(lambda: machine.state is MachineState.SETUP)
    lab.do(machine.shut_down())
    in_setup = machine.is_on
    lab.boot(bmc)
    wait_for(lambda: lab.api.told("inventory"))
    lab.do(machine.shut_down())

    assert in_setup
    assert not machine.is_on


def test_reset_of_a_machine_that_is_off_is_refused(lab: SimulatedLab) -> None:
    machine, _ = lab.add_machine()

    with pytest.raises(ValueError, match="is off"):
        lab.do(machine.reset())


def test_sensors_tell_a_running_machine_from_one_that_is_off(lab: SimulatedLab) -> None:
    machine, bmc = lab.add_machine()
    off = machine.sensors()
    lab.boot(bmc)
    wait_for(lambda: machine.state is MachineState.LIVE_IMAGE)
    on = machine.sensors()

    assert ["CPU1 Temp", "Fan1", "Inlet Temp", "PSU1 Power"] == sorted(on)
    assert 0.0 == off["Fan1"]
    assert on["CPU1 Temp"] > off["CPU1 Temp"]
    assert on["PSU1 Power"] > off["PSU1 Power"]


def test_poweroff_by_the_system_itself(lab: SimulatedLab, key_file: Path) -> None:
    machine, bmc = lab.add_machine()
    lab.boot(bmc)
    wait_for(lambda: lab.api.told("inventory"))
    ssh(machine, key_file, "systemctl", "poweroff")
    wait_for(lambda: not machine.is_on)
