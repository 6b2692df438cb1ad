"""Measures in a process of its own, so that memory and CPU seconds are those of the measured work
and of nothing that ran before it.

`measure` calls a function of a bench by its name; the function returns plain JSON values."""

import importlib
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_TIMEOUT_S = 1800.0
_KIB = 1024


@dataclass(frozen=True)
class Measured:
    result: Mapping[str, Any]
    cpu_s: float  #: user and system, of that process alone
    peak_bytes: int


def measure(function: Callable[..., Mapping[str, Any]], **arguments: Any) -> Measured:
    """Run `function(**arguments)` alone. Raises CalledProcessError when it fails."""
    place = f"{function.__module__}:{function.__qualname__}"
    done = subprocess.run(
        [sys.executable, "-m", "bench.own_process", place, json.dumps(arguments)],
        check=True,
        stdout=subprocess.PIPE,
        timeout=_TIMEOUT_S,
        cwd=ROOT,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    return Measured(told["result"], told["cpu_s"], told["peak_bytes"])


def main(place: str, arguments: str) -> None:
    module, _, name = place.partition(":")
    function = getattr(importlib.import_module(module), name)
    result = function(**json.loads(arguments))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "result": result,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * _KIB,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
