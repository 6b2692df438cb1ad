"""The rules of the tree that no other tool checks: sizes, names, what may stand in a file."""

import ast
import getpass
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

LONGEST_MODULE_LINES = 450
#: Names that say nothing. A function without a home shows a missing noun.
EMPTY_NAMES = {"util", "utils", "common", "helper", "helpers", "misc", "base", "models"}
#: Older than a rule, and to be mended. This list only shrinks.
LONG_MODULES_TO_DIVIDE: set[str] = set()
#: Filesystem Hierarchy Standard 3.0, section 3: a path in them may be meant.
FOLDERS_OF_EVERY_SYSTEM = {
    *("bin", "boot", "dev", "etc", "home", "lib", "media", "mnt", "opt", "proc", "root", "run"),
    *("sbin", "srv", "sys", "tmp", "usr", "var"),
}


@cache
def tracked_files() -> tuple[Path, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def modules(*folders: str) -> list[Path]:
    wanted = [ROOT / folder for folder in folders]
    return [
        path
        for path in tracked_files()
        if path.suffix == ".py" and any(path.is_relative_to(folder) for folder in wanted)
    ]


def texts() -> Iterator[tuple[str, str]]:
    for path in tracked_files():
        try:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or an image has no words


def long_modules() -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in modules("readystate", "tools")
        if len(path.read_text().splitlines()) > LONGEST_MODULE_LINES
    }


def empty_names(paths: list[Path]) -> list[str]:
    relative = [path.relative_to(ROOT) for path in paths]
    return [str(path) for path in relative if EMPTY_NAMES & {path.stem, *path.parts}]


def environment_readers(source: str) -> list[int]:
    """Lines of a module that read the process's environment."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv"))
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and _imports_environment(node))
    ]


def _imports_environment(node: ast.ImportFrom) -> bool:
    return bool({alias.name for alias in node.names} & {"environ", "environb", "getenv"})


def broad_excepts(source: str) -> list[int]:
    """Lines with `except:`, `except Exception` or `except BaseException` that do not re-raise, and
    with `suppress(Exception)`."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type):
            if not any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
                lines.append(node.lineno)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            lines += [node.lineno for argument in node.args if _is_broad(argument)]
    return lines


def _is_broad(kind: ast.expr | None) -> bool:
    if isinstance(kind, ast.Tuple):
        return any(_is_broad(element) for element in kind.elts)
    return kind is None or ast.unparse(kind) in ("Exception", "BaseException")


def words_of_this_machine() -> set[str]:
    """What a file could only have picked up from the machine that it was written on: where the
    checkout lies, who works there, what the machine is called, where packages come from."""
    words = {f"{Path.home()}/"} if Path.home().is_relative_to("/home") else set()
    if len(ROOT.parts) > 2 and ROOT.parts[1] not in FOLDERS_OF_EVERY_SYSTEM:
        words |= {str(ROOT), f"{ROOT.parent}/"}
    words |= {name for name in (socket.gethostname(), getpass.getuser()) if len(name) > 6}
    configured = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True
    ).stdout
    words |= set(re.findall(r"://(?:[^/\s@']*@)?([^/\s:']+\.[^/\s:']+)", configured))
    words |= set(re.findall(r"file://(/[^\s']+)", configured))
    return {word for word in words if len(word) > 5} - {"readystate", "localhost", "pypi.org"}


def test_no_module_is_longer_than_a_reader_holds_in_mind() -> None:
    assert set() == long_modules() - LONG_MODULES_TO_DIVIDE


def test_a_module_that_was_divided_leaves_the_list_of_long_ones() -> None:
    assert set() == LONG_MODULES_TO_DIVIDE - long_modules()


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [] == empty_names(modules("readystate", "tests", "tools", "bench", "alembic"))


def test_names_that_say_nothing_are_found() -> None:
    planted = [ROOT / "readystate/web/utils.py", ROOT / "readystate/common/power.py"]

    assert ["readystate/web/utils.py", "readystate/common/power.py"] == empty_names(planted)


@pytest.mark.parametrize(
    "path", modules("readystate"), ids=lambda path: str(path.relative_to(ROOT / "readystate"))
)
def test_module_reads_no_environment_and_swallows_no_exception(path: Path) -> None:
    source = path.read_text()
    name = str(path.relative_to(ROOT / "readystate"))

    assert name == "settings.py" or [] == environment_readers(source)
    # The executor records whatever a jig raises as the run's outcome; the annealer sets the unit
    # aside that its rules fail on. There is no third place.
    may_catch_all = {"engine/executor.py", "engine/annealer.py"}
    assert name in may_catch_all or [] == broad_excepts(source)


@pytest.mark.parametrize(
    "source",
    ["import os\nos.environ['A']", "import os\nos.getenv('A')", "\nfrom os import environ"],
)
def test_reading_the_environment_is_found(source: str) -> None:
    assert [2] == environment_readers(source)


@pytest.mark.parametrize(
    "source",
    [
        "\ntry: pass\nexcept: pass",
        "\ntry: pass\nexcept Exception as error: log(error)",
        "\ntry: pass\nexcept (ValueError, Exception): pass",
        "import contextlib\n\nwith contextlib.suppress(Exception): pass",
    ],
)
def test_swallowed_exception_is_found(source: str) -> None:
    assert [3] == broad_excepts(source)


def test_exception_that_is_raised_again_is_not_swallowed() -> None:
    assert [] == broad_excepts("try: pass\nexcept BaseException:\n    undo()\n    raise")


def test_no_file_names_the_machine_that_it_was_written_on() -> None:
    words = words_of_this_machine()
    found = [f"{name}: {word}" for name, text in texts() for word in words if word in text]

    assert [] == found


def test_every_todo_carries_an_issue_number() -> None:
    marker = re.compile(r"(?:#|//)\s*(?:TODO|FIXME|XXX)\b(?!\(#?\d+\)|.*#\d+)")
    found = [
        f"{name}:{number}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if marker.search(line)
    ]

    assert [] == found


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in modules("readystate", "tests", "tools", "bench")
        if not path.name.startswith("test_")  # the names of its tests say it
        and path.read_text().strip()
        and ast.get_docstring(ast.parse(path.read_text())) is None
    ]

    assert [] == silent


def test_tests_mirror_the_package() -> None:
    """A unit test of a module stands where the module stands."""
    homes = {path.relative_to(ROOT / "readystate").parent for path in modules("readystate")}
    homes |= {path.relative_to(ROOT).parent for path in modules("bench")}
    strays = [
        str(path.relative_to(ROOT))
        for path in modules("tests/unit")
        if path.relative_to(ROOT / "tests" / "unit").parent not in homes
    ]

    assert [] == strays
