"""The machine's side of a boot: the order of devices, tried first to last.

What the BMC decides (overrides, pending settings) is in `machine.Firmware`; here is what the
firmware then does with the choice."""

from collections.abc import Callable
from urllib.parse import urlencode

from readystate.lab.hardware import Hardware
from readystate.lab.machines.boot_network import BootNetwork
from readystate.lab.machines.boot_wire import IPXE_PATH
from readystate.lab.machines.ipxe import FetchFailed, Ipxe, IpxeResult, ScriptFailed

DHCP_S = 0.05


async def netboot(
    hardware: Hardware,
    network: BootNetwork,
    *,
    uefi: bool,
    disk_is_bootable: Callable[[], bool],
    console: Callable[[str], None],
) -> IpxeResult | None:
    """Ask the API what to boot and follow its script. None: nothing came of it, next device."""
    nic = hardware.nics[0]
    arch = "x86_64" if uefi else "i386"  # iPXE's ${buildarch}: BIOS builds call themselves i386
    query = {"mac": nic.mac, "uuid": hardware.uuid, "serial": hardware.serial, "arch": arch}
    settings = {
        "mac": nic.mac, "net0/mac": nic.mac, "netX/mac": nic.mac,
        "uuid": hardware.uuid, "serial": hardware.serial, "asset": hardware.asset_tag,
        "manufacturer": hardware.manufacturer, "product": hardware.model,
        "buildarch": arch, "platform": "efi" if uefi else "pcbios",
    }  # fmt: skip
    await network.pause(DHCP_S)
    ipxe = Ipxe(
        fetch=network.fetch,
        settings=settings,
        disk_is_bootable=disk_is_bootable,
        sleep=network.pause,
        echo=console,
    )
    try:
        return await ipxe.run(f"{network.boot_url}{IPXE_PATH}?{urlencode(query)}")
    except (FetchFailed, ScriptFailed) as error:
        console(f"PXE: {error}")
        return None
