"""Sensor data records: how a machine's readings become IPMI sensors (sections 36 and 43)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

SDR_VERSION = 0x51
FIRST_RECORD_ID = 1


class Unit(IntEnum):
    """Sensor unit type codes, table 43-15."""

    UNSPECIFIED = 0
    CELSIUS = 1
    VOLTS = 4
    WATTS = 6
    RPM = 18


@dataclass(frozen=True)
class SensorKind:
    """What all sensors of one sort share. A raw byte x means `factor * x * 10**exponent` units."""

    type: int  #: table 42-3
    unit: Unit
    entity: int  #: table 43-13, of sensors whose name says nothing better
    factor: int = 1
    exponent: int = 0
    lower: tuple[float, float, float] | None = None  #: non-critical, critical, non-recoverable
    upper: tuple[float, float, float] | None = None


CPU_TEMPERATURE = SensorKind(0x01, Unit.CELSIUS, 0x03, upper=(85, 95, 100))
INLET_TEMPERATURE = SensorKind(0x01, Unit.CELSIUS, 0x37, upper=(40, 45, 50))
FAN = SensorKind(0x04, Unit.RPM, 0x1D, factor=80, lower=(960, 720, 480))
POWER = SensorKind(0x08, Unit.WATTS, 0x0A, factor=8)
VOLTAGE = SensorKind(0x02, Unit.VOLTS, 0x07, factor=6, exponent=-2)
OTHER = SensorKind(0x0B, Unit.UNSPECIFIED, 0x07)

KIND_BY_WORD = (
    ("inlet", INLET_TEMPERATURE),
    ("ambient", INLET_TEMPERATURE),
    ("temp", CPU_TEMPERATURE),
    ("fan", FAN),
    ("power", POWER),
    ("volt", VOLTAGE),
)
#: bit of each threshold in readings and masks, table 35-15
LOWER_BITS, UPPER_BITS = (0x01, 0x02, 0x04), (0x08, 0x10, 0x20)


@dataclass(frozen=True)
class SensorRecord:
    number: int
    name: str
    kind: SensorKind

    @classmethod
    def from_name(cls, number: int, name: str) -> Self:
        """The kind follows from a word in the name, as operators read it too."""
        lowered = name.lower()
        kind = next((kind for word, kind in KIND_BY_WORD if word in lowered), OTHER)
        return cls(number, name, kind)

    def to_raw(self, value: float) -> int:
        """The byte that comes closest to `value` (section 36.3, B = 0)."""
        step = self.kind.factor * 10**self.kind.exponent
        return max(0, min(255, round(value / step)))

    @property
    def threshold_mask(self) -> int:
        return 0x07 * (self.kind.lower is not None) | 0x38 * (self.kind.upper is not None)

    def thresholds(self) -> bytes:
        """Six raw thresholds, lower then upper, milder first (section 35.9); 0 where there is
        none, as the mask says."""
        lower, upper = self.kind.lower or (0, 0, 0), self.kind.upper or (0, 0, 0)
        return bytes(self.to_raw(value) for value in (*lower, *upper))

    def compare(self, value: float) -> int:
        """The thresholds that `value` has crossed, as bits (table 35-15)."""
        crossed = 0
        for limit, bit in zip(self.kind.lower or (), LOWER_BITS, strict=False):
            crossed |= bit * (value <= limit)
        for limit, bit in zip(self.kind.upper or (), UPPER_BITS, strict=False):
            crossed |= bit * (value >= limit)
        return crossed

    def render(self, record_id: int) -> bytes:
        """A full sensor record, table 43-1."""
        kind = self.kind
        lower_nc, lower_c, lower_nr, upper_nc, upper_c, upper_nr = self.thresholds()
        instance = int("".join(filter(str.isdigit, self.name)) or 1) & 0x7F
        body = bytes(
            (
                *(0x20, 0x00, self.number, kind.entity, instance),
                0x01,  # initialisation: scanning on
                0x47,  # re-arms by itself, thresholds readable, sends no events
                *(kind.type, 0x01),  # event type 01h: thresholds
                *_word(0x7000 if kind.lower else 0),  # lower comparisons are returned
                *_word(0x7000 if kind.upper else 0),  # upper comparisons are returned
                *(self.threshold_mask, 0x00),  # readable, none settable
                *(0x00, kind.unit, 0x00),  # unsigned
                0x00,  # linear
                *(kind.factor & 0xFF, kind.factor >> 2 & 0xC0),  # M
                *(0x00, 0x00, 0x00),  # B and accuracy
                (kind.exponent & 0x0F) << 4,  # R exponent; B exponent 0
                *(0x00, 0x00, 0x00, 0x00),  # no nominal reading, no normal range
                *(0xFF, 0x00),  # greatest and least reading
                *(upper_nr, upper_c, upper_nc, lower_nr, lower_c, lower_nc),
                *(0x00, 0x00),  # hysteresis
                *(0x00, 0x00, 0x00),
            )
        )
        return _render_record(record_id, 0x01, body + _render_name(self.name))


def render_repository(sensors: Iterable[SensorRecord]) -> dict[int, bytes]:
    """Records by id: the controller's own locator, then every sensor."""
    records = {FIRST_RECORD_ID: _render_controller_locator(FIRST_RECORD_ID)}
    for record_id, sensor in enumerate(sensors, start=FIRST_RECORD_ID + 1):
        records[record_id] = sensor.render(record_id)
    return records


def _render_controller_locator(record_id: int) -> bytes:
    """Management controller device locator, table 43-8: chassis, FRU, SEL, SDR, sensors."""
    body = bytes((0x20, 0x00, 0x00, 0x8F, 0x00, 0x00, 0x00, 0x07, 0x01, 0x00))
    return _render_record(record_id, 0x12, body + _render_name("BMC"))


def _render_record(record_id: int, type: int, body: bytes) -> bytes:
    return _word(record_id) + bytes((SDR_VERSION, type, len(body))) + body


def _render_name(name: str) -> bytes:
    text = name.encode("latin-1", "replace")[:16]
    return bytes((0xC0 | len(text),)) + text


def _word(value: int) -> bytes:
    return value.to_bytes(2, "little")
