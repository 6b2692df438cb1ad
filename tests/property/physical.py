"""A physical oracle beside the graph: what was really done to each node, and what a reboot,
a reinstall or other hardware then took away again. It knows nothing of node-roles' states."""

from dataclasses import dataclass, field
from enum import StrEnum


class LivesIn(StrEnum):
    MEMORY = "memory"  #: gone with a reboot
    DISK = "disk"  #: gone with a reinstall
    FIRMWARE = "firmware"  #: gone with other hardware


@dataclass
class PhysicalNode:
    effects: dict[str, tuple[LivesIn, str]] = field(default_factory=dict)  #: role -> where, value
    staged: dict[str, tuple[LivesIn, str]] = field(default_factory=dict)
    boots: int = 0
    cycles: int = 0
    busy: dict[str, int] = field(default_factory=dict)  #: lane -> run that is really working there

    @property
    def boot_id(self) -> str:
        return f"boot-{self.boots}"

    def reboot(self) -> None:
        self.boots += 1
        self._lose(LivesIn.MEMORY)
        self.effects |= self.staged
        self.staged = {}

    def reinstall(self) -> None:
        self._lose(LivesIn.DISK)
        self._lose(LivesIn.MEMORY)

    def change_hardware(self) -> None:
        self._lose(LivesIn.FIRMWARE)

    def _lose(self, place: LivesIn) -> None:
        self.effects = {role: it for role, it in self.effects.items() if it[0] is not place}
