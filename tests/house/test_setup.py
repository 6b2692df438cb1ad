"""The tools behind `make setup`, `make setup-test` and `make test`: what they say when something is
missing, and that they do nothing when nothing is."""

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools import check, setup_venv, system_packages
from tools.check import Part

VERSION = "26.0"
WHEEL = b"not really a wheel"


class Index(BaseHTTPRequestHandler):
    """A package index with one file, which it may describe wrongly."""

    def __init__(self, *arguments: object, digest: str) -> None:
        self.digest = digest
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        name = f"pip-{VERSION}-py3-none-any.whl"
        page = {"files": [{"filename": name, "url": name, "hashes": {"sha256": self.digest}}]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(page).encode() if self.path == "/simple/pip/" else WHEEL)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def serve_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    servers = []

    def serve(digest: str) -> None:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Index, digest=digest))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple/")

    (tmp_path / "requirements.lock").write_text(f"pip=={VERSION}\n")
    monkeypatch.setattr(setup_venv, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(setup_venv, "VENV", tmp_path)
    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_fetched_pip_is_run_when_it_is_what_the_index_promised(
    serve_index: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[tuple[object, ...]] = []
    monkeypatch.setattr(setup_venv, "succeeds", lambda *command: not commands.append(command))
    serve_index(hashlib.sha256(WHEEL).hexdigest())

    assert setup_venv.fetch_pip()

    wheel = tmp_path / f"pip-{VERSION}-py3-none-any.whl"
    assert WHEEL == wheel.read_bytes()
    assert [(wheel / "pip", "install", f"pip=={VERSION}")] == [
        (command[1], command[2], command[-1]) for command in commands
    ]


def test_fetched_pip_that_was_tampered_with_is_refused(
    serve_index: Callable[[str], None], tmp_path: Path
) -> None:
    serve_index(hashlib.sha256(b"another").hexdigest())

    with pytest.raises(setup_venv.SetupFailed, match="not what the index says"):
        setup_venv.fetch_pip()

    assert [] == list(tmp_path.glob("*.whl"))


def test_index_out_of_reach_is_no_pip_and_no_traceback(
    serve_index: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")

    assert not setup_venv.fetch_pip()
    assert "that failed" in capsys.readouterr().out


def test_python_that_is_too_old_is_refused_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))

    assert 1 == setup_venv.main()
    assert "make setup PYTHON=" in capsys.readouterr().err


def test_setup_that_is_up_to_date_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stamp = tmp_path / "stamp"
    stamp.write_text(setup_venv.wanted_digest())
    monkeypatch.setattr(setup_venv, "STAMP", stamp)
    monkeypatch.setattr(setup_venv, "has_working_pip", lambda: True)
    monkeypatch.setattr(setup_venv, "run", lambda *_: pytest.fail("nothing was to be done"))

    assert 0 == setup_venv.main()
    assert "" == capsys.readouterr().out


def test_change_of_a_tools_settings_sets_nothing_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (setup_venv.ROOT / "pyproject.toml").read_text()
    monkeypatch.setattr(setup_venv, "ROOT", tmp_path)

    def digest_of(pyproject: str) -> str:
        (tmp_path / "pyproject.toml").write_text(pyproject)
        return setup_venv.wanted_digest()

    assert digest_of(text) == digest_of(text.replace("line-length = 100", "line-length = 99"))
    assert digest_of(text) != digest_of(text.replace('"netaddr>=1.3"', '"netaddr>=1.4"'))


def test_missing_programs_are_told_with_the_command_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(system_packages, "NEEDED", {"no-such-program": "no-such-package"})
    monkeypatch.setattr(system_packages, "privileged_prefix", lambda: None)

    assert 1 == system_packages.main()
    said = capsys.readouterr().err
    assert "sudo apt-get install -y --no-install-recommends no-such-package" in said
    assert "no-such-program" in said


def test_nothing_missing_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(system_packages, "NEEDED", {"sh": "dash"})

    assert 0 == system_packages.main()
    assert "" == capsys.readouterr().out


def planted_parts(*exit_codes: int) -> tuple[Part, ...]:
    return tuple(
        Part(f"part{number}", "planted", ("sh", "-c", f"echo line {number}; exit {code}"))
        for number, code in enumerate(exit_codes, start=1)
    )


def test_check_goes_on_after_a_failure_and_tells_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "parts", lambda _: planted_parts(3, 0))

    assert 1 == check.main([])
    lines = capfd.readouterr().out.splitlines()
    assert "line 2" == lines[-1]
    assert [True, False] == [
        "FAILED (3)" in line for line in lines if line.strip().startswith("part")
    ][-2:]


def test_check_passes_when_every_part_does(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "parts", lambda _: planted_parts(0, 0))

    assert 0 == check.main([])
    assert "FAILED" not in capfd.readouterr().out


def test_check_hands_its_arguments_to_pytest_which_comes_last() -> None:
    *others, last = check.parts(["-k", "lanes"])

    assert ("-k", "lanes") == last.command[-2:]
    assert {"lint", "format", "types", "layers"} == {part.name for part in others}
