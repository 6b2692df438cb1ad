"""Sensor records: names to units, readings to bytes, thresholds crossed."""

import pytest

from readystate.lab.bmc.sdr import FAN, POWER, SensorRecord, Unit, render_repository


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("CPU1 Temp", Unit.CELSIUS),
        ("Inlet Temp", Unit.CELSIUS),
        ("Fan1", Unit.RPM),
        ("PSU1 Power", Unit.WATTS),
        ("12V Voltage", Unit.VOLTS),
        ("Something", Unit.UNSPECIFIED),
    ],
)
def test_the_name_tells_the_unit(name: str, unit: Unit) -> None:
    assert SensorRecord.from_name(1, name).kind.unit is unit


@pytest.mark.parametrize(
    ("kind", "value", "raw"),
    [(FAN, 4800, 60), (FAN, -1, 0), (FAN, 10**6, 255), (POWER, 216, 27), (POWER, 219, 27)],
)
def test_a_reading_becomes_the_nearest_byte(kind, value: float, raw: int) -> None:  # type: ignore[no-untyped-def]
    assert SensorRecord(1, "any", kind).to_raw(value) == raw


@pytest.mark.parametrize(("rpm", "crossed"), [(4800, 0), (960, 1), (700, 3), (100, 7)])
def test_every_threshold_that_was_crossed_is_reported(rpm: float, crossed: int) -> None:
    assert SensorRecord(1, "Fan1", FAN).compare(rpm) == crossed


def test_each_record_tells_its_own_id_and_length() -> None:
    records = render_repository([SensorRecord.from_name(1, "Fan1"), SensorRecord.from_name(2, "x")])

    assert [1, 2, 3] == list(records)
    for record_id, record in records.items():
        assert (record_id, len(record) - 5) == (int.from_bytes(record[:2], "little"), record[4])
