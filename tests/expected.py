"""Golden files: what a plan, a render or a session is expected to say, kept beside the tests so
that a change shows up in review as a readable diff."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Golden:
    """The files under one folder. `make golden` sets `is_renewing`, and nothing else does."""

    folder: Path
    is_renewing: bool

    def check(self, name: str, actual: str) -> None:
        """`actual` equals the file `name`; a missing file is a failure, not a first time."""
        path = self.folder / name
        if self.is_renewing:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(actual)
        assert path.exists(), f"{path} is missing: make golden, and read the diff"

        assert path.read_text() == actual, f"{path} differs: make golden, and read the diff"


def golden_files() -> Golden:
    folder = Path(__file__).resolve().parent / "golden"
    return Golden(folder, is_renewing=os.environ.get("GOLDEN") == "write")
