"""What stands behind a virtual BMC, and what the machine asks of its firmware at every boot.

A machine is simulated or QEMU; the BMC front ends (RMCP+, Redfish) know only this protocol."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from readystate.lab.hardware import Hardware


class BootDevice(StrEnum):
    NONE = "none"  #: no override: the persistent order decides
    PXE = "pxe"
    DISK = "disk"
    CDROM = "cdrom"
    BIOS_SETUP = "bios-setup"


@dataclass(frozen=True)
class BootChoice:
    """What the firmware does at this boot."""

    order: tuple[BootDevice, ...]  #: tried first to last
    uefi: bool
    virtual_media_url: str | None = None


class Firmware(Protocol):
    """The BMC's side of a boot, called by the machine each time it (re)starts, whoever asked."""

    def begin_boot(self) -> BootChoice:
        """Apply what waited for a reset (BIOS settings, volumes), spend a one-shot override."""
        ...


class Machine(Protocol):
    @property
    def hardware(self) -> Hardware: ...

    @property
    def is_on(self) -> bool: ...

    def attach(self, firmware: Firmware) -> None:
        """Called once by the BMC that owns this machine."""
        ...

    async def power_on(self) -> None:
        """Idempotent; returns when the power is on, not when anything has booted."""
        ...

    async def power_off(self) -> None:
        """Cut the power at once; idempotent."""
        ...

    async def shut_down(self) -> None:
        """Press the button: the operating system stops by itself if one runs, else nothing."""
        ...

    async def reset(self) -> None:
        """Warm reset; refused (ValueError) when off."""
        ...

    def sensors(self) -> Mapping[str, float]:
        """Readings by name: `CPU1 Temp` (C), `Inlet Temp` (C), `Fan1` (RPM), `PSU1 Power` (W)."""
        ...
