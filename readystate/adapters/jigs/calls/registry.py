"""The shipped `call` functions by the names that annotations give."""

from readystate.adapters.jigs.call import CallJig
from readystate.adapters.jigs.calls.bios import check_bios, configure_bios
from readystate.adapters.jigs.calls.bmc import BmcManaged, Prove
from readystate.adapters.jigs.calls.firmware import check_baseline, recheck_baseline
from readystate.adapters.jigs.calls.install import OsInstalled, check_installed
from readystate.adapters.jigs.calls.inventory import check_inventory, take_inventory
from readystate.adapters.jigs.calls.netboot import stop_boot
from readystate.adapters.jigs.calls.raid import check_raid, configure_raid
from readystate.adapters.jigs.calls.site import (
    AddressAdmin,
    Claim,
    check_service,
    declare_service,
)


def shipped_calls(*, prove: Prove, claim: Claim, own_key: str) -> CallJig:
    bmc, address, install = BmcManaged(prove), AddressAdmin(claim), OsInstalled(own_key)
    return CallJig(
        functions={
            "bmc_prove": bmc.run,
            "inventory_take": take_inventory,
            "firmware_check": check_baseline,
            "bios_configure": configure_bios,
            "raid_configure": configure_raid,
            "os_install": install.run,
            "address_allocate": address.run,
            "service_declared": declare_service,
        },
        checks={
            "bmc_prove": bmc.check,
            "inventory_take": check_inventory,
            "firmware_check": recheck_baseline,
            "bios_configure": check_bios,
            "raid_configure": check_raid,
            "os_install": check_installed,
            "address_allocate": address.check,
            "service_declared": check_service,
        },
        stops={"inventory_take": stop_boot, "os_install": stop_boot},
    )
