"""System event log records: the shared log in IPMI's sixteen bytes (section 32)."""

from datetime import UTC, datetime

from readystate.lab.bmc.virtual_bmc import SelEntry

RECORD_BYTES = 16
SYSTEM_EVENT = 0x02  #: record type, table 32-1
FIRST_OEM_TYPE, FIRST_TIMELESS_TYPE = 0xC0, 0xE0  #: OEM records; from 0xE0 without a time
BMC_GENERATOR = b"\x20\x00"
EVENT_REVISION = 0x04
SENSOR_SPECIFIC = 0x6F  #: event type; bit 7 says that the state ended
DEASSERTED = 0x80

POWER_UNIT, SYSTEM_EVENT_SENSOR, BOOT_INITIATED = 0x09, 0x12, 0x1D  #: sensor types, table 42-3
CRITICAL_INTERRUPT = 0x13
#: message of the shared log -> sensor type, event type, offset
MEANING: dict[str, tuple[int, int, int]] = {
    "Power off": (POWER_UNIT, SENSOR_SPECIFIC, 0x00),
    "Power on": (POWER_UNIT, SENSOR_SPECIFIC | DEASSERTED, 0x00),
    "Reset": (BOOT_INITIATED, SENSOR_SPECIFIC, 0x07),
    "Diagnostic interrupt": (CRITICAL_INTERRUPT, SENSOR_SPECIFIC, 0x00),
}
SOMETHING_ELSE = (SYSTEM_EVENT_SENSOR, SENSOR_SPECIFIC, 0x01)  # "OEM system boot event"


def render_entry(entry: SelEntry) -> bytes:
    """Table 32-1; an entry that came in as bytes goes out as those bytes."""
    record_id = entry.id.to_bytes(2, "little")
    if entry.raw:
        return record_id + entry.raw[2:]
    sensor_type, event_type, offset = MEANING.get(entry.message, SOMETHING_ELSE)
    return b"%b%c%b%b%c%c\x00%c%c\xff\xff" % (
        record_id,
        SYSTEM_EVENT,
        to_seconds(entry.at),
        BMC_GENERATOR,
        EVENT_REVISION,
        sensor_type,
        event_type,
        offset,
    )


def stamp(raw: bytes, at: datetime) -> bytes:
    """An added record with its time set by us, where its type has one (section 31.6)."""
    if raw[2] >= FIRST_TIMELESS_TYPE:
        return raw
    return raw[:3] + to_seconds(at) + raw[7:]


def to_seconds(at: datetime) -> bytes:
    return int(at.timestamp()).to_bytes(4, "little")


def now() -> datetime:
    return datetime.now(UTC)
