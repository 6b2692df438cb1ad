"""Sensors, event log and FRU of one BMC, decoded by pyghmi over our own session.

pyghmi's `Command` asks for nothing but a `raw_command`, so the session beneath it can be ours
(hammers/rmcp_session.py says why). Vendor extras that pyghmi would reach over HTTPS stay switched
off: a machine that has them is better driven over Redfish."""

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyghmi.ipmi.sdr
from pyghmi.constants import Health
from pyghmi.ipmi.command import Command
from pyghmi.ipmi.events import EventHandler
from pyghmi.ipmi.fru import FRU
from pyghmi.ipmi.oem.generic import OEMHandler
from pyghmi.ipmi.private.util import decode_wireformat_uuid, get_ipmi_error

from readystate.adapters.hammers.ipmi.answers import decoding
from readystate.adapters.hammers.rmcp_session import BmcSession
from readystate.ports.hammer import LogEntry, SensorReading

_READ_FRU = (0x0A, 0x11)
_REQUEST_TOO_LONG, _TOO_MANY_BYTES = 0xC8, 0xCA
_UNITS = {"°C": "C", "C": "C", "RPM": "RPM", "W": "W", "V": "V", "A": "A", "% ": "%", "%": "%"}


class _ForgetfulDict(dict[Any, Any]):
    """Keeps nothing."""

    def __setitem__(self, key: object, value: object) -> None:
        pass


# pyghmi shares sensor descriptions between all BMCs of one product and firmware, although two of
# them may hold different boards and power supplies. Each BMC shall tell its own.
pyghmi.ipmi.sdr.shared_sdrs = _ForgetfulDict()


class _SessionForPyghmi:
    """What pyghmi's decoders need of a session."""

    ipmiversion = 2.0

    def __init__(self, session: BmcSession) -> None:
        self._session = session

    def raw_command(
        self,
        netfn: int,
        command: int,
        data: Iterable[int] = (),
        rslun: int = 0,
        **_unused: Any,
    ) -> dict[str, Any]:
        answer = self._session.command(netfn, command, bytes(data), rslun)
        if (netfn, command, answer.code) == (*_READ_FRU, _REQUEST_TOO_LONG):
            # OpenIPMI's way to say that the chunk is too large; pyghmi halves it on 0xCA only.
            answer = replace(answer, code=_TOO_MANY_BYTES)
        response: dict[str, Any] = {
            "netfn": answer.netfn,
            "command": answer.command,
            "code": answer.code,
            "data": bytearray(answer.data),
        }
        error = get_ipmi_error(response)
        if error:
            response["error"] = error
        return response


class _Decoder(Command):  # type: ignore[misc]  # pyghmi is untyped
    """pyghmi's command set without its session, its vendor look-up and its globals."""

    def __init__(self, session: BmcSession) -> None:
        # The parent's constructor opens a session of its own; these are its other attributes.
        self.bmc = session.address
        self.ipmi_session = _SessionForPyghmi(session)
        self.onlogon = None
        self.certverify = None
        self.kwargs: dict[str, Any] = {}
        self._sdrcachedir = None
        self._sdr = None
        self._netchannel = None
        self._ipv6support = None
        self._oem = OEMHandler(None, self)
        self._oemknown = True


class IpmiReadings:
    """Not safe to share between threads: the hammer's lock guards it."""

    def __init__(self, session: BmcSession) -> None:
        self._address = session.address
        self._decoder = _Decoder(session)

    def sensors(self) -> list[SensorReading]:
        """Numeric sensors; discrete ones carry states, not readings."""
        with decoding(self._address, "read the sensors"):
            if self._has_no_sensors():
                return []
            return [
                _reading(sensor)
                for sensor in self._decoder.get_sensor_data()
                if _unit(sensor.units) is not None
            ]

    def log(self, limit: int) -> list[LogEntry]:
        with decoding(self._address, "read the event log"):
            # Without descriptions of the sensors, entries keep the sensors' numbers for names.
            sdr = _EmptySdr() if self._has_no_sensors() else self._decoder.init_sdr()
            handler = EventHandler(sdr, self._decoder)
            records = handler.fetch_sel(self._decoder)
            return [_log_entry(record) for record in records[::-1][:limit]]

    def fru(self) -> dict[str, str]:
        """The text fields of FRU 0 by pyghmi's names; empty when the BMC has none."""
        with decoding(self._address, "read the FRU"):
            info = FRU(ipmicmd=self._decoder).info or {}
            return {name: value for name, value in info.items() if isinstance(value, str)}

    def _has_no_sensors(self) -> bool:
        """pyghmi cannot read a repository without records (Get SDR Repository Info, 33.9)."""
        info = self._decoder.raw_command(0x0A, 0x20)
        return info["code"] == 0 and info["data"][1:3] == b"\0\0"


class _EmptySdr:
    """What pyghmi's event decoder asks of the sensor repository."""

    mfg_id = prod_id = 0

    def __init__(self) -> None:
        self.sensors: dict[str, Any] = {}
        self.fru: dict[int, Any] = {}


def parse_system_uuid(data: bytes) -> str:
    """The SMBIOS UUID from Get System GUID, which sends it in SMBIOS byte order (20.8)."""
    return str(decode_wireformat_uuid(bytearray(data[:16]))).lower()


def _unit(suffix: str | None) -> str | None:
    return _UNITS.get((suffix or "").strip(" ") or (suffix or ""))


def _health(level: int) -> str:
    if level >= Health.Critical:
        return "critical"
    return "warning" if level >= Health.Warning else "ok"


def _reading(sensor: Any) -> SensorReading:
    value = None if sensor.unavailable or sensor.value is None else float(sensor.value)
    return SensorReading(
        name=sensor.name,
        value=value,
        unit=_unit(sensor.units) or "",
        health=_health(sensor.health),
    )


def _log_entry(record: dict[str, Any]) -> LogEntry:
    words = [record.get("event"), record.get("event_data")]
    message = ": ".join(str(word) for word in words if word)
    return LogEntry(
        id=str(record["record_id"]),
        at=_instant(record.get("timestamp")),
        sensor=str(record.get("component") or record.get("component_type") or ""),
        message=message or "vendor record " + bytes(record.get("oemdata", b"")).hex(),
        severity=_health(record.get("severity", Health.Ok)),
    )


def _instant(text: str | None) -> datetime | None:
    """pyghmi formats SEL times in the process's local time."""
    if text is None:
        return None
    parsed = time.strptime(text, "%Y-%m-%dT%H:%M:%S")
    return datetime.fromtimestamp(time.mktime(parsed), UTC)
