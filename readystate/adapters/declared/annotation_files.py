"""The files of one folder of annotations, as read once: checked from here, and kept in the database
so that an upgrade cannot change what a deployment runs on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from readystate.domain.errors import AnnotationInvalid
from readystate.domain.ids import RoleName

SCRIPTS = "scripts"  #: folder beside the annotations


@dataclass(frozen=True)
class AnnotationFiles:
    name: str  #: what messages call the folder
    roles: Mapping[str, bytes]  #: by file name, `dns-client.yml`
    scripts: Mapping[str, bytes]  #: by file name, `dns-client.py`
    problems: tuple[AnnotationInvalid, ...] = ()  #: files that could not be read

    @classmethod
    def read(cls, folder: Path) -> "AnnotationFiles":
        roles: dict[str, bytes] = {}
        problems = []
        for path in sorted(folder.iterdir()):
            if path.suffix not in (".yml", ".yaml"):
                continue
            try:
                roles[path.name] = path.read_bytes()
            except OSError as error:
                problems.append(
                    AnnotationInvalid(
                        "the file cannot be read",
                        file=f"{folder.name}/{path.name}",
                        line=1,
                        why=error.strerror or "",
                        hint="look at its permissions",
                    )
                )
        scripts = {item.name: item.read_bytes() for item in (folder / SCRIPTS).glob("*.py")}
        return cls(folder.name, roles, scripts, tuple(problems))

    @classmethod
    def of_texts(cls, texts: Mapping[str, str], *, name: str = "annotations") -> "AnnotationFiles":
        """From what `texts` gave."""
        below = f"{SCRIPTS}/"
        data = {path: text.encode() for path, text in sorted(texts.items())}
        return cls(
            name,
            roles={path: item for path, item in data.items() if not path.startswith(below)},
            scripts={
                path.removeprefix(below): item
                for path, item in data.items()
                if path.startswith(below)
            },
        )

    def texts(self) -> dict[str, str]:
        """By path below the folder. Only for files that were found sound, which are UTF-8."""
        scripts = {f"{SCRIPTS}/{name}": data for name, data in self.scripts.items()}
        return {path: data.decode() for path, data in {**self.roles, **scripts}.items()}

    @property
    def version(self) -> str:
        """Sixteen digits that differ when any file differs. A role's own version, which decides
        what runs again, leaves out what changes no result."""
        texts = json.dumps(self.texts(), sort_keys=True)
        return hashlib.sha256(texts.encode()).hexdigest()[:16]

    @property
    def stems(self) -> frozenset[RoleName]:
        """Names of all roles, also of those that cannot be read."""
        unreadable = [item.file.rpartition("/")[2] for item in self.problems]
        return frozenset(RoleName(Path(file).stem) for file in [*self.roles, *unreadable])
