"""Drop the clauses of the rules one at a time and see that a test notices.

For each of `tools/mutants.yml`: on a copy of the tree, the scenario tests up to the first failure;
if none fails, the state machine with a bounded number of examples. Prints one line a mutant and
exits 1 when one survives or no longer applies. Arguments are names of mutants: only these."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import yaml

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Mutant:
    name: str
    drops: str  #: the clause of design.md, in its words
    file: str  #: below readystate/
    old: str
    new: str
    noticed_by: str = ""  #: the scenarios that are asked first: `test_clauses_NAME.py`


def _mutants(file: Path) -> tuple[Mutant, ...]:
    declared = yaml.safe_load(file.read_text())
    return tuple(Mutant(file=name, **told) for name, items in declared.items() for told in items)


MUTANTS = _mutants(Path(__file__).with_name("mutants.yml"))

#: The tree is copied without these.
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "var", "__pycache__", ".*_cache", ".hypothesis", "build", "dist"
)

_PYTEST = (
    *(sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no", "--timeout=60"),
    *("-p", "no:cacheprovider", "--hypothesis-profile=mutation"),
)

#: A mutant that the scenarios miss meets this many random histories. The test of that name also
#: asks for a fair share of every clause, which so few do not have.
_HISTORIES = """
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.property.test_annealer import Annealing

run_state_machine_as_test(
    Annealing,
    settings=settings(
        max_examples=150,
        stateful_step_count=30,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    ),
)
"""

_FAILED = re.compile(r"^(?:FAILED|ERROR) \S+?/([^/\s]+?)\.py(?:::(\S+))?", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    mutant: Mutant
    caught_by: str  #: the test; "" when it survived
    took_s: float


def problems(root: Path = ROOT) -> list[str]:
    """Mutants whose text does not stand exactly once in its file, and names given twice."""
    found = []
    for mutant in MUTANTS:
        count = (root / "readystate" / mutant.file).read_text().count(mutant.old)
        if count != 1:
            found.append(f"{mutant.name}: its text stands {count} times in {mutant.file}")
    names = [mutant.name for mutant in MUTANTS]
    found += [
        f"{name}: named twice" for name in sorted({it for it in names if names.count(it) > 1})
    ]
    return found


def first_failure(output: str) -> str:
    """`module::test` of the first failed test in what pytest printed; "" when all passed."""
    found = _FAILED.search(output)
    return f"{found[1]}::{found[2]}" if found and found[2] else (found[1] if found else "")


def _scenario_that_fails(tree: Path, tests: Sequence[str]) -> str:
    done = _run(tree, *_PYTEST, *tests)
    if done is None:
        return "the time limit"
    if done.returncode == 0:
        return ""
    return first_failure(done.stdout) or f"pytest itself (exit {done.returncode})"


def _histories_fail(tree: Path) -> str:
    done = _run(tree, sys.executable, "-c", _HISTORIES)
    if done is None:
        return "the time limit"
    return "random histories" if done.returncode else ""


def _run(tree: Path, *command: str) -> "subprocess.CompletedProcess[str] | None":
    """None when it does not come to an end, as rules that livelock do not."""
    # Bytecode is not kept: an edit may leave size and second of a file as they were.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "LONG": ""}
    try:
        return subprocess.run(
            command,
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None


def _scenarios(tree: Path) -> list[str]:
    folder = tree / "tests" / "property"
    found = [*folder.glob("test_clauses_*.py"), folder / "test_why.py"]
    return [str(path.relative_to(tree)) for path in sorted(found) if path.exists()]


def judge(tree: Path, mutant: Mutant) -> Verdict:
    """Apply the mutant to the tree, test, take it back."""
    begun = time.monotonic()
    file = tree / "readystate" / mutant.file
    sound = file.read_text()
    file.write_text(sound.replace(mutant.old, mutant.new))
    try:
        caught_by = ""
        if mutant.noticed_by:
            first = f"tests/property/test_clauses_{mutant.noticed_by}.py"
            caught_by = _scenario_that_fails(tree, [first])
        caught_by = (
            caught_by or _scenario_that_fails(tree, _scenarios(tree)) or _histories_fail(tree)
        )
    finally:
        file.write_text(sound)
    return Verdict(mutant, caught_by, time.monotonic() - begun)


def judge_all(mutants: Sequence[Mutant], folder: Path, *, side_by_side: int) -> list[Verdict]:
    trees: SimpleQueue[Path] = SimpleQueue()
    for number in range(side_by_side):
        trees.put(shutil.copytree(ROOT, folder / str(number), ignore=_LEFT_OUT))

    def one(mutant: Mutant) -> Verdict:
        tree = trees.get()
        try:
            verdict = judge(tree, mutant)
        finally:
            trees.put(tree)
        print(_line(verdict), flush=True)
        return verdict

    with ThreadPoolExecutor(side_by_side) as pool:
        return list(pool.map(one, mutants))


def _line(verdict: Verdict) -> str:
    told = f"caught by {verdict.caught_by}" if verdict.caught_by else "SURVIVED"
    return f"{verdict.mutant.name:<38} {told} ({verdict.took_s:.0f} s)"


def main(arguments: Sequence[str]) -> int:
    wrong = problems()
    known = {mutant.name: mutant for mutant in MUTANTS}
    wrong += [f"{name}: no mutant has this name" for name in arguments if name not in known]
    if wrong:
        print("\n".join(wrong))
        return 1
    mutants = [known[name] for name in arguments] or list(MUTANTS)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="readystate-mutants-") as folder:
        failed = _scenario_that_fails(ROOT, _scenarios(ROOT)) or _histories_fail(ROOT)
        if failed:
            print(f"without any mutant {failed} fails: nothing can be told")
            return 1
        verdicts = judge_all(mutants, Path(folder), side_by_side=2)
    survived = [verdict.mutant for verdict in verdicts if not verdict.caught_by]
    print(
        f"\n{len(verdicts) - len(survived)} of {len(verdicts)} mutants caught"
        f" in {time.monotonic() - begun:.0f} s"
    )
    for mutant in survived:
        print(f"survived: {mutant.name}: {mutant.drops} ({mutant.file})")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
