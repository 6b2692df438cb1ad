"""Chassis commands: power, identify, boot options (section 28)."""

import asyncio

from readystate.lab.bmc.faults import Fault
from readystate.lab.bmc.ipmi_device import Call, Command, PowerCommand
from readystate.lab.bmc.ipmi_message import CommandRefused, CompletionCode, NetFn, Privilege
from readystate.lab.bmc.virtual_bmc import BootOverride
from readystate.lab.machines.machine import BootDevice

BOOT_FLAGS_LAPSE_S = 60.0  #: section 28.12: void unless a chassis command comes within a minute
IDENTIFY_S = 15  #: section 28.5, when the caller names no time
FOREVER_S = 365 * 86400.0
PARAMETER_UNSUPPORTED = 0x80  #: sections 28.12 and 28.13
CAN_IDENTIFY = 0x40
POLICIES = ("always-off", "previous", "always-on")  #: index is the code of table 28-3
RESTART_CAUSES = {"unknown": 0, "chassis-command": 1, "power-button": 3, "watchdog": 4}
#: boot device selector, table 28-14; those that the lab knows no machine for are refused
DEVICE_OF_SELECTOR = {
    0: BootDevice.NONE,
    1: BootDevice.PXE,
    2: BootDevice.DISK,
    5: BootDevice.CDROM,
    6: BootDevice.BIOS_SETUP,
    8: BootDevice.CDROM,  # remote CD: virtual media is the only drive there is
}
SELECTOR_OF_DEVICE = {
    BootDevice.NONE: 0,
    BootDevice.PXE: 1,
    BootDevice.DISK: 2,
    BootDevice.CDROM: 5,
    BootDevice.BIOS_SETUP: 6,
}


def get_chassis_capabilities(_call: Call) -> bytes:
    return b"\x00\x20\x20\x20\x20\x20"  # every function at the BMC's own address, table 28-2


def get_chassis_status(call: Call) -> bytes:
    """Table 28-3."""
    bmc, now = call.bmc, asyncio.get_running_loop().time()
    is_on = bmc.reported_power_on
    last_event = 0x10 if is_on and bmc.restart_cause == "chassis-command" else 0x00
    identify = 0
    if bmc.identify_until > now:
        identify = 2 if bmc.identify_until - now > FOREVER_S / 2 else 1
    policy = POLICIES.index(bmc.power_restore)
    return bytes((policy << 5 | is_on, last_event, CAN_IDENTIFY | identify << 4, 0))


async def control_chassis(call: Call) -> bytes:
    """Section 28.3. Cycle and reset of a machine that is off are refused, as it recommends."""
    bmc, wanted = call.bmc, call.data[0] & 0x0F
    acts = {
        0: bmc.power_off,
        1: bmc.power_on,
        2: bmc.power_cycle,
        3: bmc.reset,
        5: lambda: bmc.power_off(graceful=True),
    }
    if wanted == 4:
        bmc.log("System Power", "Diagnostic interrupt")
        return b""
    if wanted not in acts:
        raise CommandRefused(CompletionCode.INVALID_FIELD)
    is_lying = bmc.faults.is_active(Fault.POWER_LIES)
    if wanted in (2, 3) and not bmc.machine.is_on and not is_lying:
        raise CommandRefused(CompletionCode.NOT_IN_PRESENT_STATE)
    bmc.current_override().lapses_at = None  # a chassis command keeps the boot flags
    try:
        await acts[wanted]()
    except ValueError as error:  # the machine went off by itself meanwhile
        raise CommandRefused(CompletionCode.NOT_IN_PRESENT_STATE) from error
    return b""


def identify(call: Call) -> bytes:
    seconds = call.data[0] if call.data else IDENTIFY_S
    is_forced = len(call.data) > 1 and call.data[1] & 0x01
    now = asyncio.get_running_loop().time()
    call.bmc.identify_until = now + (FOREVER_S if is_forced else seconds)
    return b""


def set_power_restore_policy(call: Call) -> bytes:
    """Section 28.8; 3 only asks what is supported."""
    wanted = call.data[0] & 0x07
    if wanted < len(POLICIES):
        call.bmc.power_restore = POLICIES[wanted]
    elif wanted != len(POLICIES):
        raise CommandRefused(CompletionCode.INVALID_FIELD)
    return b"\x07"


def get_restart_cause(call: Call) -> bytes:
    return bytes((RESTART_CAUSES.get(call.bmc.restart_cause, 0), 0))


def get_power_on_hours(_call: Call) -> bytes:
    return b"\x3c\x00\x00\x00\x00"  # 60 minutes a count, none counted


def set_boot_options(call: Call) -> bytes:
    """Section 28.12, table 28-14."""
    parameter, data = call.data[0] & 0x7F, call.data[1:]
    if parameter == 0 and data:
        if data[0] & 0x03 == 1 and call.device.set_in_progress == 1:
            raise CommandRefused(0x81)  # somebody else is setting
        call.device.set_in_progress = data[0] & 0x01
    elif parameter == 3 and data:
        call.device.boot_flags_lapse = not data[0] & 0x08
        if not call.device.boot_flags_lapse:
            call.bmc.current_override().lapses_at = None
    elif parameter == 4 and len(data) >= 2:
        mask = data[0]
        call.device.boot_info_ack = call.device.boot_info_ack & ~mask | data[1] & mask
    elif parameter == 5 and len(data) >= 2:
        _set_boot_flags(call, data)
    elif parameter in (0, 3, 4, 5):
        raise CommandRefused(CompletionCode.LENGTH_INVALID)
    else:
        raise CommandRefused(PARAMETER_UNSUPPORTED)
    return b""


def _set_boot_flags(call: Call, data: bytes) -> None:
    is_valid, is_persistent, is_uefi = (bool(data[0] & bit) for bit in (0x80, 0x40, 0x20))
    device = DEVICE_OF_SELECTOR.get(data[1] >> 2 & 0x0F)
    if not is_valid:
        call.bmc.override = BootOverride()
        return
    if device is None:
        raise CommandRefused(CompletionCode.INVALID_FIELD)
    call.bmc.set_boot_override(
        device,
        persistent=is_persistent,
        uefi=is_uefi,
        lapse_s=BOOT_FLAGS_LAPSE_S if call.device.boot_flags_lapse else None,
    )


def get_boot_options(call: Call) -> bytes:
    parameter = call.data[0] & 0x7F
    if parameter == 0:
        value = bytes((call.device.set_in_progress,))
    elif parameter == 3:
        value = bytes((0x00 if call.device.boot_flags_lapse else 0x08,))
    elif parameter == 4:
        value = bytes((0x00, call.device.boot_info_ack))
    elif parameter == 5:
        value = _get_boot_flags(call)
    else:
        raise CommandRefused(PARAMETER_UNSUPPORTED)
    return bytes((0x01, parameter)) + value


def _get_boot_flags(call: Call) -> bytes:
    override = call.bmc.current_override()
    if override.set_at is None and override.device is BootDevice.NONE:
        return bytes(5)
    flags = 0x80 | 0x40 * override.persistent | 0x20 * override.uefi
    return bytes((flags, SELECTOR_OF_DEVICE[override.device] << 2, 0, 0, 0))


COMMANDS: dict[tuple[NetFn, int], Command | PowerCommand] = {
    (NetFn.CHASSIS, 0x00): Command(get_chassis_capabilities),
    (NetFn.CHASSIS, 0x01): Command(get_chassis_status),
    (NetFn.CHASSIS, 0x02): PowerCommand(control_chassis),
    (NetFn.CHASSIS, 0x04): Command(identify, Privilege.OPERATOR),
    (NetFn.CHASSIS, 0x06): Command(set_power_restore_policy, Privilege.OPERATOR, 1),
    (NetFn.CHASSIS, 0x07): Command(get_restart_cause),
    (NetFn.CHASSIS, 0x08): Command(set_boot_options, Privilege.OPERATOR, 1),
    (NetFn.CHASSIS, 0x09): Command(get_boot_options, Privilege.OPERATOR, 3),
    (NetFn.CHASSIS, 0x0F): Command(get_power_on_hours),
}
