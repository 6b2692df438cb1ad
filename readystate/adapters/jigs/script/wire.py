"""What passes between us and the node: one command, one JSON document each way.

The command line is the same for every script and holds nothing but the run's number; script,
input and secrets go through standard input, so no process list ever shows them."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files

from readystate.domain.ids import NodeRoleId
from readystate.domain.outcome import Json

#: Defines INPUT and ACTION, then runs the toolkit and the script in one namespace.
LOADER = (
    "import json,sys;d=json.load(sys.stdin);"
    'g={"__name__":"__main__","INPUT":d["input"],"ACTION":d["action"]};'
    'exec(compile(d["toolkit"],"on_node","exec"),g);'
    'exec(compile(d["script"],d["name"],"exec"),g)'
)

#: Kills every process group that one of our runs started, found by its marker; prints how many.
STOPPER = """
import os, sys
marker, killed = sys.stdin.read().encode(), 0
for name in os.listdir("/proc"):
    if not name.isdigit() or int(name) == os.getpid():
        continue
    try:
        with open("/proc/" + name + "/cmdline", "rb") as handle:
            words = handle.read().split(b"\\0")
        if any(word.startswith(marker) for word in words):
            os.killpg(os.getpgid(int(name)), 9)
            killed += 1
    except OSError:
        continue
print(killed)
"""

TOOLKIT = files("readystate.adapters.jigs.script").joinpath("on_node.py").read_text("utf-8")


class Action(StrEnum):
    RUN = "run"
    CHECK = "check"


class BadAnswer(ValueError):
    """The script's standard output is not the answer that it owes."""


@dataclass(frozen=True)
class Answer:
    outputs: Mapping[str, Json]
    is_done: bool  #: of a check
    reason: str
    written: tuple[str, ...]
    boot_id: str | None


def run_marker(origin: str, node_role_id: NodeRoleId) -> str:
    """What the processes of all attempts on this node-role have in their argv.

    `origin` tells our runs from those of another readystate that reaches the same node."""
    return f"readystate-{origin}-{node_role_id}-"


def run_command(marker: str, fence: int) -> str:
    return f"python3 -I -c {shlex.quote(LOADER)} {marker}{fence}"


def stop_command() -> str:
    return f"python3 -I -c {shlex.quote(STOPPER)}"


def render_document(
    *, name: str, script: str, action: Action, given: Mapping[str, Json]
) -> bytes:  # fmt: skip
    document = {
        "name": name,
        "script": script,
        "toolkit": TOOLKIT,
        "action": action.value,
        "input": dict(given),
    }
    return json.dumps(document).encode()


def parse_answer(stdout: bytes, action: Action) -> Answer:
    """Raises BadAnswer, quoting the beginning of what was said instead."""
    try:
        answer = json.loads(stdout)
    except ValueError as error:
        said = stdout[:200].decode("utf-8", "replace").strip()
        raise BadAnswer(f"not JSON: {said!r}" if said else "nothing") from error
    if not isinstance(answer, dict):
        raise BadAnswer(f"a JSON {type(answer).__name__}, not an object")
    outputs, done = answer.get("outputs", {}), answer.get("done")
    if not isinstance(outputs, dict):
        raise BadAnswer("`outputs` is not an object")
    if action is Action.CHECK and not isinstance(done, bool):
        raise BadAnswer("a check without `done`: true or false")
    boot_id = answer.get("boot_id")
    return Answer(
        outputs=outputs,
        is_done=done is True,
        reason=str(answer.get("reason", "")),
        written=tuple(str(path) for path in answer.get("written", ())),
        boot_id=boot_id if isinstance(boot_id, str) else None,
    )
