"""What boot environments name as kernel and live image, for a lab: its machines fetch them as real
ones would, and have a live image of their own."""

from pathlib import Path

_FOLDER = "discovery"
_FILES = ("vmlinuz", "initrd.img")


def put_boot_placeholders(folder: Path) -> None:
    """Into the folder of boot files; what is there already stays as it is."""
    (folder / _FOLDER).mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        path = folder / _FOLDER / name
        if not path.exists():
            path.write_bytes(b"of a lab")
