"""Choose the one disk to install on. Ambiguity is refused, never resolved by order: a wrong disk
chosen silently is the one mistake that nobody forgives."""

from collections.abc import Mapping, Sequence
from typing import Any

from readystate.domain.errors import BadRequest

_EQUALS = ("name", "serial", "wwn", "by_path", "model", "rotational")


def choose_disk(rule: Mapping[str, Any], disks: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The disk for which everything in `rule` holds. Raises BadRequest, with the disks listed, when
    none or several are left."""
    left = [disk for disk in disks if _is_match(rule, disk)]
    pick = rule.get("pick")
    if pick is not None and left:
        size = (min if pick == "smallest" else max)(disk["size_bytes"] for disk in left)
        left = [disk for disk in left if disk["size_bytes"] == size]
    if len(left) == 1:
        return left[0]
    listed = "; ".join(disk_text(disk) for disk in (left or disks)) or "no disks at all"
    raise BadRequest(
        f"os/disk: {'no disk matches' if not left else f'{len(left)} disks match'}",
        why=f"{'there are' if not left else 'they are'}: {listed}",
        hint="narrow the rule os/disk for this node until exactly one disk is left",
    )


def _is_match(rule: Mapping[str, Any], disk: Mapping[str, Any]) -> bool:
    size = disk["size_bytes"]
    return (
        all(disk.get(name) == rule[name] for name in _EQUALS if name in rule)
        and size >= rule.get("min_bytes", 0)
        and size <= rule.get("max_bytes", size)
    )


def disk_text(disk: Mapping[str, Any]) -> str:
    gib = disk["size_bytes"] / 2**30
    kind = "rotating" if disk.get("rotational") else "solid state"
    return f"{disk['name']} {disk.get('model') or ''} serial {disk['serial']} {gib:.0f} GiB {kind}"
