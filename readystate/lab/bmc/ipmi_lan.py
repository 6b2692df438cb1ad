"""LAN and serial-over-LAN configuration (sections 23 and 26): readable, not to be moved."""

from collections.abc import Set as AbstractSet

from readystate.lab.bmc.ipmi_app import check_channel
from readystate.lab.bmc.ipmi_device import Call, Command
from readystate.lab.bmc.ipmi_message import CommandRefused, CompletionCode, NetFn, Privilege
from readystate.lab.bmc.ipmi_session import SUITE_3, SUITE_17

REVISION = 0x11  #: of the parameters, present and oldest
PARAMETER_UNSUPPORTED, PARAMETER_READ_ONLY = 0x80, 0x82  #: of Set and Get LAN and SOL parameters
REVISION_ONLY = 0x80
SET_IN_PROGRESS = 0
NETMASK = bytes((255, 0, 0, 0))  #: loopback's
SUITES = (SUITE_3, SUITE_17)

#: table 23-4, those that are the same for every BMC
FIXED_LAN_PARAMETERS: dict[int, bytes] = {
    0: b"\x00",  # set complete
    1: b"\x00",  # no authentication type of IPMI 1.5
    2: bytes(5),  # and so none is enabled at any level
    4: b"\x01",  # static address
    6: NETMASK,
    7: b"\x40\x40\x10",  # TTL 64, do not fragment, minimise delay
    10: b"\x02",  # answers ARP, sends none unasked
    11: b"\x00",
    12: bytes(4),  # no gateway
    13: bytes(6),
    14: bytes(4),
    15: bytes(6),
    16: b"public".ljust(18, b"\x00"),
    17: b"\x00",  # no alert destinations
    20: b"\x00\x00",  # no VLAN
    21: b"\x00",
    22: bytes((len(SUITES),)),
    23: bytes((0, *(suite.id for suite in SUITES), *bytes(16 - len(SUITES)))),
    24: bytes((0, Privilege.ADMINISTRATOR << 4 | Privilege.ADMINISTRATOR, *bytes(7))),
    26: bytes(6),  # bad passwords lock nobody out
}
#: table 26-5: there, and switched off
SOL_PARAMETERS: dict[int, bytes] = {
    0: b"\x00",
    1: b"\x00",
    2: b"\x84",  # encrypted, administrators
    3: b"\x0c\x60",
    4: b"\x07\x32",
    5: b"\x0a",  # 115.2 kbit/s
    6: b"\x0a",
    7: b"\x01",
}


def get_lan_parameter(call: Call) -> bytes:
    check_channel(call.data[0])
    if call.data[0] & REVISION_ONLY:
        return bytes((REVISION,))
    parameter = call.data[1]
    value = FIXED_LAN_PARAMETERS.get(parameter)
    if parameter == 3:
        value = bytes(int(part) for part in call.bmc.address.split("."))
    elif parameter == 8:
        value = call.device.port.to_bytes(2, "little")
    elif parameter == 5:
        value = bytes.fromhex(call.bmc.mac.replace(":", ""))
    if value is None:
        raise CommandRefused(PARAMETER_UNSUPPORTED)
    return bytes((REVISION,)) + value


def set_lan_parameter(call: Call) -> bytes:
    """A lab BMC stays at its address; only the bracket around a change is accepted."""
    check_channel(call.data[0])
    return _refuse_setting(call.data[1], FIXED_LAN_PARAMETERS.keys() | {3, 5, 8})


def get_sol_parameter(call: Call) -> bytes:
    check_channel(call.data[0])
    if call.data[0] & REVISION_ONLY:
        return bytes((REVISION,))
    value = SOL_PARAMETERS.get(call.data[1])
    if call.data[1] == 8:
        value = call.device.port.to_bytes(2, "little")
    if value is None:
        raise CommandRefused(PARAMETER_UNSUPPORTED)
    return bytes((REVISION,)) + value


def set_sol_parameter(call: Call) -> bytes:
    check_channel(call.data[0])
    return _refuse_setting(call.data[1], SOL_PARAMETERS.keys() | {8})


def _refuse_setting(parameter: int, known: AbstractSet[int]) -> bytes:
    if parameter == SET_IN_PROGRESS:
        return b""
    raise CommandRefused(PARAMETER_READ_ONLY if parameter in known else PARAMETER_UNSUPPORTED)


def activate_payload(_call: Call) -> bytes:
    raise CommandRefused(0x81)  # section 24.1: this payload type is disabled


def get_payload_activation(call: Call) -> bytes:
    """Section 24.4: one instance at most, none active."""
    if call.data[0] != 0x01:
        raise CommandRefused(CompletionCode.INVALID_FIELD)
    return b"\x01\x00\x00"


COMMANDS: dict[tuple[NetFn, int], Command] = {
    (NetFn.TRANSPORT, 0x01): Command(set_lan_parameter, Privilege.ADMINISTRATOR, 2),
    (NetFn.TRANSPORT, 0x02): Command(get_lan_parameter, Privilege.OPERATOR, 4),
    (NetFn.TRANSPORT, 0x21): Command(set_sol_parameter, Privilege.ADMINISTRATOR, 2),
    (NetFn.TRANSPORT, 0x22): Command(get_sol_parameter, Privilege.USER, 4),
    (NetFn.APP, 0x48): Command(activate_payload, least_bytes=6),
    (NetFn.APP, 0x4A): Command(get_payload_activation, least_bytes=1),
}
