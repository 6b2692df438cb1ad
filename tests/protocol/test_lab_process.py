"""A lab as its own process, its control socket, and its refusals."""

import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from readystate.domain.errors import BadRequest, Conflict, Failed, NotFound
from readystate.lab.control import SOCKET_NAME, bind_socket
from readystate.lab.control_client import LabClient, NoLab
from readystate.lab.lab_ports import claim_network, find_ports
from readystate.lab.process import PASSWORD_FILE, LabProcess, LabWish, read_login, spawn_lab


@pytest.fixture(scope="module")
def state_dir() -> Iterator[Path]:
    with TemporaryDirectory(prefix="lab-") as folder:  # short: it holds a socket
        yield Path(folder)


@pytest.fixture(scope="module")
def lab(state_dir: Path) -> Iterator[LabProcess]:
    started = spawn_lab(LabWish(state_dir, nodes=4))
    yield started
    started.stop()


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="lab-") as path:
        yield Path(path)


def bmc(lab: LabProcess, index: int = 0) -> str:
    address: str = lab.client.status()["machines"][index]["bmc_address"]
    return address


def chassis_power(lab: LabProcess, state_dir: Path, address: str, *words: str) -> str:
    port = lab.client.status()["ports"]["ipmi"]
    done = subprocess.run(
        ["ipmitool", "-I", "lanplus", "-H", address, "-p", str(port), "-U", "admin",
         "-f", str(state_dir / PASSWORD_FILE), "chassis", "power", *words],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_status_tells_what_is_in_the_rack(lab: LabProcess) -> None:
    status = lab.client.status()

    assert ["dell", "hpe", "supermicro", "generic-ipmi"] == [
        item["personality"] for item in status["machines"]
    ]
    assert status["pid"] == lab.process.pid
    assert {"off"} == {item["state"] for item in status["machines"]}
    assert status["bmc_range"] == f"{bmc(lab)}-{bmc(lab, 3)}"


def test_its_bmcs_take_the_password_of_the_state_folder(lab: LabProcess, state_dir: Path) -> None:
    address = bmc(lab)

    chassis_power(lab, state_dir, address, "on")

    assert "Chassis Power is on" in chassis_power(lab, state_dir, address, "status")
    assert lab.client.status()["machines"][0]["ledger"]["power_ons"] == 1
    chassis_power(lab, state_dir, address, "off")


def test_only_the_owner_may_open_socket_and_password(lab: LabProcess, state_dir: Path) -> None:
    for name in (SOCKET_NAME, PASSWORD_FILE):
        assert 0o600 == stat.S_IMODE((state_dir / name).stat().st_mode)


def test_the_password_is_not_in_the_process_list(lab: LabProcess, state_dir: Path) -> None:
    password = read_login(state_dir).password.reveal()

    assert password not in Path(f"/proc/{lab.process.pid}/cmdline").read_text()
    assert password not in Path(f"/proc/{lab.process.pid}/environ").read_text()


def test_the_truth_about_a_machine_is_its_whole_inventory(lab: LabProcess) -> None:
    truth = lab.client.truth(bmc(lab))

    assert truth["serial"] == truth["inventory"]["serial"]
    assert truth["inventory"]["bmc_address"] == bmc(lab)
    assert 7 == len(truth["inventory"]["disks"])


def test_a_fault_is_planted_and_cleared(lab: LabProcess) -> None:
    assert ["slow"] == lab.client.plant(bmc(lab), "slow", delay_s=0.1)["faults"]
    assert ["unreachable", "slow"] == lab.client.plant(bmc(lab), "unreachable")["faults"]
    assert ["slow"] == lab.client.clear(bmc(lab), "unreachable")["faults"]
    assert [] == lab.client.clear(bmc(lab))["faults"]


def test_a_fault_for_a_time_ends_by_itself(lab: LabProcess) -> None:
    lab.client.plant(bmc(lab), "unreachable", for_s=0.2)
    ends_at = time.monotonic() + 5
    while lab.client.status()["machines"][0]["faults"]:
        assert time.monotonic() < ends_at
        time.sleep(0.05)


def test_an_unknown_fault_is_refused_with_a_guess(lab: LabProcess) -> None:
    with pytest.raises(BadRequest, match="no fault is called 'unreachabel'") as refused:
        lab.client.plant(bmc(lab), "unreachabel")

    assert 'did you mean "unreachable"?' == refused.value.hint


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_fault_for_no_time_is_refused(lab: LabProcess, seconds: float) -> None:
    with pytest.raises(BadRequest, match="no number of seconds"):
        lab.client.plant(bmc(lab), "slow", for_s=seconds)


def test_an_unknown_machine_is_refused(lab: LabProcess) -> None:
    with pytest.raises(NotFound, match="no machine of the lab is known as 'node-9'"):
        lab.client.crash("node-9")


def test_a_machine_that_is_off_cannot_crash(lab: LabProcess) -> None:
    with pytest.raises(Conflict, match="is off"):
        lab.client.crash(bmc(lab, 1))


def test_a_second_lab_in_the_same_folder_is_refused(lab: LabProcess, state_dir: Path) -> None:
    with pytest.raises(Conflict, match="a lab is running already"):
        bind_socket(state_dir / SOCKET_NAME)


def test_a_second_lab_finds_a_network_of_its_own(lab: LabProcess, folder: Path) -> None:
    other = spawn_lab(LabWish(folder, nodes=1))
    try:
        assert other.client.status()["network"] != lab.client.status()["network"]
    finally:
        other.stop()


def test_a_network_in_use_is_refused(lab: LabProcess, folder: Path) -> None:
    network = lab.client.status()["network"]

    with pytest.raises(Failed, match=rf"the network {network} is in use: another lab"):
        spawn_lab(LabWish(folder, network=network))


def test_a_port_in_use_is_refused_with_what_to_do(folder: Path) -> None:
    claim = claim_network()
    address, network = f"{claim.network}.0.1", claim.network
    claim.release()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((address, 6231))
        with pytest.raises(Failed, match="cannot listen: Address already in use"):
            spawn_lab(LabWish(folder, nodes=1, network=network, ipmi_port=6231))


def test_a_taken_port_gives_way_to_a_high_one() -> None:
    claim = claim_network()
    address = f"{claim.network}.0.1"
    usual = find_ports(claim.network)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((address, usual.ipmi))
        if usual.ipmi == 623:
            assert 6230 == find_ports(claim.network).ipmi
        else:
            with pytest.raises(Conflict, match="no port for IPMI"):
                find_ports(claim.network)
    claim.release()


def test_nothing_answers_where_no_lab_runs(folder: Path) -> None:
    with pytest.raises(NoLab, match="no lab is running"):
        LabClient(folder).status()


def test_a_state_folder_too_deep_for_a_socket_is_refused(folder: Path) -> None:
    with pytest.raises(BadRequest, match="too long a path for a socket"):
        bind_socket(folder / ("deep" * 30) / SOCKET_NAME)


def test_what_a_killed_lab_left_is_no_hindrance(folder: Path) -> None:
    first = spawn_lab(LabWish(folder, nodes=1))
    first.process.kill()
    first.process.wait()
    assert (folder / SOCKET_NAME).exists()

    second = spawn_lab(LabWish(folder, nodes=1))
    try:
        assert second.client.status()["pid"] == second.process.pid
    finally:
        second.stop()


def test_a_lab_ends_when_it_is_told_to(folder: Path) -> None:
    lab = spawn_lab(LabWish(folder, nodes=1))

    lab.client.stop()

    assert 0 == lab.process.wait(10)
    assert not (folder / SOCKET_NAME).exists()


def test_a_lab_ends_when_who_started_it_is_gone(folder: Path) -> None:
    lab = spawn_lab(LabWish(folder, nodes=1))
    assert lab.process.stdin is not None

    lab.process.stdin.close()

    assert 0 == lab.process.wait(10)


def test_a_detached_lab_is_tied_to_nobody_and_ends_by_signal(folder: Path) -> None:
    lab = spawn_lab(LabWish(folder, nodes=1), is_detached=True)
    assert lab.process.stdin is None

    os.kill(lab.process.pid, signal.SIGTERM)

    assert 0 == lab.process.wait(10)
