"""A machine with a power supply and nothing behind it.

It switches, it records every boot that its firmware began, and it runs no operating system. For
tests of the BMC's own front ends and for sweeps over thousands of BMCs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from readystate.lab.hardware import Hardware
from readystate.lab.machines.machine import BootChoice, Firmware

WATTS_ON, WATTS_STANDBY = 216.0, 16.0
CELSIUS_ON, CELSIUS_OFF = 47.0, 23.0
FAN_RPM = 4800.0


@dataclass
class InertMachine:
    hardware: Hardware
    is_on: bool = False
    boots: list[BootChoice] = field(default_factory=list)  #: oldest first
    _firmware: Firmware | None = None

    def attach(self, firmware: Firmware) -> None:
        self._firmware = firmware

    async def power_on(self) -> None:
        if not self.is_on:
            self.is_on = True
            self._boot()

    async def power_off(self) -> None:
        self.is_on = False

    async def shut_down(self) -> None:
        """Nothing runs here that could hear the button, so its press ends the power as well."""
        self.is_on = False

    async def reset(self) -> None:
        if not self.is_on:
            raise ValueError(f"{self.hardware.serial} is off and cannot be reset")
        self._boot()

    def sensors(self) -> Mapping[str, float]:
        return {
            "Inlet Temp": CELSIUS_OFF,
            "CPU1 Temp": CELSIUS_ON if self.is_on else CELSIUS_OFF,
            "Fan1": FAN_RPM if self.is_on else 0.0,
            "PSU1 Power": WATTS_ON if self.is_on else WATTS_STANDBY,
        }

    def _boot(self) -> None:
        if self._firmware is not None:
            self.boots.append(self._firmware.begin_boot())
