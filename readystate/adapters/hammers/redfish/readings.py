"""Sensors and event log over Redfish."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from readystate.adapters.hammers.redfish.tree import (
    RedfishTree,
    Resource,
    health,
    is_present,
    number,
    text,
)
from readystate.domain.errors import Unsupported
from readystate.ports.hammer import LogEntry, SensorReading

#: Redfish spells units by UCUM in Sensor, by words in Thermal and Power.
_UNITS = {
    "Cel": "C",
    "RPM": "RPM",
    "{rev}/min": "RPM",
    "Percent": "%",
    "%": "%",
    "W": "W",
    "V": "V",
    "A": "A",
}
#: The hardware log's id: Dell `Sel`, HPE `IML`, OpenBMC `EventLog`, Supermicro `Log1`.
_HARDWARE_LOG = re.compile(r"^(sel|iml|eventlog|log1?)$", re.IGNORECASE)


def read_sensors(tree: RedfishTree, system: Resource) -> list[SensorReading]:
    """Thermal and Power where they exist (two requests), else the Sensors collection."""
    readings: list[SensorReading] = []
    for reference in (system.get("Links") or {}).get("Chassis") or ():
        for chassis in tree.resolve([reference]):
            thermal, power = tree.find(chassis, "Thermal"), tree.find(chassis, "Power")
            if thermal is None and power is None:
                readings += _sensor_collection(tree, chassis)
            else:
                readings += [*_thermal(thermal or {}), *_power(power or {})]
    return readings


def _sensor_collection(tree: RedfishTree, chassis: Resource) -> Iterator[SensorReading]:
    for sensor in tree.members(chassis, "Sensors"):
        unit = _UNITS.get(text(sensor, "ReadingUnits"))
        if unit is not None and is_present(sensor):
            yield _reading(sensor, unit, "Reading")


def _thermal(thermal: Resource) -> Iterator[SensorReading]:
    for sensor in thermal.get("Temperatures") or ():
        if is_present(sensor):
            yield _reading(sensor, "C", "ReadingCelsius")
    for sensor in thermal.get("Fans") or ():
        if is_present(sensor):
            unit = _UNITS.get(text(sensor, "ReadingUnits") or "RPM", "RPM")
            yield _reading(sensor, unit, "Reading", "ReadingRPM")


def _power(power: Resource) -> Iterator[SensorReading]:
    for sensor in power.get("PowerControl") or ():
        yield _reading(sensor, "W", "PowerConsumedWatts")
    for sensor in power.get("PowerSupplies") or ():
        if is_present(sensor):
            yield _reading(sensor, "W", "PowerInputWatts", "LastPowerOutputWatts")
    for sensor in power.get("Voltages") or ():
        if is_present(sensor):
            yield _reading(sensor, "V", "ReadingVolts")


def _reading(sensor: Resource, unit: str, *properties: str) -> SensorReading:
    value = number(sensor, *properties)
    return SensorReading(
        name=text(sensor, "Name", "FanName", "MemberId"),
        value=None if value is None else float(value),
        unit=unit,
        health=health(sensor),
    )


def read_log(tree: RedfishTree, system: Resource, limit: int) -> list[LogEntry]:
    service = _hardware_log(tree, system)
    entries = [_entry(member) for member in tree.members(service, "Entries")]
    if all(entry.at for entry in entries):
        entries.sort(key=lambda entry: entry.at or datetime.min.replace(tzinfo=UTC), reverse=True)
    else:
        entries.reverse()  # without times, the order of the log itself: oldest first
    return entries[:limit]


def _hardware_log(tree: RedfishTree, system: Resource) -> Resource:
    services = tree.members(system, "LogServices")
    for manager in tree.resolve((system.get("Links") or {}).get("ManagedBy")):
        services += tree.members(manager, "LogServices")
    preferred = [item for item in services if _HARDWARE_LOG.match(text(item, "Id"))]
    if not services:
        raise Unsupported("the BMC keeps no event log that Redfish shows")
    return (preferred or services)[0]


def _entry(member: Resource) -> LogEntry:
    return LogEntry(
        id=text(member, "Id"),
        at=parse_instant(text(member, "Created")),
        sensor=text(member, "SensorType", "Name"),
        message=text(member, "Message"),
        severity={"Warning": "warning", "Critical": "critical"}.get(text(member, "Severity"), "ok"),
    )


def parse_instant(value: str) -> datetime | None:
    """Aware UTC; None for what is no time (iLO writes 0000-00-00 before its clock is set)."""
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
