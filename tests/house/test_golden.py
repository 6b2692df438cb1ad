"""Golden files fail on any difference, and are renewed only when asked."""

from pathlib import Path

import pytest

from tests.expected import Golden


def test_difference_fails_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "plan.txt").write_text("reboots 1\n")

    with pytest.raises(AssertionError, match="differs: make golden"):
        Golden(tmp_path, is_renewing=False).check("plan.txt", "reboots 2\n")

    assert "reboots 1\n" == (tmp_path / "plan.txt").read_text()


def test_missing_file_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="missing: make golden"):
        Golden(tmp_path, is_renewing=False).check("plan.txt", "reboots 2\n")

    assert [] == list(tmp_path.iterdir())


def test_renewing_writes_what_is_there_now(tmp_path: Path) -> None:
    Golden(tmp_path, is_renewing=True).check("plans/one.txt", "reboots 2\n")

    Golden(tmp_path, is_renewing=False).check("plans/one.txt", "reboots 2\n")
