"""`make bench`: run the benches and print a line a figure.

ONLY=name in the environment runs one of them; STRICT=1 makes a missed goal the exit code."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping

from bench import dispatch, faked, rack, settle, sweep
from bench.figure import Figure

BENCHES: Mapping[str, Callable[[], Iterable[Figure]]] = {
    "settle": settle.figures,
    "dispatch": dispatch.figures,
    "sweep": sweep.figures,
    "rack": rack.figures,
    "faked": faked.figures,
}


def main(environment: Mapping[str, str]) -> int:
    only = environment.get("ONLY", "")
    if only and only not in BENCHES:
        print(f"no bench is called {only!r}: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    missed = 0
    for name, figures in BENCHES.items():
        if only in ("", name):
            for figure in figures():
                print(figure.line(), flush=True)
                missed += not figure.is_met
    return 1 if missed and environment.get("STRICT") == "1" else 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
