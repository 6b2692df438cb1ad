"""The few DCMI commands that operators use: power reading and asset tag (Data Center Manageability
Interface Specification v1.5, revision 1.0; sections below are its)."""

from collections.abc import Callable

from readystate.lab.bmc.ipmi_device import Call, Command
from readystate.lab.bmc.ipmi_message import CommandRefused, CompletionCode, NetFn, Privilege
from readystate.lab.bmc.sdr import POWER
from readystate.lab.bmc.sel import now, to_seconds

DCMI = 0xDC  #: group extension that leads every request and answer
LONGEST_TAG_BYTES, LONGEST_PIECE_BYTES = 63, 16
SAMPLING_MS = 1000
READING_ACTIVE = 0x40
#: section 6.1.1: version 1.5, parameter revision 2, power management; by parameter selector
CAPABILITIES = {
    1: b"\x01\x05\x02\x00\x01\x00",
    2: b"\x01\x05\x02\x00\x04\x00\x00\x00",
    3: b"\x01\x05\x02\x20\x00",
    4: b"\x01\x05\x02\x01\xff\xff",
}


def _as_group(run: Callable[[Call], bytes]) -> Callable[[Call], bytes]:
    """Commands of other groups (PICMG, VITA) share the numbers and are not ours."""

    def run_group(call: Call) -> bytes:
        if call.data[0] != DCMI:
            raise CommandRefused(CompletionCode.INVALID_COMMAND)
        return bytes((DCMI,)) + run(call)

    return run_group


def get_capabilities(call: Call) -> bytes:
    capabilities = CAPABILITIES.get(call.data[1]) if len(call.data) > 1 else None
    if capabilities is None:
        raise CommandRefused(CompletionCode.INVALID_FIELD)
    return capabilities


def get_power_reading(call: Call) -> bytes:
    """Section 6.6.1: the sum of the supplies, now, least, greatest and on average."""
    readings, sensors = call.bmc.machine.sensors(), call.device.sensors().values()
    watts = sum(readings[sensor.name] for sensor in sensors if sensor.kind is POWER)
    reading = min(round(watts), 0xFFFF).to_bytes(2, "little")
    period = SAMPLING_MS.to_bytes(4, "little")
    return reading * 4 + to_seconds(now()) + period + bytes((READING_ACTIVE,))


def get_asset_tag(call: Call) -> bytes:
    """Section 6.4.2: the whole length, then the piece that was asked for."""
    if len(call.data) < 3:
        raise CommandRefused(CompletionCode.LENGTH_INVALID)
    tag = (call.bmc.asset_tag or call.bmc.machine.hardware.asset_tag).encode()[:LONGEST_TAG_BYTES]
    offset, count = call.data[1], call.data[2]
    if offset > len(tag) or count > LONGEST_PIECE_BYTES:
        raise CommandRefused(CompletionCode.OUT_OF_RANGE)
    return bytes((len(tag),)) + tag[offset : offset + count]


def set_asset_tag(call: Call) -> bytes:
    """Section 6.4.3: a piece at an offset; the tag ends with it."""
    if len(call.data) < 3:
        raise CommandRefused(CompletionCode.LENGTH_INVALID)
    offset, count = call.data[1], call.data[2]
    piece = call.data[3 : 3 + count]
    if offset + count > LONGEST_TAG_BYTES or len(piece) < count:
        raise CommandRefused(CompletionCode.OUT_OF_RANGE)
    tag = call.bmc.asset_tag.encode()[:offset].ljust(offset) + piece.rstrip(b"\x00")
    call.bmc.asset_tag = tag.decode("utf-8", "replace")
    return bytes((len(tag),))


COMMANDS: dict[tuple[NetFn, int], Command] = {
    (NetFn.GROUP, 0x01): Command(_as_group(get_capabilities), least_bytes=1),
    (NetFn.GROUP, 0x02): Command(_as_group(get_power_reading), least_bytes=1),
    (NetFn.GROUP, 0x06): Command(_as_group(get_asset_tag), least_bytes=1),
    (NetFn.GROUP, 0x08): Command(_as_group(set_asset_tag), Privilege.OPERATOR, 1),
}
