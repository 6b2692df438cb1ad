"""Files that machines fetch while they boot: kernels, images, scripts below one folder."""

from dataclasses import dataclass
from pathlib import Path

from readystate.domain.errors import NotFound


@dataclass(frozen=True)
class BootFiles:
    folder: Path

    def read(self, path: str) -> bytes:
        """Raises NotFound, also for a path that leads out of the folder."""
        root = self.folder.resolve()
        found = (root / path).resolve()
        if not found.is_relative_to(root) or not found.is_file():
            raise NotFound(f"no boot file {path!r}")
        return found.read_bytes()
