"""Where the files are that ship with readystate: annotations, boot environments, workloads and
migrations. An installed readystate carries them inside the package and works from any folder; a
checkout has them at its root, where people edit them."""

from enum import StrEnum
from importlib.resources import files
from pathlib import Path

from readystate.domain.errors import NotFound


class Shipped(StrEnum):
    """A folder of files that is part of the product but not Python."""

    ANNOTATIONS = "annotations"
    PXE = "pxe"
    WORKLOADS = "workloads"
    ALEMBIC = "alembic"


def shipped_path(kind: Shipped) -> Path:
    """The folder itself, read only. Raises NotFound where neither a wheel nor a checkout is."""
    package = Path(str(files("readystate")))
    for folder in (package / "data" / kind, package.parent / kind):
        if folder.is_dir():
            return folder
    raise NotFound(
        f"readystate's {kind} are not beside its code ({package})",
        why="neither an installed wheel nor a checkout",
        hint="install readystate again; it cannot run from inside a zip file",
    )
