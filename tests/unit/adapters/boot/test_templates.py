"""What cannot be booted is refused when it is wished for, never found out by a machine."""

from pathlib import Path

import pytest

from readystate.adapters.boot.templates import LOCAL_SCRIPT, BootTemplates
from readystate.domain.errors import Invalid
from readystate.ports.boot_services import BootKind, BootWish
from readystate.shipped import Shipped, shipped_path

VALUES = {"url": "http://192.0.2.1:8000", "token": "t0ken", "hostname": "node-1"}
DISCOVERY = BootWish(BootKind.DISCOVERY)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "discovery").mkdir()
    for name in ("vmlinuz", "initrd.img"):
        (tmp_path / "discovery" / name).write_bytes(b"x")
    return tmp_path


@pytest.fixture
def templates(files: Path) -> BootTemplates:
    return BootTemplates(shipped_path(Shipped.PXE), files)


def test_the_live_image_is_told_where_to_call_and_with_which_token(
    templates: BootTemplates,
) -> None:
    script = templates.script(DISCOVERY, VALUES)

    assert script.startswith("#!ipxe\n")
    assert "readystate.mode=discovery" in script
    assert "readystate.token=t0ken" in script
    assert "http://192.0.2.1:8000/boot/files/discovery/vmlinuz" in script


def test_a_local_boot_needs_nothing(templates: BootTemplates) -> None:
    templates.check(BootWish(BootKind.LOCAL))

    assert LOCAL_SCRIPT == templates.script(BootWish(BootKind.LOCAL), VALUES)


@pytest.mark.parametrize("name", ["vmlinuz", "initrd.img"])
def test_a_missing_boot_file_is_named_with_its_place(
    templates: BootTemplates, files: Path, name: str
) -> None:
    (files / "discovery" / name).unlink()

    with pytest.raises(Invalid, match=f"'discovery' lacks discovery/{name}") as refused:
        templates.check(DISCOVERY)
    assert str(files) in refused.value.why


def test_an_unknown_boot_environment_names_those_that_there_are(templates: BootTemplates) -> None:
    with pytest.raises(Invalid, match="no boot environment 'plan9'") as refused:
        templates.check(BootWish(BootKind.INSTALL, bootenv="plan9"))
    assert "debian-12" in refused.value.why


def test_a_value_with_a_space_never_reaches_a_kernel_command_line(
    templates: BootTemplates,
) -> None:
    with pytest.raises(Invalid, match="cannot stand on a kernel command line"):
        templates.script(DISCOVERY, {**VALUES, "token": "a b=c"})
