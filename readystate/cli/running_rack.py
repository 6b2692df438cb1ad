"""Where the rack of this installation runs, so that `readystate nodes list` in a second shell finds
it without being told. Kept beside the installed programs (in the virtual environment), written when
a rack is up and removed when it ends; a rack that was killed is known by its pid and not found."""

import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

_PLACE = Path(sys.prefix) / "var" / "readystate-rack.json"


@dataclass(frozen=True)
class RunningRack:
    url: str  #: of its API
    data_dir: str  #: holds the API token, and the lab in `lab`
    pid: int


def remember_rack(url: str, data_dir: Path) -> bool:
    """False where the installation cannot be written to; nothing else depends on it."""
    try:
        _PLACE.parent.mkdir(exist_ok=True)
        _PLACE.write_text(json.dumps(asdict(RunningRack(url, str(data_dir), os.getpid()))))
    except OSError:
        return False
    return True


def forget_rack() -> None:
    """Only one's own."""
    found = find_rack()
    if found is not None and found.pid == os.getpid():
        with suppress(OSError):
            _PLACE.unlink()


def find_rack() -> RunningRack | None:
    try:
        values = json.loads(_PLACE.read_text())
        found = RunningRack(str(values["url"]), str(values["data_dir"]), int(values["pid"]))
        os.kill(found.pid, 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found
