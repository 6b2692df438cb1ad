"""Every IPMI command that a virtual BMC knows, and the one way to carry a request out."""

from collections.abc import Coroutine
from typing import Any

from readystate.lab.bmc import (
    ipmi_app,
    ipmi_chassis,
    ipmi_dcmi,
    ipmi_lan,
    ipmi_sensor,
    ipmi_storage,
    ipmi_user,
)
from readystate.lab.bmc.faults import Fault
from readystate.lab.bmc.ipmi_device import Call, Command, IpmiDevice, PowerCommand
from readystate.lab.bmc.ipmi_message import CommandRefused, CompletionCode, NetFn
from readystate.lab.bmc.ipmi_session import OUTSIDER, Session

_BY_NAME: dict[tuple[NetFn, int], Command | PowerCommand] = {
    **ipmi_app.COMMANDS,
    **ipmi_chassis.COMMANDS,
    **ipmi_dcmi.COMMANDS,
    **ipmi_lan.COMMANDS,
    **ipmi_sensor.COMMANDS,
    **ipmi_storage.COMMANDS,
    **ipmi_user.COMMANDS,
}
COMMANDS = {net_fn << 8 | number: command for (net_fn, number), command in _BY_NAME.items()}
#: answered even by a BMC that is too busy for anything else, else nobody could leave
CLOSE_SESSION = NetFn.APP << 8 | 0x3C


def execute(
    device: IpmiDevice, session: Session, request: bytes
) -> bytes | Coroutine[Any, Any, bytes]:
    """Completion code and data that answer a well-formed request; a coroutine for power commands.

    Refusals are answers like any other: this raises nothing."""
    key = (request[1] & 0xFC) << 6 | request[5]
    is_busy = session is not OUTSIDER and device.bmc.faults.is_active(Fault.UNAVAILABLE)
    if is_busy and key != CLOSE_SESSION:
        return bytes((CompletionCode.NODE_BUSY,))
    command = COMMANDS.get(key)
    if command is None or request[1] & 0x03:  # only LUN 0 has commands
        return bytes((CompletionCode.INVALID_COMMAND,))
    if command.privilege > session.privilege:
        return bytes((CompletionCode.INSUFFICIENT_PRIVILEGE,))
    call = Call(device, session, request[6:-1])
    if len(call.data) < command.least_bytes:
        return bytes((CompletionCode.LENGTH_INVALID,))
    if isinstance(command, PowerCommand):
        return _execute_power(command, call)
    try:
        return b"\x00" + command.run(call)
    except CommandRefused as refusal:
        return bytes((refusal.code,))


async def _execute_power(command: PowerCommand, call: Call) -> bytes:
    try:
        return b"\x00" + await command.run(call)
    except CommandRefused as refusal:
        return bytes((refusal.code,))
