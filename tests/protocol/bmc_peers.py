"""BMCs that nobody here wrote: OpenIPMI's `ipmi_sim` and the emulator of sushy-tools."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from readystate.domain.secret import Secret
from readystate.ports.hammer import BmcEndpoint
from tests.protocol.redfish_rack import CERTIFICATE

USER, PASSWORD = "admin", "sim-secret"
_START_S = 10.0

_LAN_CONF = """\
name "peer"
set_working_mc 0x20
  startlan 1
    addr {address} {port}
    priv_limit admin
    allowed_auths_admin none md5
    guid 00112233445566778899aabbccddeeff
  endlan
  chassis_control "{script}"
  user 1 true "" "" user 10 none
  user 2 true "{user}" "{password}" admin 10 none md5
"""
_EMU = """\
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x2a7c 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
sel_add 0x20 0x02 0x00 0x00 0x00 0x00 0x20 0x00 0x04 0x01 0x02 0x01 0x57 0x00 0x00
mc_add_fru_data 0x20 0 {size} file 0 "{fru}"
mc_enable 0x20
"""
#: Answers `get power`, `set power`, `set boot`, `set reset` from files beside it.
_CHASSIS_SCRIPT = """\
#!/bin/sh
cd "$(dirname "$0")" || exit 1
[ "$1" = 0x20 ] && shift
case "$1 $2" in
"get boot") echo "boot:$(cat bootdev)" ;;
"get power") echo "power:$(cat power)" ;;
"set power") echo "$3" > power; [ "$3" = 1 ] && echo x >> boots; true ;;
"set reset") echo x >> boots ;;
"set boot") echo "$3" > bootdev ;;
"check "*) exit 0 ;;
*) exit 1 ;;
esac
"""


@dataclass
class IpmiSim:
    endpoint: BmcEndpoint
    folder: Path

    def is_on(self) -> bool:
        return (self.folder / "power").read_text().strip() == "1"

    def boots(self) -> int:
        path = self.folder / "boots"
        return len(path.read_text().split()) if path.exists() else 0


@contextmanager
def ipmi_sim(folder: Path, address: str, port: int) -> Iterator[IpmiSim]:
    """OpenIPMI's simulator with a machine of three files behind it."""
    program = shutil.which("ipmi_sim")
    assert program, "install the Debian package openipmi"
    script = folder / "chassis"
    script.write_text(_CHASSIS_SCRIPT)
    script.chmod(0o755)
    (folder / "power").write_text("0\n")
    (folder / "bootdev").write_text("none\n")
    fru = folder / "fru.bin"
    fru.write_bytes(_fru("OpenIPMI", "Simulated 1", "SIM0001"))
    conf, emu, state = folder / "lan.conf", folder / "peer.emu", folder / "state"
    conf.touch(mode=0o600)
    conf.write_text(
        _LAN_CONF.format(address=address, port=port, script=script, user=USER, password=PASSWORD)
    )
    emu.write_text(_EMU.format(fru=fru, size=fru.stat().st_size))
    state.mkdir()
    command = [program, "-c", str(conf), "-f", str(emu), "-s", str(state), "-n"]
    with _running(command, folder / "sim.log"):
        endpoint = BmcEndpoint(
            address, "ipmi", USER, Secret(PASSWORD), port=port, vendor="OpenIPMI"
        )
        _wait_for_rmcp(address, port)
        yield IpmiSim(endpoint, folder)


@contextmanager
def sushy_emulator(folder: Path, address: str, port: int) -> Iterator[BmcEndpoint]:
    """The emulator with its `fake` driver, which takes 1 s to switch a machine's power."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    key.touch(mode=0o600)
    certificate.write_bytes(CERTIFICATE.leaf_pem)
    key.write_bytes(CERTIFICATE.key_pem)
    config = folder / "emulator.conf"
    config.write_text(f"SUSHY_EMULATOR_STATE_DIR = {str(folder)!r}\n")
    # Left alone it switches after a random 1 to 11 s; nothing else about it is touched.
    start = "import random, sys; random.randint = lambda low, high: 1; "
    start += "from sushy_tools.emulator.main import main; sys.exit(main())"
    command = [
        *(sys.executable, "-c", start, "--fake", "--config", str(config), "-i", address),
        *("-p", str(port), "--ssl-certificate", str(certificate), "--ssl-key", str(key)),
    ]
    with _running(command, folder / "emulator.log"):
        _wait_for_tcp(address, port)
        yield BmcEndpoint(address, "redfish", USER, Secret(PASSWORD), port=port)


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield
            assert process.poll() is None, log.read_text()[-2000:]
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait(5)


def _wait_for_tcp(address: str, port: int) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"nothing listens on {address}:{port}"
            time.sleep(0.05)


def _wait_for_rmcp(address: str, port: int) -> None:
    """Ask for the authentication capabilities until somebody answers."""
    question = bytes.fromhex("0600ff07000000000000000000092018c88100388e04b5")
    deadline = time.monotonic() + _START_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(0.1)
        while True:
            try:
                link.sendto(question, (address, port))
                link.recv(1024)
                return
            except OSError:
                assert time.monotonic() < deadline, f"no RMCP on {address}:{port}"
                time.sleep(0.02)


def _fru(manufacturer: str, product: str, serial: str) -> bytes:
    """A FRU with a product area (Platform Management FRU Information Storage Definition 1.0)."""
    fields = b""
    for value in (manufacturer, product, "", "", serial, "", ""):
        fields += bytes((0xC0 | len(value),)) + value.encode() if value else b"\x00"
    area = b"\x01\x00\x19" + fields + b"\xc1"
    area += b"\x00" * (-(len(area) + 1) % 8)
    area = area[:1] + bytes((len(area) // 8 + 1,)) + area[2:]
    area += bytes((-sum(area) & 0xFF,))
    head = b"\x01\x00\x00\x00\x01\x00\x00"
    return head + bytes((-sum(head) & 0xFF,)) + area
