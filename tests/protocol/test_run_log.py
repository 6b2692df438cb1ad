"""Logs of runs on a real disk."""

import threading
from pathlib import Path

from readystate.adapters.run_log import READ_BYTES, FileRunLog
from readystate.domain.ids import RunId

RUN = RunId(7)


def test_lines_are_readable_as_soon_as_they_are_written(tmp_path: Path) -> None:
    log = FileRunLog(tmp_path / "runs")
    log.append(RUN, "one")
    first = log.read(RUN)
    log.append(RUN, "zwölf\n")

    assert ("one\n", 4) == first
    assert ("zwölf\n", 11) == log.read(RUN, offset=first[1])
    assert ["one", "zwölf"] == list(log.lines(RUN))


def test_run_that_has_not_written_has_an_empty_log(tmp_path: Path) -> None:
    assert ("", 0) == FileRunLog(tmp_path).read(RUN)
    assert ("", 5) == FileRunLog(tmp_path).read(RUN, offset=5)


def test_half_a_line_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "7.log").write_bytes(b"whole\nhal")

    assert ("whole\n", 6) == FileRunLog(tmp_path).read(RUN)


def test_endless_line_is_cut_rather_than_never_shown(tmp_path: Path) -> None:
    (tmp_path / "7.log").write_bytes(b"x" * (READ_BYTES + 5))

    assert READ_BYTES == FileRunLog(tmp_path).read(RUN)[1]


def test_lines_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    log = FileRunLog(tmp_path)

    def write(letter: str) -> None:
        for _ in range(200):
            log.append(RUN, letter * 80)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {letter * 80 for letter in "abcd"} == set(log.lines(RUN))
    assert 800 == len(list(log.lines(RUN)))


def test_secrets_are_concealed_and_files_are_the_owners(tmp_path: Path) -> None:
    log = FileRunLog(tmp_path / "runs")
    log.append(RUN, "login with password=hush7 failed")

    assert "hush7" not in log.read(RUN)[0]
    assert 0o600 == (tmp_path / "runs" / "7.log").stat().st_mode & 0o777
    assert 0o700 == (tmp_path / "runs").stat().st_mode & 0o777
