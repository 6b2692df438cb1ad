"""inventory: boot the live image and take in what the node is made of."""

from collections.abc import Mapping
from dataclasses import asdict

from pydantic import TypeAdapter, ValidationError

from readystate.adapters.jigs.calls.netboot import send_into
from readystate.domain.errors import Failed
from readystate.domain.inventory import Inventory
from readystate.domain.outcome import CheckOutcome, Json, NotDone, Outcome, Pending, Succeeded
from readystate.ports.boot_services import BootKind, BootWish
from readystate.ports.jig import RunContext, Ticket

WAKE = "inventory"
#: A machine with much memory takes ten minutes through POST; the role's own deadline is longer.
BOOT_DEADLINE_S = 1500.0

_READER = TypeAdapter(Inventory)


def take_inventory(ticket: Ticket, context: RunContext) -> Outcome:
    if ticket.wake is not None:
        return _take(ticket.wake, context)
    context.progress("boots the live image")
    send_into(context, BootWish(BootKind.DISCOVERY, wake=WAKE), counts_as_effect=True)
    context.progress("waits for the live image to post its inventory")
    return Pending(WAKE, BOOT_DEADLINE_S)


def check_inventory(ticket: Ticket, context: RunContext) -> CheckOutcome:
    if ticket.wake is not None:
        return _take(ticket.wake, context)
    return NotDone("an inventory is only true of the boot that took it")


def _take(wake: Mapping[str, Json], context: RunContext) -> Succeeded:
    try:
        inventory = _READER.validate_python(wake.get("inventory"))
    except ValidationError as error:
        what = "; ".join(f"{'.'.join(map(str, it['loc']))}: {it['msg']}" for it in error.errors())
        raise Failed("the live image posted an inventory that cannot be read", why=what) from error
    context.log(f"{inventory.manufacturer} {inventory.model}, {inventory.cpu_cores} cores")
    facts = {
        "uuid": inventory.uuid,
        "serial": inventory.serial,
        "vendor": inventory.manufacturer,
        "model": inventory.model,
        "macs": [nic.mac for nic in inventory.nics],
    }
    # What the machine does not tell is not known to be otherwise than the BMC told.
    context.remember({name: value for name, value in facts.items() if value})
    return Succeeded(
        {
            "hardware/vendor": inventory.manufacturer,
            "hardware/model": inventory.model,
            "hardware/serial": inventory.serial,
            "hardware/uuid": inventory.uuid,
            "hardware/cpu-model": inventory.cpu_model,
            "hardware/cpu-sockets": inventory.cpu_sockets,
            "hardware/cpu-cores": inventory.cpu_cores,
            "hardware/memory-bytes": inventory.memory_bytes,
            "hardware/bios-version": inventory.bios_version,
            "hardware/bmc-version": inventory.bmc_version,
            "hardware/disks": [asdict(disk) for disk in inventory.disks],
            "hardware/nics": [asdict(nic) for nic in inventory.nics],
        }
    )
