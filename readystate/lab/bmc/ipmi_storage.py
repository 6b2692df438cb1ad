"""Commands of the three stores: FRU inventory (section 34), sensor data records (33), system
event log (31), which also takes what consoles report."""

from readystate.lab.bmc.fru import render_fru
from readystate.lab.bmc.ipmi_device import Call, Command
from readystate.lab.bmc.ipmi_message import CommandRefused, CompletionCode, NetFn, Privilege
from readystate.lab.bmc.sdr import SDR_VERSION
from readystate.lab.bmc.sel import (
    RECORD_BYTES,
    SYSTEM_EVENT,
    now,
    render_entry,
    stamp,
    to_seconds,
)
from readystate.lab.bmc.virtual_bmc import SelEntry

SYSTEM_FRU = 0
FIRST, LAST = 0x0000, 0xFFFF  #: ids that mean the first and the last record
WHOLE_RECORD = 0xFF
SEL_CAPACITY = 1024  #: records; said in Get SEL Info
SEL_RECORD_UNIT = 16
CONSOLE_GENERATOR = b"\x41\x00"  #: system software id of a remote console, table 5-4
CAN_RESERVE, CAN_DELETE = 0x02, 0x08
ERASE_GO, ERASE_STATUS, ERASE_DONE = 0xAA, 0x00, 0x01


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _to_word(value: int) -> bytes:
    return (value & 0xFFFF).to_bytes(2, "little")


# -- FRU ------------------------------------------------------------------------------------------


def _get_fru(call: Call) -> bytes:
    if call.data[0] != SYSTEM_FRU:
        raise CommandRefused(CompletionCode.NOT_PRESENT)
    hardware = call.bmc.machine.hardware
    return render_fru(hardware, call.bmc.asset_tag or hardware.asset_tag)


def get_fru_area_info(call: Call) -> bytes:
    return _to_word(len(_get_fru(call))) + b"\x00"  # addressed by bytes


def read_fru(call: Call) -> bytes:
    image, offset = _get_fru(call), _word(call.data, 1)
    if offset >= len(image):
        raise CommandRefused(CompletionCode.OUT_OF_RANGE)
    piece = image[offset : offset + call.data[3]]
    return bytes((len(piece),)) + piece


# -- sensor data records ---------------------------------------------------------------------------


def get_sdr_repository_info(call: Call) -> bytes:
    """Section 33.9: no free room, never changed, may be reserved."""
    count = len(call.device.sdr_repository())
    return bytes((SDR_VERSION,)) + _to_word(count) + bytes(2 + 4 + 4) + bytes((CAN_RESERVE,))


def reserve_sdr_repository(call: Call) -> bytes:
    call.device.sdr_repository()
    call.device.sdr_reservation = call.device.sdr_reservation % 0xFFFF + 1
    return _to_word(call.device.sdr_reservation)


def get_sdr(call: Call) -> bytes:
    """Section 33.12; only reads from the middle of a record need the reservation."""
    records = call.device.sdr_repository()
    record_id, offset, count = _word(call.data, 2), call.data[4], call.data[5]
    if offset and _word(call.data, 0) != call.device.sdr_reservation & 0xFFFF:
        raise CommandRefused(CompletionCode.RESERVATION_CANCELLED)
    last = len(records)  # ids are 1, 2, 3 ...
    record_id = {FIRST: 1, LAST: last}.get(record_id, record_id)
    if record_id not in records:
        raise CommandRefused(CompletionCode.NOT_PRESENT)
    record = records[record_id]
    if offset >= len(record):
        raise CommandRefused(CompletionCode.OUT_OF_RANGE)
    end = len(record) if count == WHOLE_RECORD else offset + count
    return _to_word(record_id + 1 if record_id < last else LAST) + record[offset:end]


def get_time(_call: Call) -> bytes:
    return to_seconds(now())


def set_time(_call: Call) -> bytes:
    return b""  # accepted, and the clock is right already


# -- system event log ------------------------------------------------------------------------------


def get_sel_info(call: Call) -> bytes:
    """Section 31.2."""
    log = call.bmc.sel
    free = max(0, SEL_CAPACITY - len(log)) * SEL_RECORD_UNIT
    added = to_seconds(log[-1].at) if log else bytes(4)
    return b"%c%b%b%b%b%c" % (
        SDR_VERSION,
        _to_word(len(log)),
        _to_word(min(free, 0xFFFF)),
        added,
        call.device.sel_erased_at.to_bytes(4, "little"),
        CAN_RESERVE | CAN_DELETE,
    )


def get_sel_allocation_info(call: Call) -> bytes:
    free = max(0, SEL_CAPACITY - len(call.bmc.sel))
    sizes = (SEL_CAPACITY, SEL_RECORD_UNIT, free, free)
    return b"".join(_to_word(size) for size in sizes) + b"\x01"


def reserve_sel(call: Call) -> bytes:
    call.device.sel_reservation = call.device.sel_reservation % 0xFFFF + 1
    return _to_word(call.device.sel_reservation)


def _find_entry(call: Call, record_id: int) -> int:
    """Index of an entry in the log."""
    log = call.bmc.sel
    if log and record_id in (FIRST, LAST):
        return 0 if record_id == FIRST else len(log) - 1
    for index, entry in enumerate(log):
        if entry.id & 0xFFFF == record_id:
            return index
    raise CommandRefused(CompletionCode.NOT_PRESENT)


def get_sel_entry(call: Call) -> bytes:
    """Section 31.5."""
    offset, count = call.data[4], call.data[5]
    if offset and _word(call.data, 0) != call.device.sel_reservation:
        raise CommandRefused(CompletionCode.RESERVATION_CANCELLED)
    index, log = _find_entry(call, _word(call.data, 2)), call.bmc.sel
    if offset >= RECORD_BYTES:
        raise CommandRefused(CompletionCode.OUT_OF_RANGE)
    following = _to_word(log[index + 1].id) if index + 1 < len(log) else _to_word(LAST)
    end = RECORD_BYTES if count == WHOLE_RECORD else offset + count
    return following + render_entry(log[index])[offset:end]


def add_sel_entry(call: Call) -> bytes:
    """Section 31.6: sixteen bytes; id and time are ours."""
    at = now()
    call.bmc.log("IPMI", "Event added over IPMI")
    entry = call.bmc.sel[-1]
    call.bmc.sel[-1] = SelEntry(
        entry.id, at, entry.sensor, entry.message, raw=stamp(call.data[:RECORD_BYTES], at)
    )
    return _to_word(entry.id)


def add_platform_event(call: Call) -> bytes:
    """Platform Event Message (29.3): the event part of a record, logged as if a sensor sent it."""
    record = bytes((0, 0, SYSTEM_EVENT, 0, 0, 0, 0)) + CONSOLE_GENERATOR + call.data[:7]
    add_sel_entry(call._replace(data=record))
    return b""


def _check_sel_reservation(call: Call) -> None:
    """Any reservation is cancelled by a later one; 0 passes only while none was ever made."""
    if _word(call.data, 0) != call.device.sel_reservation:
        raise CommandRefused(CompletionCode.RESERVATION_CANCELLED)


def delete_sel_entry(call: Call) -> bytes:
    _check_sel_reservation(call)
    return _to_word(call.bmc.sel.pop(_find_entry(call, _word(call.data, 2))).id)


def clear_sel(call: Call) -> bytes:
    """Section 31.9: asked for with the letters CLR, done at once."""
    _check_sel_reservation(call)
    if call.data[2:5] != b"CLR" or call.data[5] not in (ERASE_GO, ERASE_STATUS):
        raise CommandRefused(CompletionCode.INVALID_FIELD)
    if call.data[5] == ERASE_GO:
        call.bmc.sel.clear()
        call.device.sel_erased_at = int(now().timestamp())
    return bytes((ERASE_DONE,))


COMMANDS: dict[tuple[NetFn, int], Command] = {
    (NetFn.SENSOR, 0x02): Command(add_platform_event, Privilege.OPERATOR, 7),
    (NetFn.STORAGE, 0x10): Command(get_fru_area_info, least_bytes=1),
    (NetFn.STORAGE, 0x11): Command(read_fru, least_bytes=4),
    (NetFn.STORAGE, 0x20): Command(get_sdr_repository_info),
    (NetFn.STORAGE, 0x22): Command(reserve_sdr_repository),
    (NetFn.STORAGE, 0x23): Command(get_sdr, least_bytes=6),
    (NetFn.STORAGE, 0x28): Command(get_time),
    (NetFn.STORAGE, 0x40): Command(get_sel_info),
    (NetFn.STORAGE, 0x41): Command(get_sel_allocation_info),
    (NetFn.STORAGE, 0x42): Command(reserve_sel),
    (NetFn.STORAGE, 0x43): Command(get_sel_entry, least_bytes=6),
    (NetFn.STORAGE, 0x44): Command(add_sel_entry, Privilege.OPERATOR, RECORD_BYTES),
    (NetFn.STORAGE, 0x46): Command(delete_sel_entry, Privilege.OPERATOR, 4),
    (NetFn.STORAGE, 0x47): Command(clear_sel, Privilege.OPERATOR, 6),
    (NetFn.STORAGE, 0x48): Command(get_time),
    (NetFn.STORAGE, 0x49): Command(set_time, Privilege.OPERATOR, 4),
}
