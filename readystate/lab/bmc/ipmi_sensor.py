"""Commands that read sensors (section 35)."""

from readystate.lab.bmc.ipmi_device import Call, Command
from readystate.lab.bmc.ipmi_message import CommandRefused, CompletionCode, NetFn
from readystate.lab.bmc.sdr import FAN, SensorRecord

SCANNING = 0x40  #: table 35-15; events are off
READING_UNAVAILABLE = 0x20
EVENT_TYPE_THRESHOLD = 0x01


def _get_sensor(call: Call) -> SensorRecord:
    sensor = call.device.sensors().get(call.data[0])
    if sensor is None:
        raise CommandRefused(CompletionCode.NOT_PRESENT)
    return sensor


def get_sensor_reading(call: Call) -> bytes:
    """Section 35.14. Fans of a machine that is off have no reading rather than a critical one."""
    sensor = _get_sensor(call)
    value = call.bmc.machine.sensors().get(sensor.name)
    if value is None or (sensor.kind is FAN and not call.bmc.reported_power_on):
        return bytes((0, SCANNING | READING_UNAVAILABLE, 0xC0))
    return bytes((sensor.to_raw(value), SCANNING, 0xC0 | sensor.compare(value)))


def get_sensor_thresholds(call: Call) -> bytes:
    """Section 35.9."""
    sensor = _get_sensor(call)
    return bytes((sensor.threshold_mask,)) + sensor.thresholds()


def get_reading_factors(call: Call) -> bytes:
    """Section 35.5; sensors are linear, so every reading has the same factors."""
    kind = _get_sensor(call).kind
    multiplier = (kind.factor & 0xFF, kind.factor >> 2 & 0xC0)
    return bytes((call.data[1], *multiplier, 0, 0, 0, (kind.exponent & 0x0F) << 4))


def get_sensor_hysteresis(call: Call) -> bytes:
    _get_sensor(call)
    return b"\x00\x00"


def get_sensor_type(call: Call) -> bytes:
    return bytes((_get_sensor(call).kind.type, EVENT_TYPE_THRESHOLD))


COMMANDS: dict[tuple[NetFn, int], Command] = {
    (NetFn.SENSOR, 0x23): Command(get_reading_factors, least_bytes=2),
    (NetFn.SENSOR, 0x25): Command(get_sensor_hysteresis, least_bytes=1),
    (NetFn.SENSOR, 0x27): Command(get_sensor_thresholds, least_bytes=1),
    (NetFn.SENSOR, 0x2D): Command(get_sensor_reading, least_bytes=1),
    (NetFn.SENSOR, 0x2F): Command(get_sensor_type, least_bytes=1),
}
