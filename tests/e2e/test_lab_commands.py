"""`readystate lab` as a person types it, without any server beside it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from readystate.lab.control_client import LabClient
from tests.e2e.racks import environment, wait_for

URL = "http://127.0.0.1:1"  #: nobody serves there


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with TemporaryDirectory(prefix="lab-") as folder:  # short: it holds a socket
        yield Path(folder)


@pytest.fixture
def up(data_dir: Path) -> Iterator[str]:
    """What `lab up --detach` said."""
    answer = lab(data_dir, "up", "--detach", "--nodes", "4")
    assert 0 == answer.returncode, answer.stderr
    yield answer.stdout
    lab(data_dir, "down")


def lab(data_dir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "readystate", "lab", *words],
        env=environment(data_dir, URL),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_up_says_where_the_bmcs_are_and_what_they_take(data_dir: Path, up: str) -> None:
    status = LabClient(data_dir / "lab").status()

    assert f"4 machines; BMCs at {status['bmc_range']}" in up
    assert f"BMC user admin, password in {data_dir / 'lab' / 'bmc-password'}" in up
    assert URL == status["boot_url"]


def test_status_lists_machines_faults_and_what_was_done(data_dir: Path, up: str) -> None:
    assert 0 == lab(data_dir, "fault", "2", "unreachable", "--for", "1m").returncode

    table = lab(data_dir, "status").stdout
    told = json.loads(lab(data_dir, "status", "-o", "json").stdout)

    assert "ProLiant DL360 Gen10" in table
    assert "unreachable" in table
    assert [[], ["unreachable"], [], []] == [it["faults"] for it in told["machines"]]
    assert {0} == {it["ledger"]["boots"] for it in told["machines"]}


def test_faults_are_cleared_one_or_all(data_dir: Path, up: str) -> None:
    for fault in ("slow", "unavailable"):
        lab(data_dir, "fault", "1", fault)

    assert "unavailable" in lab(data_dir, "fault", "1", "slow", "--clear").stdout
    assert "no fault" in lab(data_dir, "fault", "1", "--clear").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("fault", "1"), 6, "which fault?"),
        (("fault", "1", "unreachabel"), 6, 'did you mean "unreachable"?'),
        (("fault", "1", "slow", "--for", "soon"), 6, "'soon' is no time"),
        (("fault", "127.0.0.1", "slow"), 3, "no machine of the lab is known as '127.0.0.1'"),
        (("crash", "1"), 5, "is off"),
        (("up",), 5, "a lab is running already"),
        (("up", "--network", "10.0"), 6, "is no network for a lab"),
    ],
)
def test_what_cannot_be_done_is_refused(
    data_dir: Path, up: str, words: tuple[str, ...], code: int, said: str
) -> None:
    answer = lab(data_dir, *words)

    assert code == answer.returncode, answer.stderr
    assert said in answer.stderr


def test_without_a_lab_every_command_says_so(data_dir: Path) -> None:
    for words in (("status",), ("down",), ("crash", "1"), ("fault", "1", "slow")):
        answer = lab(data_dir, *words)

        assert 3 == answer.returncode
        assert "no lab is running" in answer.stderr
        assert "readystate lab up" in answer.stderr


def test_in_the_foreground_it_ends_with_ctrl_c(data_dir: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "readystate", "lab", "up", "--nodes", "1"],
        env=environment(data_dir, URL),
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_for((data_dir / "lab" / "bmc-password").exists, "the lab")

    process.send_signal(signal.SIGINT)

    said, _ = process.communicate(timeout=30)
    assert 0 == process.returncode
    assert "Ctrl-C ends it." in said
