"""Power and boot words shared by hammers, jigs and the API."""

from enum import StrEnum


class PowerState(StrEnum):
    ON = "on"
    OFF = "off"


class PowerAction(StrEnum):
    ON = "on"
    OFF = "off"
    CYCLE = "cycle"  #: off, read back, on; also starts a machine that is off
    RESET = "reset"
    SHUTDOWN = "shutdown"


class BootDevice(StrEnum):
    NONE = "none"
    PXE = "pxe"
    DISK = "disk"
    CDROM = "cdrom"
    BIOS_SETUP = "bios-setup"


class BootMode(StrEnum):
    BIOS = "bios"
    UEFI = "uefi"
