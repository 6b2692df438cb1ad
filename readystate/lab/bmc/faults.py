"""Faults on demand, planted in one virtual BMC.

The engine never sees a fault's name: it meets only what a broken BMC does on the wire."""

import time
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    UNREACHABLE = "unreachable"  #: answers nothing, on any protocol
    WRONG_PASSWORD = "wrong-password"  #: somebody changed the password
    SLOW = "slow"  #: every answer takes `delay_s`
    UNAVAILABLE = "unavailable"  #: Redfish 503 with Retry-After, IPMI "node busy" (0xC0)
    POWER_LIES = "power-lies"  #: accepts power commands, does nothing, says "off"
    DROPS_BOOT_OVERRIDE = "drops-boot-override"  #: accepts the one-shot override and forgets it
    SESSION_EXHAUSTION = "session-exhaustion"  #: no new session can be opened
    BMC_RESETS = "bmc-resets"  #: restarts itself right after the next power command is accepted


@dataclass
class Planted:
    until: float | None  #: `time.monotonic()` instant; None = until removed
    delay_s: float = 0.0  #: for `slow`


@dataclass
class Faults:
    planted: dict[Fault, Planted] = field(default_factory=dict)

    def plant(self, fault: Fault, *, for_s: float | None = None, delay_s: float = 0.0) -> None:
        until = None if for_s is None else time.monotonic() + for_s
        self.planted[fault] = Planted(until, delay_s)

    def remove(self, fault: Fault) -> None:
        self.planted.pop(fault, None)

    def clear(self) -> None:
        self.planted.clear()

    def is_active(self, fault: Fault) -> bool:
        planted = self.planted.get(fault)
        if planted is None:
            return False
        if planted.until is not None and time.monotonic() >= planted.until:
            del self.planted[fault]
            return False
        return True

    def delay_s(self) -> float:
        return self.planted[Fault.SLOW].delay_s if self.is_active(Fault.SLOW) else 0.0

    def spoken_power(self, is_on: bool) -> bool:
        """The power state the BMC reports; `power-lies` keeps reporting "off"."""
        return is_on and not self.is_active(Fault.POWER_LIES)
