"""What `--help` says, at what price."""

import subprocess
import sys

import pytest

from readystate.cli.app import run
from readystate.cli.errors import EXIT_CODES, EXIT_CODES_TEXT, exit_code
from readystate.domain.errors import NotFound, ReadystateError
from tests.expected import Golden

COMMANDS = [
    (),
    ("scan",),
    ("sightings", "enroll"),
    ("credentials", "set"),
    ("nodes",),
    ("nodes", "import"),
    ("nodes", "power"),
    ("plan",),
    ("commit",),
    ("proposals",),
    ("anneal",),
    ("why",),
    ("hold",),
    ("resume",),
    ("runs", "log"),
    ("events",),
    ("graph",),
    ("check",),
    ("serve",),
    ("db", "upgrade"),
]
#: Each costs more to import than the whole of `--help`.
HEAVY = ("pydantic", "fastapi", "sqlalchemy", "asyncssh", "yaml", "uvicorn", "aiohttp")


@pytest.mark.parametrize("command", COMMANDS, ids="-".join)
def test_help_of(
    command: tuple[str, ...],
    golden: Golden,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "argv", ["readystate", *command, "--help"])
    with pytest.raises(SystemExit) as left:
        run()

    assert left.value.code in (0, None)
    golden.check(f"cli/help/{'-'.join(command) or 'readystate'}.txt", capsys.readouterr().out)


def test_help_imports_nothing_heavy() -> None:
    code = "import sys\nfrom readystate.cli import app\nprint(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()

    assert [] == [name for name in HEAVY if name in loaded]


def test_every_exit_code_is_told_in_help() -> None:
    for code in EXIT_CODES.values():
        assert f"\n  {code}  " in EXIT_CODES_TEXT


def test_class_that_is_not_in_the_table_takes_its_parents_code() -> None:
    class Newcomer(NotFound):
        pass

    assert 3 == exit_code(Newcomer("gone"))
    assert 1 == exit_code(ReadystateError("odd"))
