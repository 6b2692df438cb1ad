"""Renders boot environments: each is a folder of `pxe/` with `bootenv.yml` and iPXE templates.

Templates are checked when readystate starts and when a boot is wished for, so a mistake in one is
never found by a machine that is booting."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from readystate.domain.errors import Invalid
from readystate.ports.boot_services import BootKind, BootWish

#: `exit` hands back to the firmware, which goes on with its next boot device.
LOCAL_SCRIPT = "#!ipxe\necho readystate: booting from the local disk\nexit\n"

DISCOVERY = "discovery"
TEMPLATE = "boot.ipxe.j2"


@dataclass(frozen=True)
class _Bootenv:
    name: str
    kernel: str  #: path below /boot/files
    initrd: str
    arguments: str


class BootTemplates:
    """Implements `ports.boot_services.BootRenderer`. Raises Invalid for a folder that is broken.

    `files` is where kernels and initrds are served from: one that is missing is found when a boot
    is wished for, not by a machine that asks for it in vain."""

    def __init__(self, folder: Path, files: Path) -> None:
        self._files = files
        self._jinja = Environment(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701 - iPXE scripts are no HTML; values are checked below
            keep_trailing_newline=True,
        )
        self._bootenvs = {
            path.parent.name: _read_bootenv(path) for path in sorted(folder.glob("*/bootenv.yml"))
        }
        for name in self._bootenvs:
            self._render(name, {"url": "http://check", "token": "check", "hostname": "check"})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._bootenvs)

    def check(self, wish: BootWish) -> None:
        if wish.kind is BootKind.LOCAL:
            return
        bootenv = self._bootenvs.get(_name_of(wish))
        if bootenv is None:
            raise Invalid(
                f"no boot environment {_name_of(wish)!r}",
                why=f"there are {', '.join(self._bootenvs) or 'none'}",
                hint="correct os/bootenv for this node",
            )
        for path in (bootenv.kernel, bootenv.initrd):
            if not (self._files / path).is_file():
                raise Invalid(
                    f"boot environment {bootenv.name!r} lacks {path}",
                    why=f"there is no {self._files / path}",
                    hint="put it there, then retry; `readystate lab up` makes one for a lab",
                )

    def script(self, wish: BootWish, values: Mapping[str, str]) -> str:
        if wish.kind is BootKind.LOCAL:
            return LOCAL_SCRIPT
        self.check(wish)
        return self._render(_name_of(wish), values)

    def local_script(self) -> str:
        return LOCAL_SCRIPT

    def _render(self, name: str, values: Mapping[str, str]) -> str:
        for key, value in values.items():
            if any(character.isspace() for character in value):
                raise Invalid(f"{key} {value!r} cannot stand on a kernel command line")
        bootenv = self._bootenvs[name]
        try:
            template = self._jinja.get_template(f"{name}/{TEMPLATE}")
            return template.render(bootenv=bootenv, **values)
        except TemplateError as error:
            raise Invalid(f"pxe/{name}/{TEMPLATE} cannot be rendered", why=str(error)) from error


def _name_of(wish: BootWish) -> str:
    return DISCOVERY if wish.kind is BootKind.DISCOVERY else wish.bootenv


def _read_bootenv(path: Path) -> _Bootenv:
    name = path.parent.name
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
        return _Bootenv(
            name=str(document["bootenv"]),
            kernel=str(document["kernel"]),
            initrd=str(document["initrd"]),
            arguments=str(document.get("arguments", "")),
        )
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise Invalid(
            f"pxe/{name}/bootenv.yml cannot be read",
            why=f"{error}",
            hint="it needs bootenv, kernel and initrd",
        ) from error
