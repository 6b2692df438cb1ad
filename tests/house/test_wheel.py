"""The wheel is whole: an installed readystate works from any folder, without a checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from readystate.shipped import Shipped

ROOT = Path(__file__).resolve().parent.parent.parent


def shipped_files(kind: str) -> list[str]:
    """What git would hand to someone who clones: new files count, ignored ones do not."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", kind],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [name for name in listed.splitlines() if (ROOT / name).exists()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("readystate-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """A folder to put on PYTHONPATH, with the wheel installed and nothing else."""
    folder = wheel.parent / "installed"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-index", "--target", folder, wheel],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.mark.parametrize("kind", list(Shipped))
def test_wheel_carries_every_shipped_file(kind: Shipped, wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {f"readystate/data/{name}" for name in shipped_files(kind)}

    assert expected
    assert set() == expected - names


def test_wheel_carries_every_module_and_no_test(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {name for name in shipped_files("readystate") if name.endswith(".py")}

    assert set() == modules - names
    assert [] == [name for name in names if "tests/" in name or "__pycache__" in name]


def test_wheel_carries_the_licence_and_the_command(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (licence,) = [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
    (entry_points,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]

    assert b"Apache License" in archive.read(licence)
    assert b"readystate = readystate.__main__:main" in archive.read(entry_points)


@pytest.mark.parametrize("kind", list(Shipped))
def test_installed_readystate_finds_its_files_from_any_folder(
    kind: Shipped, installed: Path, tmp_path: Path
) -> None:
    program = (
        "from readystate.shipped import Shipped, shipped_path; "
        f"print(shipped_path(Shipped({kind.value!r})))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()

    assert installed / "readystate" / "data" / kind == Path(said)
    assert shutil.which("readystate", path=installed / "bin")
