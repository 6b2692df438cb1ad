"""What devices tell reaches a terminal as text, never as commands."""

import io

import pytest
from rich.console import Console

from readystate.cli.errors import leave
from readystate.cli.output import Format, escaped, say, show_fields, show_list, tell
from readystate.domain.errors import Refused

EVIL = "a\x1b[2Jb\x9bc\x7fd\ne"
SHOWN = r"a\x1b[2Jb\x9bc\x7fd\x0ae"


@pytest.mark.parametrize("text", ["", "plain", "größer → 4\N{NO-BREAK SPACE}GiB", "\\x1b"])
def test_text_without_control_characters_stays(text: str) -> None:
    assert text == escaped(text)


def test_control_characters_are_shown_by_number(capsys: pytest.CaptureFixture[str]) -> None:
    say(EVIL)
    tell(EVIL)
    show_fields({"serial": EVIL})
    out, err = capsys.readouterr()

    assert [SHOWN, f"serial: {SHOWN}"] == out.splitlines()
    assert f"{SHOWN}\n" == err


def test_cells_of_tables_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    show_list([{"name": EVIL}], {"NAME": lambda it: str(it["name"])}, Format.TABLE, none="")

    assert ["NAME", SHOWN] == capsys.readouterr().out.splitlines()


def test_cells_of_tables_are_escaped_for_who_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setattr("rich.console.Console", lambda: Console(file=terminal, color_system=None))
    show_list([{"name": EVIL}], {"NAME": lambda it: str(it["name"])}, Format.TABLE, none="")

    assert ["NAME", SHOWN] == [line.rstrip() for line in terminal.getvalue().splitlines()]


def test_refusals_are_escaped_and_keep_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        leave(Refused("no", why="\x1b[2J", hint="ask"))

    assert "readystate: no\n  why:  \\x1b[2J\n  hint: ask\n" == capsys.readouterr().err
