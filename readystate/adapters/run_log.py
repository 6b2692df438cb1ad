"""Logs of runs as plain files, `runs/<id>.log` in the data folder: people read them with what they
know, and a server that dies loses nothing that was written."""

import os
from collections.abc import Iterator
from pathlib import Path

from readystate.domain.ids import RunId
from readystate.log import conceal

#: At most so much in one answer; the rest is asked for by its offset.
READ_BYTES = 1024 * 1024


class FileRunLog:
    """Implements `ports.run_log.RunLog`. Each line is one write, so lines of several threads never
    mix; text that looks like a secret is concealed before it is written."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder

    def append(self, run_id: RunId, line: str) -> None:
        data = f"{conceal(line).rstrip()}\n".encode(errors="replace")
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        descriptor = os.open(self._path(run_id), flags, 0o600)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)

    def read(self, run_id: RunId, *, offset: int = 0) -> tuple[str, int]:
        """Whole lines only; nothing yet for a run that has not written."""
        try:
            with self._path(run_id).open("rb") as file:
                file.seek(offset)
                data = file.read(READ_BYTES)
        except FileNotFoundError:
            return "", offset
        end = data.rfind(b"\n") + 1
        if not end and len(data) == READ_BYTES:
            end = len(data)  # one endless line: better cut than never shown
        return data[:end].decode(errors="replace"), offset + end

    def lines(self, run_id: RunId) -> Iterator[str]:
        offset = 0
        while True:
            text, offset = self.read(run_id, offset=offset)
            if not text:
                return
            yield from text.splitlines()

    def _path(self, run_id: RunId) -> Path:
        return self._folder / f"{run_id}.log"
