"""Commands about the BMC itself, its channel and the caller's session (sections 20 and 22)."""

import asyncio
from itertools import chain

from readystate.lab.bmc.ipmi_device import Call, Command
from readystate.lab.bmc.ipmi_message import CommandRefused, CompletionCode, NetFn, Privilege
from readystate.lab.bmc.ipmi_session import SUITE_3, SUITE_17

LAN_CHANNEL = 1
THIS_CHANNEL = 0x0E
IPMI_VERSION = 0x02  #: 2.0, BCD with the digits swapped (table 20-2)
DEVICE_SUPPORT = 0x8F  #: chassis, FRU inventory, SEL, SDR repository, sensors
LEVEL_ABOVE_LIMIT = 0x81  #: Set Session Privilege Level, table 22-26
SUITE_RECORDS = b"".join(  # table 22-18
    bytes((0xC0, s.id, s.authentication, 0x40 | s.integrity, 0x80 | s.confidentiality))
    for s in (SUITE_3, SUITE_17)
)


def check_channel(number: int) -> int:
    """The LAN channel's own number; refuses channels that this BMC does not have."""
    if number & 0x0F not in (LAN_CHANNEL, THIS_CHANNEL):
        raise CommandRefused(CompletionCode.INVALID_FIELD)
    return LAN_CHANNEL


def get_device_id(call: Call) -> bytes:
    """Section 20.1."""
    vendor = call.device.personality
    major, minor = call.device.firmware
    return b"%c%c%c%c%c%c%b%b\x00\x00\x00\x00" % (
        vendor.device_id,
        0x80 | vendor.device_revision,  # provides device SDRs: through the repository
        major,
        minor // 10 << 4 | minor % 10,
        IPMI_VERSION,
        DEVICE_SUPPORT,
        vendor.manufacturer_id.to_bytes(3, "little"),
        vendor.product_id.to_bytes(2, "little"),
    )


def reset_bmc(call: Call) -> bytes:
    """Cold and warm reset (20.2, 20.3): the answer leaves first, then everything is forgotten."""
    asyncio.get_running_loop().call_soon(call.bmc.cold_reset)
    return b""


def get_self_test_results(_call: Call) -> bytes:
    return b"\x55\x00"  # no error, table 20-5


def get_acpi_power_state(call: Call) -> bytes:
    return b"\x00\x2a" if call.bmc.reported_power_on else b"\x05\x2a"  # S0 or S5, no device state


def get_guid(call: Call) -> bytes:
    return call.device.guid


def get_global_enables(_call: Call) -> bytes:
    return b"\x08"  # SEL logging on, table 22-4


def get_channel_auth_capabilities(call: Call) -> bytes:
    """Section 22.13. RMCP+ only: no authentication type of IPMI 1.5 is offered."""
    check_channel(call.data[0])
    if not call.data[0] & 0x80:  # asked in the words of IPMI 1.5: not even "2.0 is there" fits
        return bytes((LAN_CHANNEL, 0x00, 0x04, 0, 0, 0, 0, 0))
    # user names needed, no anonymous login, BMC key is null; then: speaks 2.0
    return bytes((LAN_CHANNEL, 0x80, 0x04, 0x02, 0, 0, 0, 0))


def get_channel_cipher_suites(call: Call) -> bytes:
    """Section 22.15: sixteen bytes of records from the list index on."""
    check_channel(call.data[0])
    start = (call.data[2] & 0x3F) * 16
    return bytes((LAN_CHANNEL,)) + SUITE_RECORDS[start : start + 16]


def set_session_privilege(call: Call) -> bytes:
    wanted = call.data[0] & 0x0F
    if wanted == 0:
        return bytes((call.session.privilege,))
    if wanted == Privilege.CALLBACK or wanted > call.session.limit:
        raise CommandRefused(LEVEL_ABOVE_LIMIT)
    call.session.privilege = wanted
    return bytes((wanted,))


def close_session(call: Call) -> bytes:
    """Section 22.19; only administrators may end somebody else's session."""
    is_other = call.data[:4] != call.session.id
    if is_other and call.session.privilege < Privilege.ADMINISTRATOR:
        raise CommandRefused(CompletionCode.INSUFFICIENT_PRIVILEGE)
    if not call.device.table.close(call.data[:4]):
        raise CommandRefused(0x87)  # invalid session id, table 22-27
    return b""


def get_session_info(call: Call) -> bytes:
    """Section 22.20, of the caller's own session."""
    user_id = call.session.user.id if call.session.user else 0
    return bytes(
        (
            *(1, call.device.table.capacity & 0x3F, call.device.table.active_count & 0x3F),
            *(user_id, call.session.privilege, 0x10 | LAN_CHANNEL),  # 0x10: IPMI 2.0
        )
    )


def get_channel_access(call: Call) -> bytes:
    check_channel(call.data[0])
    return bytes((0x22, Privilege.ADMINISTRATOR))  # always available, no alerts; table 22-29


def get_channel_info(call: Call) -> bytes:
    """Section 22.24: an 802.3 LAN with many sessions; the vendor id is IPMI's own."""
    channel = check_channel(call.data[0])
    sessions = 0x80 | call.device.table.active_count & 0x3F
    return bytes(chain((channel, 0x04, 0x01, sessions), (0xF2, 0x1B, 0x00), (0, 0)))


COMMANDS: dict[tuple[NetFn, int], Command] = {
    (NetFn.APP, 0x01): Command(get_device_id),
    (NetFn.APP, 0x02): Command(reset_bmc, Privilege.ADMINISTRATOR),
    (NetFn.APP, 0x03): Command(reset_bmc, Privilege.ADMINISTRATOR),
    (NetFn.APP, 0x04): Command(get_self_test_results),
    (NetFn.APP, 0x07): Command(get_acpi_power_state),
    (NetFn.APP, 0x08): Command(get_guid),
    (NetFn.APP, 0x2F): Command(get_global_enables),
    (NetFn.APP, 0x37): Command(get_guid, Privilege.NONE),
    (NetFn.APP, 0x38): Command(get_channel_auth_capabilities, Privilege.NONE, 2),
    (NetFn.APP, 0x3B): Command(set_session_privilege, Privilege.CALLBACK, 1),
    (NetFn.APP, 0x3C): Command(close_session, Privilege.CALLBACK, 4),
    (NetFn.APP, 0x3D): Command(get_session_info, Privilege.USER, 1),
    (NetFn.APP, 0x41): Command(get_channel_access, Privilege.USER, 2),
    (NetFn.APP, 0x42): Command(get_channel_info, Privilege.USER, 1),
    (NetFn.APP, 0x54): Command(get_channel_cipher_suites, Privilege.NONE, 3),
}
