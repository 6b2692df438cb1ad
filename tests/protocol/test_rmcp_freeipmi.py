"""The virtual BMC's RMCP+ side as FreeIPMI's tools see it: strict about checksums, padding and
the specification's small print."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.protocol.rmcp_rack import (
    PORT,
    ServedRack,
    make_bmc,
    rack_network,
    serve,
    write_freeipmi_config,
)

RACK_SIZE = 100


@pytest.fixture(scope="module")
def rack() -> Iterator[ServedRack]:
    network = rack_network(48)
    with serve([make_bmc(f"{network}.0.{n}", n) for n in range(1, RACK_SIZE + 1)]) as served:
        yield served


@pytest.fixture(params=["3", "17"])
def ask(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    config = write_freeipmi_config(tmp_path)

    def run(tool: str, hosts: list[str], *options: str) -> str:
        targets = ",".join(host if PORT == 623 else f"{host}:{PORT}" for host in hosts)
        done = subprocess.run(
            [tool, "--config-file", config, "-I", request.param, "-h", targets, *options],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"HOME": str(tmp_path), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_ipmipower_tells_every_state_of_a_hundred(rack: ServedRack, ask) -> None:  # type: ignore[no-untyped-def]
    for bmc in rack.bmcs[::3]:
        rack.run(bmc.power_on)
    hosts = [bmc.address for bmc in rack.bmcs]
    told = dict(row.split(": ") for row in ask("ipmipower", hosts, "--stat").splitlines())

    assert told == {bmc.address: "on" if bmc.machine.is_on else "off" for bmc in rack.bmcs}


def test_ipmipower_switches_and_waits_for_the_state(rack: ServedRack, ask) -> None:  # type: ignore[no-untyped-def]
    bmcs = rack.bmcs[:3]
    hosts = [bmc.address for bmc in bmcs]
    ask("ipmipower", hosts, "--on", "--wait-until-on")
    assert [True] * 3 == [bmc.machine.is_on for bmc in bmcs]
    ask("ipmipower", hosts, "--off", "--wait-until-off")

    assert [False] * 3 == [bmc.machine.is_on for bmc in bmcs]


def test_other_tools_read_what_ipmitool_reads(rack: ServedRack, ask) -> None:  # type: ignore[no-untyped-def]
    bmc = rack.bmcs[10]
    rack.run(bmc.power_on)
    host = [bmc.address]

    assert "System Power                        : on" in ask(
        "ipmi-chassis", host, "--get-chassis-status"
    )
    told = ask("bmc-info", host)
    assert "Manufacturer ID       : Dell Inc. (674)" in told
    assert "Firmware Revision     : 6.10" in told
    sensors = ask("ipmi-sensors", host, "--sdr-cache-recreate")
    assert "CPU1 Temp" in sensors
    assert "4800.00    | RPM" in sensors
    assert bmc.machine.hardware.serial in ask("ipmi-fru", host)
    assert "PS1" not in ask("ipmi-sel", host)
    assert "16" in ask("ipmi-dcmi", host, "--get-system-power-statistics")


def test_presence_ping_is_answered() -> None:
    bmc = make_bmc(f"{rack_network(48)}.1.1")
    if PORT != 623:
        pytest.skip("rmcpping knows only port 623, which this user may not bind")
    with serve([bmc]):
        done = subprocess.run(
            ["rmcpping", "-c", "2", "-i", "1", "-t", "1", bmc.address],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )

    assert "0.0% packet loss" in done.stdout, done.stdout + done.stderr
