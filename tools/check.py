"""Run everything that must be green: lint, types, layers, then all tests. Says what it is doing and
how long each part took; goes on after a failure, so that one run tells everything.

Arguments go to pytest: `make test ARGS="-k lanes -x"`. pytest comes last and its closing line is
repeated at the very end."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Part:
    name: str
    says: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    part: Part
    exit_code: int
    took_s: float
    last_line: str


def parts(pytest_arguments: Sequence[str]) -> tuple[Part, ...]:
    ruff, mypy = str(BIN / "ruff"), str(BIN / "mypy")
    return (
        Part("lint", "ruff: mistakes and style", (ruff, "check", ".")),
        Part("format", "ruff: layout", (ruff, "format", "--check", "--quiet", ".")),
        Part("types", "mypy: strict", (mypy, "--no-error-summary")),
        Part(
            "layers",
            "import-linter: imports go right only",
            (str(BIN / "lint-imports"), "--no-logo"),
        ),
        Part(
            "tests",
            "pytest: everything but metal and lab, on all cores",
            (
                *(
                    sys.executable,
                    "-m",
                    "pytest",
                    "--numprocesses=auto",
                    "--dist=loadgroup",
                    "--no-header",
                ),
                *pytest_arguments,
            ),
        ),
    )


def run(part: Part) -> Outcome:
    """Run one part with its output shown as it comes."""
    print(f"\n==> {part.name}: {part.says}", flush=True)
    begun = time.monotonic()
    last_line = ""
    with subprocess.Popen(
        part.command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            last_line = line.strip() or last_line
    return Outcome(part, process.returncode, time.monotonic() - begun, last_line)


def main(arguments: Sequence[str]) -> int:
    outcomes = [run(part) for part in parts(arguments)]
    print("\n==> summary")
    for outcome in outcomes:
        word = "ok" if outcome.exit_code == 0 else f"FAILED ({outcome.exit_code})"
        print(f"    {outcome.part.name:<8} {outcome.took_s:7.1f} s  {word}")
    print(f"    {'all':<8} {sum(outcome.took_s for outcome in outcomes):7.1f} s\n")
    print(outcomes[-1].last_line, flush=True)
    return 0 if all(outcome.exit_code == 0 for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
