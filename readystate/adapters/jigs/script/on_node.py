"""What every script finds defined when it runs on a node, before its own first line.

This file is sent as text together with the script. It runs under the node's Python (3.6 or newer)
with the standard library only, and must never import anything of readystate."""

import json
import os
import shutil
import subprocess
import sys
from typing import Any, Dict, List, Optional  # noqa: UP035 the node's Python may be old

# Both are there before this file runs on a node.
INPUT: Dict[str, Any] = globals().get("INPUT", {})  # noqa: UP006 wants by short name, and `root`
ACTION: str = globals().get("ACTION", "run")  # run | check: a check reads, and changes nothing

BOOT_ID = "/proc/sys/kernel/random/boot_id"
MARK = "# Written by readystate: changes here are lost.\n"


def need(name: str) -> Any:
    """An input that the script cannot do without."""
    if INPUT.get(name) in (None, "", []):
        sys.exit(f"input {name!r} is missing")
    return INPUT[name]


def say(text: str) -> None:
    """Append to the run's log."""
    print(text, file=sys.stderr, flush=True)


def is_whole_system() -> bool:
    """False when the input says `root`: another tree than the running system's."""
    return str(INPUT.get("root") or "/") == "/"


def place(path: str) -> str:
    """Where a path of the node really is."""
    return str(INPUT.get("root") or "/").rstrip("/") + path


def read_text(path: str) -> Optional[str]:  # noqa: UP045
    """The file's text, None if there is none."""
    try:
        with open(place(path), encoding="utf-8") as handle:
            return handle.read()
    except FileNotFoundError:
        return None


def write_text(path: str, text: str, mode: int = 0o644) -> None:
    """Whole or not at all: a reader sees the old file or the new one, also after a power cut.

    A link in that place is replaced by a file, as systemd-resolved's would take ours away."""
    target = place(path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    fresh = target + ".readystate-new"
    with open(fresh, "w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    os.chmod(fresh, mode)
    os.replace(fresh, target)


def converge(files: Dict[str, Optional[str]]) -> List[str]:  # noqa: UP006, UP045
    """Bring files to these texts (None: the file must be absent); returns the paths it changed.

    Under `check` it changes nothing, answers what differs, and ends the script."""
    different = [path for path, text in files.items() if read_text(path) != text]
    if ACTION == "check":
        reason = "differs from what is wanted: " + ", ".join(different) if different else ""
        answer(done=not different, reason=reason)
        sys.exit(0)
    for path in different:
        text = files[path]
        if text is None:
            say("removing " + path)
            os.remove(place(path))
        else:
            say("writing " + path)
            write_text(path, text)
    wrong = [path for path, text in files.items() if read_text(path) != text]
    if wrong:
        sys.exit("does not read back as it was written: " + ", ".join(wrong))
    return different


def run_program(*argv: str) -> None:
    """Tell a service of the running system about a change; a service that is not there is told
    nothing, because it will read its files when it comes."""
    if not is_whole_system() or shutil.which(argv[0]) is None:
        return
    say("running " + " ".join(argv))
    status = subprocess.run(argv, check=False, stdout=subprocess.DEVNULL).returncode  # noqa: S603
    if status:
        say(f"{argv[0]} answered {status}")


def answer(**fields: Any) -> None:
    """The script's one result: `outputs`, `written`; for a check `done` and `reason`."""
    try:
        with open(BOOT_ID, encoding="ascii") as handle:
            fields["boot_id"] = handle.read().strip()
    except OSError:
        pass  # not Linux: nobody can tell a reboot by it
    print(json.dumps(fields))
